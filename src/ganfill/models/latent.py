"""The distribution that z is drawn from in training, and that a search has to respect.

``sample(n, generator, device)`` draws vectors (n, dim) with ``generator`` (a CPU generator: every device then sees the
same numbers) and moves them to ``device``.
"""

import math
from dataclasses import dataclass
from typing import ClassVar

import torch

from ganfill.devices import send


@dataclass(frozen=True)
class Normal:
    """z ~ N(0, I); almost all of its mass lies on the shell |z| = sqrt(dim)."""

    dim: int = 100
    bounded: ClassVar[bool] = False

    def sample(
        self, n: int, generator: torch.Generator | None = None, device: torch.device | str = "cpu"
    ) -> torch.Tensor:
        """Draws vectors (n, dim)."""
        return send(torch.randn(n, self.dim, generator=generator), device)


@dataclass(frozen=True)
class Uniform:
    """z ~ U(-1, 1) in every coordinate, the prior of the DCGAN paper; a search must stay inside [-1, 1]."""

    dim: int = 100
    bounded: ClassVar[bool] = True

    def sample(
        self, n: int, generator: torch.Generator | None = None, device: torch.device | str = "cpu"
    ) -> torch.Tensor:
        """Draws vectors (n, dim)."""
        return send(2 * torch.rand(n, self.dim, generator=generator) - 1, device)


Latent = Normal | Uniform


def typical(z: torch.Tensor, latent: Latent, width: float = 1.5) -> torch.Tensor:
    """Nearest z where the prior's mass is: [-1, 1], or ``sqrt(d) - width <= |z| <= sqrt(d) + width`` for a normal prior.

    |z| of a normal prior has standard deviation 0.71 in any dimension, so the default is about two of them. A pull
    towards the origin instead, as by ``|z|^2 / 2``, leads to the one average face.
    """
    if latent.bounded:
        return z.clamp(-1, 1)
    norm = z.norm(dim=-1, keepdim=True).clamp_min(1e-12)
    radius = math.sqrt(latent.dim)
    return z * (norm.clamp(radius - width, radius + width) / norm)
