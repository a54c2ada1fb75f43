"""Train a GAN on your pictures, then fill holes in damaged pictures by searching its latent space.

``load`` loads a model, ``wrap`` makes one of a generator of your own, ``Model.complete`` completes pictures, and
``LatentSearch`` is a search with settings of your own.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from ganfill.version import __version__

if TYPE_CHECKING:
    from ganfill.api import LatentSearch, Model, load, wrap

__all__ = ["LatentSearch", "Model", "__version__", "load", "wrap"]


def __getattr__(name: str) -> Any:
    """Imports torch only when a name that needs it is used."""
    if name in __all__:
        return getattr(import_module("ganfill.api"), name)
    raise AttributeError(f"module 'ganfill' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
