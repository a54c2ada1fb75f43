"""Which of several answers is best, and which are shown beside it."""

from dataclasses import dataclass

import torch
from torch.nn.functional import interpolate

from ganfill import seeding
from ganfill.search.target import Target

BLOCK = 4


@dataclass(frozen=True)
class Selection:
    """Ranks answers by known pixels that the fit did not see, and by what the encoder expects in the hole.

    Args:
        held_out: share of the known pixels that judge instead of being fitted; 0 judges by all.
        agreement: weight of the difference from the encoder's expectation in the hole, beside the error on known
            pixels, which say little of a large hole. Without an encoder it counts nothing.
        spread: above 0, the answers after the first are chosen to differ most in the hole, among those whose scores
            exceed the best by at most this share; 0 takes the next best.
    """

    held_out: float = 0.0
    agreement: float = 0.0
    spread: float = 0.0

    def score(
        self, pictures: torch.Tensor, target: Target, judged: torch.Tensor, expected: torch.Tensor | None
    ) -> torch.Tensor:
        """Scores of candidates, smaller is better.

        Args:
            pictures: (N, k, 3, R, R).
            target: N pictures.
            judged: weights of the known pixels that masked_l1, (N, 1, R, R).
            expected: the encoder's expectation, (N, 3, R, R).

        Returns:
            float (N, k), in units of [-1, 1].
        """
        scores = masked_l1(pictures, target.image, judged)
        if expected is not None and self.agreement:
            scores = scores + self.agreement * masked_l1(pictures, expected, 1 - target.known)
        return scores

    def choose(self, scores: torch.Tensor, pictures: torch.Tensor, target: Target, count: int) -> torch.Tensor:
        """Indices (N, count) of the candidates to show, the best first."""
        if not self.spread or count == 1:
            return best(scores, count)
        return far_apart(scores, pictures * (1 - target.known)[:, None], count, self.spread)


def hold_out(target: Target, share: float, seed: int) -> torch.Tensor:
    """Chooses known pixels to judge by, in blocks, because a pixel's neighbours give it away.

    Args:
        target: the pictures.
        share: of the blocks of 4 x 4 pixels, 0 to 1.
        seed: mixed with each picture's own.

    Returns:
        float (N, 1, R, R), 1 where a known pixel is held out.
    """
    height, width = target.known.shape[2:]
    size = (-(-height // BLOCK), -(-width // BLOCK))
    draws = [torch.rand(1, *size, generator=seeding.generator(seed, "hold out", key)) for key in target.keys]
    blocks = interpolate((torch.stack(draws) < share).float(), scale_factor=BLOCK, mode="nearest")
    return blocks[:, :, :height, :width].to(target.known) * target.known


def masked_l1(pictures: torch.Tensor, image: torch.Tensor, judged: torch.Tensor) -> torch.Tensor:
    """Weighted mean absolute error on the judged pixels.

    Args:
        pictures: candidates (N, k, 3, R, R).
        image: wanted (N, 3, R, R).
        judged: weights (N, 1, R, R), 0 where a pixel does not count.

    Returns:
        float (N, k), 0 where no pixel counts.
    """
    error = (judged[:, None] * (pictures - image[:, None]).abs()).flatten(2).sum(2)
    return error / (3 * judged.flatten(1).sum(1)).clamp_min(1e-12)[:, None]


def best(scores: torch.Tensor, count: int) -> torch.Tensor:
    """Indices (N, count) of the lowest scores (N, k), best first; equal scores keep their order."""
    return scores.argsort(dim=1, stable=True)[:, :count]


def far_apart(scores: torch.Tensor, pictures: torch.Tensor, count: int, cap: float) -> torch.Tensor:
    """Greedy farthest points (Gonzalez 1985) among the candidates that fit well enough, beginning with the best.

    Args:
        scores: (N, k), smaller is better.
        pictures: (N, k, ...), compared by squared differences.
        count: how many are wanted, at most k.
        cap: share by which a score may exceed the best; where too few candidates do, the next best join.

    Returns:
        Indices (N, count).
    """
    fits = scores <= scores.amin(1, keepdim=True) * (1 + cap)
    order = scores.argsort(dim=1, stable=True)
    fits.scatter_(1, order[:, :count], True)
    points = pictures.flatten(2)
    chosen = [order[:, 0]]
    distance = torch.where(fits, torch.inf, -torch.inf)
    rows = torch.arange(len(scores), device=scores.device)
    while len(chosen) < count:
        apart = (points - points[rows, chosen[-1]][:, None]).square().sum(2)
        distance = torch.minimum(distance, apart).scatter(1, torch.stack(chosen, 1), -torch.inf)
        chosen.append(distance.argmax(1))
    return torch.stack(chosen, 1)
