"""Where a latent vector may be, and in which coordinates it moves.

``enter(z)`` gives the free coordinates u of latent vectors (..., d), ``leave(u)`` the vectors, and ``project(u)`` moves
coordinates to the nearest allowed after each step.
"""

import math
from dataclasses import dataclass
from typing import Protocol

import torch

from ganfill.models.latent import Latent, typical

EDGE = 0.999  # beyond it, tanh's slope is too small to come back


class Parametrisation(Protocol):
    """Coordinates of latent vectors."""

    def enter(self, z: torch.Tensor, latent: Latent) -> torch.Tensor:
        """Coordinates of z."""
        ...

    def leave(self, u: torch.Tensor, latent: Latent) -> torch.Tensor:
        """The z of coordinates, differentiable."""
        ...

    def project(self, u: torch.Tensor, latent: Latent) -> torch.Tensor:
        """The nearest coordinates allowed."""
        ...


@dataclass(frozen=True)
class Clip:
    """z itself, clipped to [-1, 1] for a uniform prior as the published searches do.

    A normal prior is left alone, since a third of its mass lies outside.
    """

    def enter(self, z: torch.Tensor, latent: Latent) -> torch.Tensor:
        """The same."""
        return z

    def leave(self, u: torch.Tensor, latent: Latent) -> torch.Tensor:
        """The same."""
        return u

    def project(self, u: torch.Tensor, latent: Latent) -> torch.Tensor:
        """Clips."""
        return u.clamp(-1, 1) if latent.bounded else u


@dataclass(frozen=True)
class TypicalSet:
    """Where the prior's mass is: see ``typical``; a uniform prior is searched in u with z = tanh u.

    With tanh every coordinate stays inside by itself, where the objective has a gradient in it.

    Args:
        width: of the shell of a normal prior.
    """

    width: float = 1.5

    def enter(self, z: torch.Tensor, latent: Latent) -> torch.Tensor:
        """Coordinates of z."""
        return z.clamp(-EDGE, EDGE).atanh() if latent.bounded else typical(z, latent, self.width)

    def leave(self, u: torch.Tensor, latent: Latent) -> torch.Tensor:
        """The z of coordinates."""
        return u.tanh() if latent.bounded else u

    def project(self, u: torch.Tensor, latent: Latent) -> torch.Tensor:
        """Onto the shell, or to where tanh still has a slope."""
        return u.clamp(-math.atanh(EDGE), math.atanh(EDGE)) if latent.bounded else typical(u, latent, self.width)
