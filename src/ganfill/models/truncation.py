"""The truncation trick of StyleGAN (Karras, Laine and Aila 2019, arXiv 1812.04948, section B)."""

from typing import Any

import torch

from ganfill import seeding
from ganfill.models.model import Model

DRAWS = 10_000  # of z, for the mean w of a generator that does not store it


def has_w(model: Model) -> bool:
    """Returns True if the generator has a mapping network, so that stage 1 is W+."""
    return hasattr(model.generator, "mapping")


@torch.no_grad()
def mean_w(model: Model) -> torch.Tensor:
    """Returns the mean w (w_dim,): the average of the training if the generator stores it, or else of many draws."""
    generator: Any = model.generator
    if hasattr(generator, "w_avg"):
        return generator.w_avg
    z = model.latent.sample(DRAWS, seeding.generator(0, "w"), model.device)
    return generator.forward_until(z, 1)[:, 0].mean(0)


def truncate(ws: torch.Tensor, mean: torch.Tensor, psi: float) -> torch.Tensor:
    """Moves ws (N, layers, w_dim) towards the mean w (w_dim,); 1 keeps them, 0 returns the mean."""
    return mean + psi * (ws - mean)
