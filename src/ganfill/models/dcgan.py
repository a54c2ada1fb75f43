"""DCGAN as in PyTorch's example (Radford, Metz, Chintala 2016, arXiv 1511.06434).

Like the example, this file differs from the paper: 4x4 kernels instead of 5x5, half the widths (512 instead of 1024
channels at 4x4), z ~ N(0, I) instead of U(-1, 1), a 4x4 convolution instead of a fully connected layer at either end,
and batch norm scales drawn from N(1, 0.02). The discriminator returns logits; the losses take the sigmoid.
"""

from itertools import pairwise

import torch
from torch import nn

from ganfill.models.layers import Staged, StagedDiscriminator, log2_of

MAX_WIDTH = 512


def stage_widths(resolution: int, width: int) -> list[int]:
    """Channels at 4x4, 8x8, ... resolution/2: ``width`` at the largest, doubling towards 4x4, at most ``MAX_WIDTH``."""
    stages = log2_of(resolution) - 2
    return [min(width << (stages - 1 - i), max(width, MAX_WIDTH)) for i in range(stages)]


def initialize(module: nn.Module) -> None:
    """Draws convolution weights from N(0, 0.02) and batch norm scales from N(1, 0.02); shifts are 0 (section 4)."""
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
        nn.init.normal_(module.weight, 0.0, 0.02)
    elif isinstance(module, nn.BatchNorm2d):
        nn.init.normal_(module.weight, 1.0, 0.02)
        nn.init.zeros_(module.bias)


class Generator(Staged):
    """Maps z of shape (N, latent_dim) to pictures (N, 3, resolution, resolution) in [-1, 1].

    Args:
        resolution: a power of two from 32 to 1024.
        latent_dim: dimension of z.
        width: channels of the last hidden stage; they double towards 4x4, up to 512.
    """

    def __init__(self, resolution: int = 64, latent_dim: int = 100, width: int = 64) -> None:
        super().__init__()
        widths = stage_widths(resolution, width)
        self.resolution, self.latent_dim = resolution, latent_dim
        stages = [self._stage(latent_dim, widths[0], stride=1, padding=0)]
        stages += [self._stage(c, c_next, stride=2, padding=1) for c, c_next in pairwise(widths)]
        self.stages = nn.Sequential(*stages)
        self.to_rgb = nn.Sequential(nn.ConvTranspose2d(widths[-1], 3, 4, 2, 1, bias=False), nn.Tanh())
        self.apply(initialize)

    @staticmethod
    def _stage(c_in: int, c_out: int, stride: int, padding: int) -> nn.Sequential:
        return nn.Sequential(
            nn.ConvTranspose2d(c_in, c_out, 4, stride, padding, bias=False), nn.BatchNorm2d(c_out), nn.ReLU()
        )

    def forward_until(self, z: torch.Tensor, stage: int) -> torch.Tensor:
        """Returns the features of a stage, see ``Staged``; stage 0 is z as (N, latent_dim, 1, 1)."""
        return super().forward_until(z.flatten(1)[:, :, None, None], stage)


class Discriminator(StagedDiscriminator):
    """Maps pictures (N, 3, resolution, resolution) in [-1, 1] to logits (N,), positive for real.

    In training, batch norm couples the pictures of a batch; in evaluation it uses running statistics.

    Args:
        resolution: a power of two from 32 to 1024.
        width: channels of the first stage; they double towards 4x4, up to 512.
    """

    def __init__(self, resolution: int = 64, width: int = 64) -> None:
        super().__init__()
        widths = stage_widths(resolution, width)[::-1]
        self.resolution = resolution
        stages = [nn.Sequential(nn.Conv2d(3, widths[0], 4, 2, 1, bias=False), nn.LeakyReLU(0.2))]
        stages += [self._stage(c, c_next) for c, c_next in pairwise(widths)]
        self.stages = nn.Sequential(*stages)
        self.to_logit = nn.Conv2d(widths[-1], 1, 4, 1, 0, bias=False)
        self.apply(initialize)

    @staticmethod
    def _stage(c_in: int, c_out: int) -> nn.Sequential:
        return nn.Sequential(nn.Conv2d(c_in, c_out, 4, 2, 1, bias=False), nn.BatchNorm2d(c_out), nn.LeakyReLU(0.2))
