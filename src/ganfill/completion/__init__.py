"""Filling holes: the search of a generator's latent space, from damaged picture to finished one."""

from ganfill.completion.chunks import Completion, Search
from ganfill.completion.complete import complete
from ganfill.completion.fill import Filled, fill
from ganfill.completion.presets import auto, best, fast, from_pool, posterior, standard
from ganfill.completion.published import amos2016, yeh2017
from ganfill.completion.search import LatentSearch

__all__ = [
    "Completion",
    "Filled",
    "LatentSearch",
    "Search",
    "amos2016",
    "auto",
    "best",
    "complete",
    "fast",
    "fill",
    "from_pool",
    "posterior",
    "standard",
    "yeh2017",
]
