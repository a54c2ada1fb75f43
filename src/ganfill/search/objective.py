"""What a search minimises: the weighted contextual loss on known pixels plus a prior term.

Contextual weights are functions ``known (N, 1, H, W) -> weights (N, 1, H, W)``, zero in the hole; prior terms are
functions ``(networks, z, pictures, image, weights) -> penalty (M,)``. Losses are sums per item, so that the items of a
batch never interact.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch.nn.functional import avg_pool2d, max_pool2d, softplus

from ganfill.search.networks import Networks

Prior = Callable[[Networks, torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor], torch.Tensor]


def uniform(known: torch.Tensor) -> torch.Tensor:
    """Every known pixel counts the same."""
    return known


@dataclass(frozen=True)
class ContextualWeights:
    """Known pixels count by the share of missing ones around them (Yeh et al. 2017, arXiv 1607.07539, equation 4).

    Pixels beyond the border count as known. With ``floor=0`` all but the ring around the hole is ignored, 86 % of the
    evidence for a centre hole at 64 x 64; a floor keeps it.

    Args:
        window: side of the square neighbourhood in pixels, odd.
        floor: weight of a known pixel far from the hole, relative to one all of whose neighbours are missing.
    """

    window: int = 7
    floor: float = 0.0

    def __call__(self, known: torch.Tensor) -> torch.Tensor:
        """Returns weights in [0, 1]."""
        missing = avg_pool2d(1 - known, self.window, stride=1, padding=self.window // 2)
        return known * (self.floor + (1 - self.floor) * missing)


@dataclass(frozen=True)
class Decay:
    """Known pixels count by their distance from the hole: 1 beside it, falling exponentially to a floor.

    Args:
        length: in pixels, over which the weight above the floor falls to 37 %.
        floor: weight of a known pixel far from the hole.
    """

    length: float = 4.0
    floor: float = 0.0

    def __call__(self, known: torch.Tensor) -> torch.Tensor:
        """Returns weights in [0, 1]; the floor everywhere where nothing is missing."""
        nearness = torch.exp(-(distance_to(1 - known) - 1) / self.length)
        return known * (self.floor + (1 - self.floor) * nearness)


@dataclass(frozen=True)
class EncoderPrior:
    """How far a start is followed in the hole: not beside known pixels, and the more the deeper inside.

    Fitting known pixels alone says little of what is far from them; there, the encoder knows better.

    Args:
        weight: of the mean absolute difference from what the start shows over the hole, deep inside.
        length: in pixels from the hole's edge, over which the weight rises to 63 %, as 1 - exp(-(distance / length)^2).
    """

    weight: float = 1.0
    length: float = 6.0

    def __call__(self, known: torch.Tensor) -> torch.Tensor:
        """Weights (N, 1, H, W) of the hole's pixels, zero outside."""
        hole = 1 - known
        depth = 1 - torch.exp(-(((distance_to(known) - 1) / self.length) ** 2))
        return self.weight * hole * depth / (3 * hole.sum((1, 2, 3), keepdim=True)).clamp_min(1)


def distance_to(where: torch.Tensor) -> torch.Tensor:
    """Steps of a king on a chessboard to the nearest pixel of ``where`` (N, 1, H, W): 0 there, infinite if there is none."""
    distance, reached = torch.where(where > 0, 0.0, torch.inf), (where > 0).float()
    for step in range(1, max(where.shape[2:])):
        grown = max_pool2d(reached, 3, stride=1, padding=1)
        if torch.equal(grown, reached):
            break
        distance = torch.where(grown > reached, float(step), distance)
        reached = grown
    return distance


def log_fake(logits: torch.Tensor) -> torch.Tensor:
    """log(1 - D(x)), from logits: the prior term of Yeh et al. (equation 5)."""
    return -softplus(logits)


def minus_log_real(logits: torch.Tensor) -> torch.Tensor:
    """-log D(x), from logits: the prior term of Amos's code, the non-saturating loss of the generator."""
    return softplus(-logits)


