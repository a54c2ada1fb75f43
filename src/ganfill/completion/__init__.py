"""Filling holes: the search of a generator's latent space, from damaged picture to finished one."""

from ganfill.completion.complete import complete
from ganfill.completion.fill import Filled, fill
from ganfill.completion.presets import amos2016, standard, yeh2017
from ganfill.completion.search import Completion, LatentSearch

__all__ = ["Completion", "Filled", "LatentSearch", "amos2016", "complete", "fill", "standard", "yeh2017"]
