"""The truncation trick of StyleGAN (Karras, Laine and Aila 2019, arXiv 1812.04948, appendix B)."""

from typing import Any

import torch

from ganfill import seeding
from ganfill.models.layers import can_split
from ganfill.models.model import Model

DRAWS = 10_000


def has_w(model: Model) -> bool:
    """Returns True if the generator has a mapping network, so that stage 1 is W+."""
    return hasattr(model.generator, "mapping") and can_split(model.generator)


@torch.no_grad()
def draw_w(model: Model) -> torch.Tensor:
    """Returns w (DRAWS, w_dim) of random z, the same at every call; the generator must have a mapping network."""
    generator: Any = model.generator
    return generator.forward_until(model.latent.sample(DRAWS, seeding.generator(0, "w"), model.device), 1)[:, 0]


def mean_w(model: Model) -> torch.Tensor:
    """Returns the mean w (w_dim,): the average of the training if the generator stores it, or else of many draws."""
    generator: Any = model.generator
    return generator.w_avg if hasattr(generator, "w_avg") else draw_w(model).mean(0)


def truncate(ws: torch.Tensor, mean: torch.Tensor, psi: float) -> torch.Tensor:
    """Moves ws (N, layers, w_dim) towards the mean w (w_dim,); 1 keeps them, 0 returns the mean."""
    return mean + psi * (ws - mean)
