"""Filling holes: the search of a generator's latent space, from damaged picture to finished one."""

from ganfill.completion.chunks import Completion
from ganfill.completion.fill import Filled, complete, fill
from ganfill.completion.presets import amos2016, fast, standard, yeh2017
from ganfill.completion.search import LatentSearch

__all__ = ["Completion", "Filled", "LatentSearch", "amos2016", "complete", "fast", "fill", "standard", "yeh2017"]