@dataclass(frozen=True)
class DiscriminatorPrior:
    """The discriminator's opinion of the whole generated picture.

    Args:
        penalty: of its logits, (M,) -> (M,).
        centred: the mean logit of real pictures in training counts as 0, so that a discriminator which is sure of itself
            still has a slope.
    """

    penalty: Callable[[torch.Tensor], torch.Tensor] = minus_log_real
    centred: bool = False

    def __call__(
        self,
        networks: Networks,
        z: torch.Tensor,
        pictures: torch.Tensor,
        image: torch.Tensor,
        weights: torch.Tensor,
    ) -> torch.Tensor:
        """The penalty of each item."""
        logits = networks.logits(pictures)
        return self.penalty(logits - networks.model.logit_centre if self.centred else logits)


def shell(
    networks: Networks, z: torch.Tensor, pictures: torch.Tensor, image: torch.Tensor, weights: torch.Tensor
) -> torch.Tensor:
    """The squared distance of |z| from sqrt(d), where a normal prior has its mass."""
    return (z.norm(dim=1) - math.sqrt(z.shape[1])).square()


def features(
    networks: Networks, z: torch.Tensor, pictures: torch.Tensor, image: torch.Tensor, weights: torch.Tensor
) -> torch.Tensor:
    """How much the discriminator's features change when known pixels are pasted (Pan et al. 2020, arXiv 2003.13659).

    A mean absolute difference; 0 where the generated picture agrees with all that is known.
    """
    pasted = torch.where(weights > 0, image, pictures)
    return (networks.features(pasted) - networks.features(pictures)).abs().flatten(1).mean(1)


@dataclass(frozen=True)
class Objective:
    """Weighted L1 on known pixels plus ``prior_weight`` times a prior term.

    Args:
        weights: the contextual weights.
        normalise: divide by the sum of weights (times three channels), so that the loss is a mean absolute error and
            one prior weight serves every mask; the published searches take the plain sum.
        smooth: differences up to about this count as squares, so that a start which shows what is wanted already is at
            rest there, instead of being thrown about by rounding; 0 for the plain absolute difference.
        prior: the prior term, such as ``DiscriminatorPrior()``, ``shell`` or ``features``; None adds none.
        prior_weight: its factor, lambda in the papers.
    """

    weights: Callable[[torch.Tensor], torch.Tensor] = uniform
    normalise: bool = True
    smooth: float = 0.0
    prior: Prior | None = None
    prior_weight: float = 0.0

    def weigh(self, known: torch.Tensor) -> torch.Tensor:
        """The contextual weights (N, 1, H, W) of pictures, scaled if asked; all zero where nothing is known."""
        weights = self.weights(known)
        if self.normalise:
            weights = weights / (3 * weights.sum((1, 2, 3), keepdim=True)).clamp_min(1e-12)
        return weights

    def __call__(
        self,
        networks: Networks,
        z: torch.Tensor,
        pictures: torch.Tensor,
        image: torch.Tensor,
        weights: torch.Tensor,
    ) -> torch.Tensor:
        """The loss of each item.

        Args:
            networks: what a prior term asks.
            z: latent vectors (M, d).
            pictures: generated (M, 3, R, R).
            image: wanted (M, 3, R, R).
            weights: contextual weights (M, 1, R, R).

        Returns:
            float (M,).
        """
        loss = self.error(pictures, image, weights)
        if self.prior is not None and self.prior_weight:
            loss = loss + self.prior_weight * self.prior(networks, z, pictures, image, weights)
        return loss

    def error(self, pictures: torch.Tensor, image: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
        """The weighted sum of absolute differences per item, (M,)."""
        difference = (pictures - image).abs()
        if self.smooth:
            difference = (difference.square() + self.smooth**2).sqrt() - self.smooth
        return (weights * difference).flatten(1).sum(1)
