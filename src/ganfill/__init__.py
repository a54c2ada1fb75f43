"""Train a GAN on your pictures, then fill the holes in damaged ones by searching its latent space."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ganfill.completion.search import LatentSearch
    from ganfill.modelfile import Model, load

__version__ = "0.1.0"
__all__ = ["LatentSearch", "Model", "__version__", "load"]


def __getattr__(name: str) -> Any:
    """Imports torch and the rest only when they are asked for."""
    if name in ("Model", "load"):
        from ganfill import modelfile

        return getattr(modelfile, name)
    if name == "LatentSearch":
        from ganfill.completion.search import LatentSearch

        return LatentSearch
    raise AttributeError(f"module 'ganfill' has no attribute {name!r}")
