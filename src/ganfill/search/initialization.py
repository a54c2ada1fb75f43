"""Where a search starts: ``(networks, target, weights, count, seed) -> z (N, count, d)``.

What a start may see of the pictures is in ``target``: pixels that are held out count as missing there.
"""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

import torch

from ganfill import seeding
from ganfill.images.pixels import to_uint8
from ganfill.models.latent import typical
from ganfill.search.networks import Networks
from ganfill.search.target import Target

if TYPE_CHECKING:
    from torch import nn

Drawn = tuple[torch.Tensor, torch.Tensor]

CHUNK = 64

_pools: "WeakKeyDictionary[nn.Module, dict[tuple, Drawn]]" = WeakKeyDictionary()


def from_prior(networks: Networks, target: Target, weights: torch.Tensor, count: int, seed: int) -> torch.Tensor:
    """Draws from the prior, by each picture's own seed."""
    latent = networks.model.latent
    draws = [latent.sample(count, seeding.generator(seed, "start", key)) for key in target.keys]
    return torch.stack(draws).to(networks.device)


@dataclass(frozen=True)
class FromPool:
    """The best of a pool of generated pictures, by weighted squared error on the known pixels.

    The pool is made once for each model, device, size and seed, and kept as bytes (25 MB for 2,048 at 64 x 64).

    Args:
        size: pictures in the pool; at least as many as are wanted.
        spread: so many times the wanted count are taken by error, and among them those that differ most; 1 takes the
            best as they come.
    """

    size: int = 2048
    spread: int = 1

    def __call__(
        self, networks: Networks, target: Target, weights: torch.Tensor, count: int, seed: int
    ) -> torch.Tensor:
        """Returns z (N, count, d), the best match first; random draws where nothing is known."""
        size = max(self.size, count)
        latents, pictures = pool(networks, size, seed)
        errors = _squared_errors(pictures, target.image, weights)
        candidates = errors.topk(min(count * self.spread, size), largest=False, sorted=True).indices
        rows = torch.stack([_farthest(pictures[row], count) for row in candidates]) if self.spread > 1 else None
        z = latents[candidates if rows is None else candidates.gather(1, rows)]
        blank = (weights.flatten(1).sum(1) == 0)[:, None, None]
        return torch.where(blank, from_prior(networks, target, weights, count, seed), z)


@dataclass(frozen=True)
class EncoderStart:
    """The encoder's guess and variations of it; the best of a pool if the model has no encoder.

    Args:
        jitter: how far variations are from the guess: ``sqrt(1 - jitter^2) guess + jitter n``, with n from the prior.
        pool: where they come from without an encoder.
    """

    jitter: float = 0.6
    pool: FromPool = field(default_factory=FromPool)

    def __call__(
        self, networks: Networks, target: Target, weights: torch.Tensor, count: int, seed: int
    ) -> torch.Tensor:
        """Returns z (N, count, d), the guess first."""
        if networks.model.encoder is None:
            return self.pool(networks, target, weights, count, seed)
        guess = guess_latents(networks, target)[:, None]
        variations = from_prior(networks, target, weights, count - 1, seed)
        return torch.cat([guess, (1 - self.jitter**2) ** 0.5 * guess + self.jitter * variations], 1)


@torch.no_grad()
def guess_latents(networks: Networks, target: Target) -> torch.Tensor:
    """The encoder's z (N, d), moved to where the prior's mass is."""
    return typical(networks.encode(target.image * target.known, target.known), networks.model.latent)


@torch.no_grad()
def expect(networks: Networks, target: Target) -> torch.Tensor:
    """What the encoder expects the whole pictures to be, (N, 3, R, R): the mean of its answers to them and mirrored.

    The mean of two guesses is closer to the truth than either.
    """
    mirrored = networks.generate(guess_latents(networks, target.mirror())).flip(3)
    return (networks.generate(guess_latents(networks, target)) + mirrored) / 2


def pool(networks: Networks, size: int, seed: int) -> Drawn:
    """Latent vectors (size, d) and their pictures, uint8 (size, 3 R R); cached as long as the generator lives."""
    kept = _pools.setdefault(networks.model.generator, {})
    key = (size, seed, str(networks.device), networks.bfloat16)
    if key not in kept:
        latents = networks.model.latent.sample(size, seeding.generator(seed, "pool")).to(networks.device)
        with torch.no_grad():
            chunks = [to_uint8(networks.generate(z)) for z in latents.split(CHUNK)]
            pictures = torch.cat([chunk.movedim(-1, -3).flatten(1) for chunk in chunks])
        kept.clear()
        kept[key] = latents, pictures
    return kept[key]


def _squared_errors(pictures: torch.Tensor, image: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """The sum of w (g - y)^2 up to a constant of y, (N, size), as two matrix products over parts of the pool."""
    weight = weights.expand_as(image).flatten(1)
    wanted = weight * image.flatten(1)
    errors = []
    for part in pictures.split(16 * CHUNK):
        generated = part.float().div(127.5).sub(1)
        errors.append(weight @ generated.square().T - 2 * wanted @ generated.T)
    return torch.cat(errors, dim=1)


def _farthest(pictures: torch.Tensor, count: int) -> torch.Tensor:
    """Greedy farthest points among pictures (m, p), beginning with the first: indices (count,)."""
    points = pictures.float()
    chosen = [0]
    distance = torch.full((len(points),), torch.inf, device=points.device)
    while len(chosen) < count:
        distance = torch.minimum(distance, (points - points[chosen[-1]]).square().sum(1))
        chosen.append(int(distance.argmax()))
    return torch.tensor(chosen, device=points.device)
