"""Which of several answers is best, judged by known pixels that the fit did not see."""

import torch
from torch.nn.functional import interpolate

from ganfill import seeding
from ganfill.completion.target import Target

BLOCK = 4


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


def judge(pictures: torch.Tensor, image: torch.Tensor, judged: torch.Tensor) -> torch.Tensor:
    """Mean absolute error on the judged pixels.

    Args:
        pictures: candidates (N, k, 3, R, R).
        image: wanted (N, 3, R, R).
        judged: float (N, 1, R, R), 1 where a pixel counts.

    Returns:
        float (N, k), 0 where no pixel counts.
    """
    error = (judged[:, None] * (pictures - image[:, None]).abs()).flatten(2).sum(2)
    return error / (3 * judged.flatten(1).sum(1)).clamp_min(1)[:, None]


def best(scores: torch.Tensor, count: int) -> torch.Tensor:
    """Indices (N, count) of the lowest scores (N, k), best first; equal scores keep their order."""
    return scores.argsort(dim=1, stable=True)[:, :count]
