"""The loss that a search minimizes: weighted L1 on pixels.

Contextual weights are functions ``known (N, 1, H, W) -> weights (N, 1, H, W)`` that are zero in the hole. Losses are sums
for each item, so that the items of a batch do not interact.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch.nn.functional import avg_pool2d, max_pool2d

PRIOR_LENGTH = 6.0  # depth in the hole, in pixels, at which the encoder's prior has 63 % of its weight


def uniform(known: torch.Tensor) -> torch.Tensor:
    """Gives every known pixel the weight 1."""
    return known


@dataclass(frozen=True)
class ContextualWeights:
    """Weights known pixels by the share of missing pixels around them (Yeh et al. 2017, arXiv 1607.07539, equation 4).

    Pixels outside the picture count as known. With ``floor=0`` only a ring around the hole counts, and 86 % of the known
    pixels of a center hole at 64 x 64 are ignored.

    Args:
        window: side of the square neighborhood in pixels, odd.
        floor: weight of a known pixel far from the hole, relative to one surrounded by missing pixels.
    """

    window: int = 7
    floor: float = 0.0

    def __call__(self, known: torch.Tensor) -> torch.Tensor:
        """Returns weights in [0, 1]."""
        missing = avg_pool2d(1 - known, self.window, stride=1, padding=self.window // 2)
        return known * (self.floor + (1 - self.floor) * missing)


@dataclass(frozen=True)
class EncoderPrior:
    """Weights of missing pixels, which tie an answer to the encoder's picture there.

    The weight is 0 next to known pixels and increases with the distance, because known pixels say little about a missing
    pixel far from them.

    Args:
        weight: of the mean absolute difference from the encoder's picture, far from known pixels.
    """

    weight: float = 1.0

    def __call__(self, known: torch.Tensor) -> torch.Tensor:
        """Returns weights (N, 1, H, W), zero outside the hole."""
        hole = 1 - known
        depth = 1 - torch.exp(-(((chebyshev_distance(known) - 1) / PRIOR_LENGTH) ** 2))
        return self.weight * hole * depth / (3 * hole.sum((1, 2, 3), keepdim=True)).clamp_min(1)


def chebyshev_distance(mask: torch.Tensor) -> torch.Tensor:
    """Returns the chessboard distance of each pixel to the nearest nonzero pixel of ``mask`` (N, 1, H, W), or infinity."""
    distance, reached = torch.where(mask > 0, 0.0, torch.inf), (mask > 0).float()
    for step in range(1, max(mask.shape[2:])):
        grown = max_pool2d(reached, 3, stride=1, padding=1)
        if torch.equal(grown, reached):
            break
        distance = torch.where(grown > reached, float(step), distance)
        reached = grown
    return distance


@dataclass(frozen=True)
class Objective:
    """Weighted mean absolute error.

    Args:
        weights: the contextual weights.
        smooth: differences below about this value count as squares, so that a start without error stays at rest instead
            of being moved by rounding errors; 0 gives the plain absolute difference.
    """

    weights: Callable[[torch.Tensor], torch.Tensor] = uniform
    smooth: float = 0.0

    def weigh(self, known: torch.Tensor) -> torch.Tensor:
        """Returns the contextual weights (N, 1, H, W), scaled to a sum of 1/3, or 0 everywhere if nothing is known."""
        weights = self.weights(known)
        return weights / (3 * weights.sum((1, 2, 3), keepdim=True)).clamp_min(1e-12)

    def __call__(self, pictures: torch.Tensor, image: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
        """Returns the loss (M,) of pictures (M, 3, R, R) for an image (M, 3, R, R) and weights (M, 1, R, R)."""
        difference = (pictures - image).abs()
        if self.smooth:
            difference = (difference.square() + self.smooth**2).sqrt() - self.smooth
        return (weights * difference).flatten(1).sum(1)
