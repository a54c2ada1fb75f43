"""Exponential moving average of a generator, with its half-life in images seen."""

import torch
from torch import nn


def decay(batch_size: int, half_life_kimg: float, images_seen: int, rampup: float = 0.0) -> float:
    """Returns the weight that the average keeps at a step of ``batch_size`` images.

    Args:
        batch_size: images of this step.
        half_life_kimg: thousand images after which an old weight counts half; 0 follows the raw weights.
        images_seen: images seen before this step.
        rampup: upper limit of the half-life as a share of ``images_seen`` (0: none), as in StyleGAN2-ADA
            (arXiv 2006.06676), so that the average forgets the random start.
    """
    half_life = half_life_kimg * 1000
    if rampup > 0:
        half_life = min(half_life, rampup * images_seen)
    return 0.5 ** (batch_size / half_life) if half_life > 0 else 0.0


@torch.no_grad()
def update(average: nn.Module, module: nn.Module, kept: float) -> None:
    """Averages the parameters of ``module`` into ``average``, which keeps a share of ``kept``, and copies the buffers."""
    torch._foreach_lerp_(list(average.parameters()), list(module.parameters()), 1 - kept)  # pyright: ignore[reportPrivateImportUsage]
    for mean, current in zip(average.buffers(), module.buffers(), strict=True):
        mean.copy_(current)
