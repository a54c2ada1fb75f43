"""Where a latent vector may be: each ``(z, latent) -> z`` moves vectors (..., d) to the nearest point allowed."""

import math

import torch

from ganfill.models.latent import Normal, Uniform

Latent = Normal | Uniform


def clip(z: torch.Tensor, latent: Latent) -> torch.Tensor:
    """Into [-1, 1] for a uniform prior; a normal prior is left alone, since a third of its mass lies outside."""
    return z.clamp(-1, 1) if latent.bounded else z


def typical(z: torch.Tensor, latent: Latent, width: float = 1.5) -> torch.Tensor:
    """Where the prior's mass is: [-1, 1] for a uniform one, ``sqrt(d) - width <= |z| <= sqrt(d) + width`` for a normal one.

    |z| of a normal prior has standard deviation 0.71 in any dimension, so the default is about two of them. A pull
    towards the origin instead, as by ``|z|^2 / 2``, leads to the one average face.
    """
    if latent.bounded:
        return z.clamp(-1, 1)
    norm = z.norm(dim=-1, keepdim=True).clamp_min(1e-12)
    radius = math.sqrt(latent.dim)
    return z * (norm.clamp(radius - width, radius + width) / norm)
