"""Selection of answers among candidates."""

from dataclasses import dataclass

import torch
from torch.nn.functional import interpolate

from ganfill import seeding
from ganfill.search.target import Target

BLOCK = 4


@dataclass(frozen=True)
class Selection:
    """Ranks candidates by held-out known pixels and by the pictures that the encoder expects.

    Args:
        held_out: share of the known pixels that score candidates instead of being fitted; 0 scores by all known pixels.
        agreement: weight in the score of the difference from the encoder's picture in the hole, because known pixels say
            little about a large hole. Has no effect without an encoder, or on a single candidate.
        spread: above 0, the answers after the first are chosen to differ most in the hole, among candidates whose scores
            exceed the best by at most this share; 0 takes the best scores.
    """

    held_out: float = 0.0
    agreement: float = 0.0
    spread: float = 0.0

    def score(
        self, pictures: torch.Tensor, target: Target, weights: torch.Tensor, expected: torch.Tensor | None
    ) -> torch.Tensor:
        """Scores candidates; smaller is better.

        Args:
            pictures: (N, k, 3, R, R).
            target: N pictures.
            weights: of the known pixels, (N, 1, R, R).
            expected: pictures that the encoder expects, (N, 3, R, R).

        Returns:
            float (N, k), in units of [-1, 1].
        """
        scores = masked_l1(pictures, target.image, weights)
        if expected is not None and self.agreement:
            scores = scores + self.agreement * masked_l1(pictures, expected, 1 - target.known)
        return scores

    def choose(self, scores: torch.Tensor, pictures: torch.Tensor, target: Target, count: int) -> torch.Tensor:
        """Returns the indices (N, count) of the answers in ascending order of their scores."""
        if not self.spread or count == 1:
            return lowest(scores, count)
        chosen = farthest_points(scores, pictures * (1 - target.known)[:, None], count, self.spread)
        return take(chosen, lowest(take(scores, chosen), count))


def hold_out(target: Target, share: float, seed: int) -> torch.Tensor:
    """Draws known pixels to hold out, in blocks, because a pixel can be predicted from its neighbors.

    Args:
        target: N pictures.
        share: of the blocks of 4 x 4 pixels, 0 to 1.
        seed: each picture mixes in its key.

    Returns:
        float (N, 1, R, R), 1 where a known pixel is held out.
    """
    height, width = target.known.shape[2:]
    size = (-(-height // BLOCK), -(-width // BLOCK))
    draws = [torch.rand(1, *size, generator=seeding.generator(seed, "hold out", key)) for key in target.keys]
    blocks = interpolate((torch.stack(draws) < share).float(), scale_factor=BLOCK, mode="nearest")
    return blocks[:, :, :height, :width].to(target.known) * target.known


def masked_l1(pictures: torch.Tensor, image: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """Weighted mean absolute error.

    Args:
        pictures: candidates (N, k, 3, R, R).
        image: wanted (N, 3, R, R).
        weights: of the pixels, (N, 1, R, R).

    Returns:
        float (N, k), 0 where all weights are 0.
    """
    error = (weights[:, None] * (pictures - image[:, None]).abs()).flatten(2).sum(2)
    return error / (3 * weights.flatten(1).sum(1)).clamp_min(1e-12)[:, None]


def lowest(scores: torch.Tensor, count: int) -> torch.Tensor:
    """Returns the indices (N, count) of the lowest scores (N, k) in ascending order; ties keep their order."""
    return scores.argsort(dim=1, stable=True)[:, :count]


def take(values: torch.Tensor, indices: torch.Tensor) -> torch.Tensor:
    """Picks from each row of values (N, k, ...) those at indices (N, m); returns (N, m, ...)."""
    return values[torch.arange(len(indices), device=indices.device)[:, None], indices]


def farthest_points(scores: torch.Tensor, pictures: torch.Tensor, count: int, tolerance: float) -> torch.Tensor:
    """Greedy farthest points (Gonzalez 1985) among the candidates with good scores, the best one first.

    Args:
        scores: (N, k), smaller is better.
        pictures: (N, k, ...), compared by squared differences.
        count: number of points, at most k.
        tolerance: share by which a score may exceed the best. If fewer than ``count`` scores qualify, the next best do.

    Returns:
        Indices (N, count).
    """
    allowed = scores <= scores.amin(1, keepdim=True) * (1 + tolerance)
    order = scores.argsort(dim=1, stable=True)
    allowed.scatter_(1, order[:, :count], True)
    points = pictures.flatten(2)
    chosen = [order[:, 0]]
    distance = torch.where(allowed, torch.inf, -torch.inf)
    while len(chosen) < count:
        to_last = (points - take(points, chosen[-1][:, None])).square().sum(2)
        distance = torch.minimum(distance, to_last).scatter(1, torch.stack(chosen, 1), -torch.inf)
        chosen.append(distance.argmax(1))
    return torch.stack(chosen, 1)
