"""R3GAN (Huang et al. 2024, arXiv 2501.05441, section 4): grouped residual blocks without normalization, noise or style.

With 64 pixels, latent dimension 64 and width 768, these are the paper's FFHQ-64 networks (22.4 million parameters
each). The paper trains them with the loss ``relativistic`` and ``r1_r2`` in every step.
"""

import math
from itertools import pairwise

import torch
from torch import nn
from torch.nn import functional

from ganfill.models.layers import Resample, Staged, StagedDiscriminator, log2_of

GROUP = 16  # channels of a group of the 3x3 convolutions
EXPANSION = 2  # of the channels between the 1x1 convolutions of a block
GAIN = math.sqrt(2 / (1 + 0.2**2))  # keeps the variance through LeakyReLU(0.2) (He et al. 2015, arXiv 1502.01852)


def stage_widths(resolution: int, width: int) -> list[int]:
    """Channels at 4x4, 8x8, ... resolution: ``width`` up to 32x32, then half as many at each doubling.

    Raises:
        ValueError: an argument is out of range.
    """
    stages = log2_of(resolution) - 1
    unit = GROUP // EXPANSION << (stages - 4)
    if width < unit or width % unit:
        raise ValueError(f"width must be a multiple of {unit} for {resolution} pixels, got {width}")
    return [width >> max(i - 3, 0) for i in range(stages)]


def convolution(
    c_in: int, c_out: int, size: int = 1, groups: int = 1, gain: float = 1.0, bias: bool = False
) -> nn.Conv2d:
    """A convolution with weights ~ N(0, gain²/fan-in) and a bias, if any, of 0."""
    layer = nn.Conv2d(c_in, c_out, size, 1, size // 2, groups=groups, bias=bias)
    nn.init.normal_(layer.weight, 0, gain / math.sqrt(layer.weight[0].numel()))
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return layer


class Block(nn.Module):
    """A residual block of 1x1, grouped 3x3 and 1x1 convolutions; the last one starts at 0 (section 4.2).

    Args:
        width: input and output channels.
        depth: total number of blocks in the network, which scales the weights (Zhang et al. 2019, arXiv 1901.09321).
    """

    def __init__(self, width: int, depth: int) -> None:
        super().__init__()
        inner, gain = EXPANSION * width, GAIN * depth ** (-1 / 4)
        self.expand = convolution(width, inner, gain=gain, bias=True)
        self.mix = convolution(inner, inner, 3, inner // GROUP, gain, bias=True)
        self.reduce = convolution(inner, width, gain=0.0)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Returns features of the same shape."""
        inner = functional.leaky_relu_(self.mix(functional.leaky_relu_(self.expand(features), 0.2)), 0.2)
        return features + self.reduce(inner)


class Start(nn.Module):
    """z (N, latent_dim) -> features (N, width, 4, 4): a learned 4x4 basis for each channel, scaled by a linear map of z."""

    def __init__(self, latent_dim: int, width: int) -> None:
        super().__init__()
        self.basis = nn.Parameter(torch.randn(1, width, 4, 4))
        self.linear = nn.Linear(latent_dim, width, bias=False)
        nn.init.normal_(self.linear.weight, 0, 1 / math.sqrt(latent_dim))

    def forward(self, z: torch.Tensor) -> torch.Tensor:
        """Returns features (N, width, 4, 4)."""
        return self.basis * self.linear(z)[:, :, None, None]


class End(nn.Module):
    """Features (N, width, 4, 4) -> logits (N,): a depthwise 4x4 convolution and a linear layer, always in float32."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.basis = nn.Parameter(torch.randn(1, width, 4, 4) / 4)
        self.linear = nn.Parameter(torch.randn(width) / math.sqrt(width))

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Returns logits (N,)."""
        return (features * (self.basis * self.linear[:, None, None])).sum((1, 2, 3))


class Generator(Staged):
    """Maps z of shape (N, latent_dim) to pictures (N, 3, resolution, resolution), mostly in [-1, 1].

    Args:
        resolution: a power of two from 32 to 1024.
        latent_dim: dimension of z.
        width: channels up to 32x32, a multiple of a quarter of the resolution.
        blocks: residual blocks in each stage.
    """

    def __init__(self, resolution: int = 64, latent_dim: int = 64, width: int = 768, blocks: int = 2) -> None:
        super().__init__()
        widths = stage_widths(resolution, width)
        self.resolution, self.latent_dim = resolution, latent_dim
        depth = blocks * len(widths)
        starts: list[list[nn.Module]] = [[Start(latent_dim, width)]]
        for i, (c, c_next) in enumerate(pairwise(widths)):
            starts.append([] if c == c_next else [convolution(c, c_next)])
            starts[-1].append(Resample(4 << i, up=True))
        stages = [
            nn.Sequential(*start, *(Block(c, depth) for _ in range(blocks)))
            for start, c in zip(starts, widths, strict=True)
        ]
        self.stages = nn.Sequential(*stages)
        self.to_rgb = convolution(widths[-1], 3)


class Discriminator(StagedDiscriminator):
    """Maps pictures (N, 3, resolution, resolution) in [-1, 1] to logits (N,), which are meaningful only as differences.

    Args:
        resolution: a power of two from 32 to 1024.
        width: channels at 32x32 and below, as in the generator.
        blocks: residual blocks in each stage.
    """

    def __init__(self, resolution: int = 64, width: int = 768, blocks: int = 2) -> None:
        super().__init__()
        widths = stage_widths(resolution, width)[::-1]
        self.resolution = resolution
        depth = blocks * len(widths)
        stages = []
        for i, (c, c_next) in enumerate(pairwise([*widths, width])):
            layers: list[nn.Module] = [Block(c, depth) for _ in range(blocks)]
            if i < len(widths) - 1:
                layers.append(Resample(resolution >> i))
            if c != c_next:
                layers.append(convolution(c, c_next))
            stages.append(nn.Sequential(*layers))
        self.from_rgb = convolution(3, widths[0])
        self.stages = nn.Sequential(*stages)
        self.to_logit = End(width)

    def features(self, images: torch.Tensor) -> torch.Tensor:
        """Returns the last layer's input (N, width, 4, 4)."""
        return self.stages(self.from_rgb(images))
