"""Starts of a search: functions ``(networks, target, weights, count, seed) -> z (N, count, d)``.

A start sees only ``target``, where held-out pixels count as missing.
"""

from dataclasses import dataclass
from weakref import WeakKeyDictionary

import torch
from torch import nn

from ganfill import seeding
from ganfill.images.pixels import to_uint8
from ganfill.search.networks import Networks
from ganfill.search.target import Target

CHUNK = 64  # pictures at once, up to 256 x 256 pixels

_pools: "WeakKeyDictionary[nn.Module, dict[tuple, tuple[torch.Tensor, torch.Tensor]]]" = WeakKeyDictionary()


def from_prior(networks: Networks, target: Target, weights: torch.Tensor, count: int, seed: int) -> torch.Tensor:
    """Draws from the prior; the draws of a picture depend on its key and the seed."""
    latent = networks.model.latent
    draws = [latent.sample(count, seeding.generator(seed, "start", key)) for key in target.keys]
    return torch.stack(draws).to(networks.device)


@dataclass(frozen=True)
class PoolStart:
    """Chooses the pictures of a pool with the smallest weighted squared error on the known pixels.

    The pool is generated once for each model, device, size and seed, and kept as bytes (25 MB for 2,048 at 64 x 64).

    Args:
        size: number of pictures in the pool; raised to the number of starts.
    """

    size: int = 2048

    def __call__(
        self, networks: Networks, target: Target, weights: torch.Tensor, count: int, seed: int
    ) -> torch.Tensor:
        """Returns z (N, count, d), the best match first; random draws where nothing is known."""
        latents, pictures = pool(networks, max(self.size, count), seed)
        z = latents[_squared_errors(pictures, target.image, weights).topk(count, largest=False, sorted=True).indices]
        blank = (weights.flatten(1).sum(1) == 0)[:, None, None]
        return torch.where(blank, from_prior(networks, target, weights, count, seed), z)


@dataclass(frozen=True)
class EncoderStart:
    """The encoder's estimate and random variations of it, or the best of a pool if the model has no encoder.

    Args:
        jitter: size of the variations: ``sqrt(1 - jitter^2) estimate + jitter n``, with n from the prior.
    """

    jitter: float = 0.6

    def __call__(
        self, networks: Networks, target: Target, weights: torch.Tensor, count: int, seed: int
    ) -> torch.Tensor:
        """Returns z (N, count, d), the estimate first; random draws where nothing is known."""
        if networks.model.encoder is None:
            return PoolStart()(networks, target, weights, count, seed)
        estimate = estimate_z(networks, target)[:, None]
        variations = from_prior(networks, target, weights, count - 1, seed)
        z = torch.cat([estimate, (1 - self.jitter**2) ** 0.5 * estimate + self.jitter * variations], 1)
        blank = (target.known.flatten(1).sum(1) == 0)[:, None, None]
        return torch.where(blank, from_prior(networks, target, weights, count, seed), z) if blank.any() else z


@torch.no_grad()
def estimate_z(networks: Networks, target: Target) -> torch.Tensor:
    """Returns the encoder's estimate of z (N, d), projected as in ``Normal.project``."""
    return networks.model.latent.project(networks.encode(target.image * target.known, target.known))


@torch.no_grad()
def expected_pictures(networks: Networks, target: Target) -> torch.Tensor:
    """Returns the pictures (N, 3, R, R) that the encoder expects.

    They are the mean of its answers for the pictures and for their mirror images, which has a smaller error than either.
    """
    mirrored = networks.generate(estimate_z(networks, target.mirror())).flip(3)
    return (networks.generate(estimate_z(networks, target)) + mirrored) / 2


def pool(networks: Networks, size: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Returns latent vectors (size, d) and their pictures, uint8 (size, 3 R R); cached as long as the generator lives."""
    cache = _pools.setdefault(networks.model.generator, {})
    key = (size, seed, str(networks.device), networks.bfloat16)
    if key not in cache:
        latents = networks.model.latent.sample(size, seeding.generator(seed, "pool")).to(networks.device)
        with torch.no_grad():
            at_once = max(1, min(CHUNK, CHUNK * 256**2 // networks.model.resolution**2))
            chunks = [to_uint8(networks.generate(z)) for z in latents.split(at_once)]
            pictures = torch.cat([chunk.movedim(-1, -3).flatten(1) for chunk in chunks])
        cache.clear()
        cache[key] = latents, pictures
    return cache[key]


def _squared_errors(pictures: torch.Tensor, image: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """Sum of w (g - y)^2 up to a constant of y, (N, size), as two matrix products over parts of the pool."""
    weight = weights.expand_as(image).flatten(1)
    wanted = weight * image.flatten(1)
    errors = []
    for part in pictures.split(16 * CHUNK):
        generated = part.float().div(127.5).sub(1)
        errors.append(weight @ generated.square().T - 2 * wanted @ generated.T)
    return torch.cat(errors, dim=1)
