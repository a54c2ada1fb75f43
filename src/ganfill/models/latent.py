"""Latent priors: the distributions of z in training, with the geometry that samplers and searches need.

A search moves unconstrained coordinates u instead of z, so that a gradient step cannot leave the prior's support. Latent
vectors have shape (..., dim); each vector is treated by itself.
"""

import math
from dataclasses import dataclass

import torch
from torch.nn.functional import softplus

from ganfill.devices import send

EDGE = 0.999  # closer to 1, the slope of tanh is too small for a coordinate to come back


@dataclass(frozen=True)
class Normal:
    """z ~ N(0, I). Almost all of its mass lies near the shell |z| = sqrt(dim); u is z itself."""

    dim: int = 100

    def sample(
        self, n: int, generator: torch.Generator | None = None, device: torch.device | str = "cpu"
    ) -> torch.Tensor:
        """Draws z (n, dim) with a CPU generator, so that every device gets the same numbers."""
        return send(torch.randn(n, self.dim, generator=generator), device)

    def project(self, z: torch.Tensor, width: float = 1.5) -> torch.Tensor:
        """Returns the nearest z with ``sqrt(dim) - width <= |z| <= sqrt(dim) + width``.

        The standard deviation of |z| is 0.71 in any dimension, so the default is about two of them. A pull towards the
        origin, as by ``|z|^2 / 2``, would lead to the average face.
        """
        norm = z.norm(dim=-1, keepdim=True).clamp_min(1e-12)
        radius = math.sqrt(self.dim)
        return z * (norm.clamp(radius - width, radius + width) / norm)

    def clip(self, z: torch.Tensor) -> torch.Tensor:
        """Clips z to the prior's support, which is the whole space."""
        return z

    def to_unconstrained(self, z: torch.Tensor) -> torch.Tensor:
        """Maps z to u."""
        return z

    def from_unconstrained(self, u: torch.Tensor) -> torch.Tensor:
        """Maps u to z, differentiable."""
        return u

    def project_unconstrained(self, u: torch.Tensor, width: float = 1.5) -> torch.Tensor:
        """Projects u as ``project`` does z."""
        return self.project(u, width)

    def neg_log_prob(self, u: torch.Tensor) -> torch.Tensor:
        """Negative log density of u, up to a constant: (..., dim) -> (...)."""
        return u.square().sum(-1) / 2

    def interpolate(self, start: torch.Tensor, end: torch.Tensor, steps: int) -> torch.Tensor:
        """Spherical interpolation (White 2016, arXiv 1609.04468).

        Args:
            start: (N, dim).
            end: (N, dim).
            steps: points on each path, both ends included.

        Returns:
            z (N, steps, dim).
        """
        t = torch.linspace(0, 1, steps)[:, None]
        start, end = start[:, None], end[:, None]
        angle = torch.cosine_similarity(start, end, -1).clamp(-1, 1).acos()[..., None].clamp(1e-4, math.pi - 1e-4)
        return (torch.sin((1 - t) * angle) * start + torch.sin(t * angle) * end) / torch.sin(angle)


@dataclass(frozen=True)
class Uniform:
    """z ~ U(-1, 1) in every coordinate, the prior of the DCGAN paper; z = tanh u."""

    dim: int = 100

    def sample(
        self, n: int, generator: torch.Generator | None = None, device: torch.device | str = "cpu"
    ) -> torch.Tensor:
        """Draws z (n, dim) with a CPU generator, so that every device gets the same numbers."""
        return send(2 * torch.rand(n, self.dim, generator=generator) - 1, device)

    def project(self, z: torch.Tensor, width: float = 1.5) -> torch.Tensor:
        """Clips z to [-1, 1]; ``width`` has no effect."""
        return self.clip(z)

    def clip(self, z: torch.Tensor) -> torch.Tensor:
        """Clips z to [-1, 1]."""
        return z.clamp(-1, 1)

    def to_unconstrained(self, z: torch.Tensor) -> torch.Tensor:
        """Maps z to u, clipped to where tanh still has a slope."""
        return z.clamp(-EDGE, EDGE).atanh()

    def from_unconstrained(self, u: torch.Tensor) -> torch.Tensor:
        """Maps u to z, differentiable."""
        return u.tanh()

    def project_unconstrained(self, u: torch.Tensor, width: float = 1.5) -> torch.Tensor:
        """Clips u to where tanh still has a slope; ``width`` has no effect."""
        return u.clamp(-math.atanh(EDGE), math.atanh(EDGE))

    def neg_log_prob(self, u: torch.Tensor) -> torch.Tensor:
        """Negative log density of u, up to a constant: (..., dim) -> (...); the density is proportional to cosh^-2 u."""
        return 2 * (u.abs() + softplus(-2 * u.abs())).sum(-1)

    def interpolate(self, start: torch.Tensor, end: torch.Tensor, steps: int) -> torch.Tensor:
        """Linear interpolation; arguments as for ``Normal.interpolate``."""
        t = torch.linspace(0, 1, steps)[:, None]
        return start[:, None] + t * (end - start)[:, None]


Latent = Normal | Uniform
