"""What a search minimises: the weighted contextual loss on known pixels plus a prior term.

Contextual weights are functions ``known (N, 1, H, W) -> weights (N, 1, H, W)``, zero in the hole; prior terms are
functions ``logits (M,) -> penalty (M,)``. Losses are sums per item, so that the items of a batch never interact.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch.nn.functional import avg_pool2d, softplus

from ganfill.completion.networks import Networks


def uniform(known: torch.Tensor) -> torch.Tensor:
    """Every known pixel counts the same."""
    return known


@dataclass(frozen=True)
class Neighbourhood:
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


def log_fake(logits: torch.Tensor) -> torch.Tensor:
    """log(1 - D(x)), from logits: the prior term of Yeh et al. (equation 5)."""
    return -softplus(logits)


def minus_log_real(logits: torch.Tensor) -> torch.Tensor:
    """-log D(x), from logits: the prior term of Amos's code, the non-saturating loss of the generator."""
    return softplus(-logits)


@dataclass(frozen=True)
class Objective:
    """Weighted L1 on known pixels plus ``prior_weight`` times a prior term.

    Args:
        weights: the contextual weights.
        normalise: divide by the sum of weights (times three channels), so that the loss is a mean absolute error and
            one prior weight serves every mask; the published searches take the plain sum.
        prior: the prior term; None runs no discriminator.
        prior_weight: its factor, lambda in the papers.
    """

    weights: Callable[[torch.Tensor], torch.Tensor] = uniform
    normalise: bool = True
    prior: Callable[[torch.Tensor], torch.Tensor] | None = None
    prior_weight: float = 0.0

    def weigh(self, known: torch.Tensor) -> torch.Tensor:
        """The contextual weights (N, 1, H, W) of pictures, scaled if asked; all zero where nothing is known."""
        weights = self.weights(known)
        if self.normalise:
            weights = weights / (3 * weights.sum((1, 2, 3), keepdim=True)).clamp_min(1e-12)
        return weights

    def __call__(
        self, networks: Networks, pictures: torch.Tensor, image: torch.Tensor, weights: torch.Tensor
    ) -> torch.Tensor:
        """The loss of each item.

        Args:
            networks: gives the logits of the prior term.
            pictures: generated (M, 3, R, R).
            image: wanted (M, 3, R, R).
            weights: contextual weights (M, 1, R, R).

        Returns:
            float (M,).
        """
        loss = absolute_error(pictures, image, weights)
        if self.prior is not None and self.prior_weight:
            loss = loss + self.prior_weight * self.prior(networks.logits(pictures))
        return loss


def absolute_error(pictures: torch.Tensor, image: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """The weighted sum of absolute differences per item, (M,)."""
    return (weights * (pictures - image).abs()).flatten(1).sum(1)
