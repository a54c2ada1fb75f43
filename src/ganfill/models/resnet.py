"""Residual networks of SNGAN (Miyato et al. 2018, arXiv 1802.05957, table 5), with spectral norm in the discriminator.

The paper's networks are for 128 pixels; 64 pixels take one stage less, with the usual widths (1024 to 64). Functions and
parameter counts are the paper's, with fewer multiplications: a 1x1 convolution runs at the smaller resolution, and a 3x3
convolution is merged with the change of resolution (see ``layers``).
"""

import math
from collections.abc import Iterable
from itertools import pairwise

import torch
from torch import nn
from torch.nn import functional

from ganfill.models.layers import SpectralConv2d, SpectralDownConv2d, SpectralLogit, Staged, UpConv2d, log2_of


def stage_widths(resolution: int, width: int) -> list[int]:
    """Channels at 4x4, 8x8, ... resolution: ``width``/16 at the largest, doubling towards 4x4, at most ``width``.

    Raises:
        ValueError: an argument is out of range.
    """
    stages = log2_of(resolution) - 1
    if width < 16 or width % 16:
        raise ValueError(f"width must be a multiple of 16, got {width}")
    return [min((width // 16) << (stages - 1 - i), width) for i in range(stages)]


def initialize(layers: Iterable[nn.Module], gain: float = 1.0) -> None:
    """Draws weights as in Glorot and Bengio 2010, equation 16, times ``gain``; biases are 0."""
    for layer in layers:
        assert isinstance(layer, nn.Conv2d | nn.ConvTranspose2d | nn.Linear)
        assert layer.bias is not None
        nn.init.xavier_uniform_(layer.weight, gain)
        nn.init.zeros_(layer.bias)


class Start(nn.Linear):
    """z (N, latent_dim) -> features (N, width, 4, 4)."""

    def __init__(self, latent_dim: int, width: int) -> None:
        super().__init__(latent_dim, 16 * width)

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        """Returns features in channels-last memory, without a copy."""
        return super().forward(input).view(len(input), 4, 4, -1).permute(0, 3, 1, 2)


class Up(nn.Module):
    """A residual block (N, c_in, H, W) -> (N, c_out, 2H, 2W)."""

    def __init__(self, c_in: int, c_out: int) -> None:
        super().__init__()
        self.residual = nn.Sequential(
            *(nn.BatchNorm2d(c_in), nn.ReLU(inplace=True), UpConv2d(c_in, c_out)),
            *(nn.BatchNorm2d(c_out), nn.ReLU(inplace=True), nn.Conv2d(c_out, c_out, 3, 1, 1)),
        )
        self.shortcut = nn.Conv2d(c_in, c_out, 1)
        initialize([self.residual[2], self.residual[5]], math.sqrt(2))
        initialize([self.shortcut])

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Returns features of twice the size."""
        return self.residual(features) + functional.interpolate(self.shortcut(features), scale_factor=2.0)


class Down(nn.Module):
    """A residual block (N, c_in, H, W) -> (N, c_out, H/2, W/2), or (N, c_out, H, W) without ``halve``.

    Args:
        c_in: input channels.
        c_out: output channels.
        halve: averages 2x2 pixels.
        first: the input is a picture, so no ReLU comes first.
    """

    def __init__(self, c_in: int, c_out: int, halve: bool = True, first: bool = False) -> None:
        super().__init__()
        c_hidden = c_out if first else c_in
        self.halve, self.first = halve, first
        self.into = SpectralConv2d(c_in, c_hidden, 3, padding=1)
        self.out = SpectralDownConv2d(c_hidden, c_out) if halve else SpectralConv2d(c_hidden, c_out, 3, padding=1)
        self.shortcut = SpectralConv2d(c_in, c_out, 1)
        initialize([self.into, self.out], math.sqrt(2))
        initialize([self.shortcut])

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Returns features of half the size, or of the same size."""
        residual = self.out(functional.relu_(self.into(features if self.first else functional.relu(features))))
        return residual + self.shortcut(functional.avg_pool2d(features, 2) if self.halve else features)


class Generator(Staged):
    """Maps z of shape (N, latent_dim) to pictures (N, 3, resolution, resolution) in [-1, 1].

    Args:
        resolution: a power of two from 32 to 1024.
        latent_dim: dimension of z.
        width: channels at 4x4, a multiple of 16; they halve towards the last stage, which has ``width``/16.
    """

    def __init__(self, resolution: int = 64, latent_dim: int = 128, width: int = 1024) -> None:
        super().__init__()
        widths = stage_widths(resolution, width)
        self.resolution, self.latent_dim = resolution, latent_dim
        self.stages = nn.Sequential(Start(latent_dim, widths[0]), *(Up(c, c_next) for c, c_next in pairwise(widths)))
        last = nn.Conv2d(widths[-1], 3, 3, 1, 1)
        self.to_rgb = nn.Sequential(nn.BatchNorm2d(widths[-1]), nn.ReLU(inplace=True), last, nn.Tanh())
        initialize([self.stages[0], last])


class Discriminator(nn.Module):
    """Maps pictures (N, 3, resolution, resolution) in [-1, 1] to logits (N,), positive for real.

    Args:
        resolution: a power of two from 32 to 1024.
        width: channels at 4x4, a multiple of 16; the first stage has ``width``/16.
    """

    def __init__(self, resolution: int = 64, width: int = 1024) -> None:
        super().__init__()
        widths = stage_widths(resolution, width)[::-1]
        self.resolution = resolution
        self.stages = nn.Sequential(
            Down(3, widths[0], first=True),
            *(Down(c, c_next) for c, c_next in pairwise(widths[:-1])),
            Down(widths[-2], widths[-1], halve=False),
        )
        self.to_logit = SpectralLogit(widths[-1])
        initialize([self.to_logit])

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Returns logits (N,)."""
        return self.to_logit(self.features(images).sum((2, 3), dtype=torch.float32))

    def features(self, images: torch.Tensor) -> torch.Tensor:
        """Returns features (N, width, 4, 4); the last layer takes their sum over pixels."""
        return functional.relu(self.stages(images))
