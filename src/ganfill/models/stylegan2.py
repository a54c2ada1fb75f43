"""StyleGAN2 (Karras et al. 2020, arXiv 1912.04958) in the StyleGAN2-ADA configuration for small pictures.

As in arXiv 2006.06676: two mapping layers, a generator with skip connections to RGB, a residual discriminator. Completion
needs one picture for each z and a discriminator that treats pictures independently, so noise inputs, style mixing and the
minibatch standard deviation are left out. There is no path-length regularization.

The last arguments of both networks add what the official networks have, for weights that ``ganfill import`` takes over:
up to config F, noise constants, the mean w, clipped activations and the minibatch standard deviation.
"""

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import torch
from torch import nn

from ganfill.devices import without_autocast
from ganfill.models.layers import log2_of
from ganfill.models.modulated import (
    GAIN,
    Convolution,
    Dense,
    ModulatedConvolution,
    Smooth,
    ToRGB,
    clamped,
    leaky,
)

MAPPING_RATE = 0.01


def stage_widths(resolution: int, width: int, base: int) -> list[int]:
    """Channels at 4x4, 8x8, ... resolution: ``base`` divided by the side, at most ``width``.

    Raises:
        ValueError: ``resolution`` is not a power of two from 32 to 1024, or there would be a stage without channels.
    """
    levels = log2_of(resolution)
    if width < 1 or base < resolution:
        raise ValueError(f"width={width} base={base} leave no channels: give width from 1 and base from {resolution}")
    return [min(base >> level, width) for level in range(2, levels + 1)]


class Block(nn.Module):
    """One resolution of the generator: convolutions, the first of which doubles the size, and a contribution to RGB."""

    def __init__(
        self, c_in: int, c_out: int, w_dim: int, up: bool, noise: int | None = None, limit: float | None = None
    ) -> None:
        super().__init__()
        convolutions = [ModulatedConvolution(c_in, c_out, 3, w_dim, True, noise, limit)] if up else []
        convolutions.append(ModulatedConvolution(c_out, c_out, 3, w_dim, False, noise, limit))
        self.convolutions = nn.ModuleList(convolutions)
        self.to_rgb = ToRGB(c_out, w_dim, limit)

    def styles(self, ws: Sequence[torch.Tensor]) -> list[Any]:
        """Returns the styles of the block's layers from ws (N, w_dim); the next block uses the last w again."""
        layers: list[Any] = [*self.convolutions, self.to_rgb]
        return [layer.style(w) for layer, w in zip(layers, ws, strict=False)]

    def forward(self, x: torch.Tensor, styles: list[Any]) -> tuple[torch.Tensor, torch.Tensor]:
        """Features (N, c_in, H, W) -> features (N, c_out, ...) and RGB (N, 3, ...), of twice the size after ``up``."""
        for convolution, style in zip(self.convolutions, styles, strict=False):
            x = convolution(x, style)
        return x, self.to_rgb(x, styles[-1])


class Generator(nn.Module):
    """Maps z of shape (N, latent_dim) to pictures (N, 3, resolution, resolution) in about [-1, 1].

    z is normalized, so only its direction counts. Stage 1 is W+, (N, layers, w_dim): one w for each layer, where a
    block's RGB layer and the next block's first convolution share one; layers = 2 log2(resolution) - 2.

    Args:
        resolution: a power of two from 32 to 1024.
        latent_dim: dimension of z.
        width: maximum number of channels.
        base: a stage of side s has ``base``/s channels, at most ``width``.
        w_dim: dimension of w.
        mapping_layers: number of layers that map z to w.
        noise: adds a constant picture of noise after each 3x3 convolution, and keeps the mean w as the buffer ``w_avg``.
        limit: of the size of activations; None for none.
    """

    w_avg: torch.Tensor

    def __init__(
        self,
        resolution: int = 64,
        latent_dim: int = 100,
        width: int = 512,
        base: int = 16384,
        w_dim: int = 512,
        mapping_layers: int = 2,
        noise: bool = False,
        limit: float | None = None,
    ) -> None:
        super().__init__()
        widths = stage_widths(resolution, width, base)
        self.resolution, self.latent_dim, self.layers = resolution, latent_dim, 2 * len(widths)
        sizes = [latent_dim, *[w_dim] * mapping_layers]
        self.mapping = nn.ModuleList(Dense(c, c_next, gain=GAIN, rate=MAPPING_RATE) for c, c_next in pairwise(sizes))
        self.constant = nn.Parameter(torch.randn(1, widths[0], 4, 4))
        pairs = pairwise([widths[0], *widths])
        self.blocks = nn.ModuleList(
            Block(c, c_next, w_dim, i > 0, 4 << i if noise else None, limit) for i, (c, c_next) in enumerate(pairs)
        )
        self.smooth = Smooth(gain=4.0)
        if noise:
            self.register_buffer("w_avg", torch.zeros(w_dim))

    def forward(self, z: torch.Tensor) -> torch.Tensor:
        """Returns pictures (N, 3, resolution, resolution); nothing keeps them inside [-1, 1] but the training."""
        return self.forward_from(z, 0)

    def forward_until(self, z: torch.Tensor, stage: int) -> torch.Tensor:
        """Returns z (N, latent_dim) for stage 0, ws (N, layers, w_dim) for stage 1.

        The w of every layer is the same, and has the precision of the weights even under autocast.

        Raises:
            ValueError: there is no such stage.
        """
        _check_stage(stage)
        if stage == 0:
            return z
        with without_autocast(z):
            z = z.to(self.constant.dtype)
            w = z * (z.square().mean(1, keepdim=True) + 1e-8).rsqrt()
            for layer in self.mapping:
                w = leaky(layer(w))
        return w[:, None].expand(-1, self.layers, -1)

    def forward_from(self, features: torch.Tensor, stage: int) -> torch.Tensor:
        """Returns pictures from the features that ``forward_until`` returned for ``stage``."""
        _check_stage(stage)
        ws = (features if stage else self.forward_until(features, 1)).to(self.constant.dtype).unbind(1)
        blocks: list[Any] = list(self.blocks)
        with without_autocast(features):  # styles are cheap, and each scales a whole channel
            styles = [block.styles(ws[max(2 * i - 1, 0) :]) for i, block in enumerate(blocks)]
        x, image = blocks[0](self.constant.expand(len(features), -1, -1, -1), styles[0])
        for block, style in zip(blocks[1:], styles[1:], strict=True):
            x, rgb = block(x, style)
            with without_autocast(rgb):  # rounding of the sum would be visible in the picture
                image = self.smooth.upsample(image) + rgb
        return image


def _check_stage(stage: int) -> None:
    if stage not in (0, 1):
        raise ValueError(f"StyleGAN2 has stages 0 (z) and 1 (a w for every layer), got {stage}: use 1")


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions, the second of which halves the size, plus a 1x1 skip convolution, scaled to unit variance."""

    def __init__(self, c_in: int, c_out: int, limit: float | None = None) -> None:
        super().__init__()
        half = math.sqrt(0.5)
        self.limits = (limit, None if limit is None else half * limit)
        self.convolutions = nn.ModuleList(
            [Convolution(c_in, c_in, 3), Convolution(c_in, c_out, 3, gain=half * GAIN, down=True)]
        )
        self.skip = Convolution(c_in, c_out, 1, gain=half, bias=False, down=True)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(N, c_in, H, W) -> (N, c_out, H/2, W/2)."""
        skip = self.skip(x)
        for convolution, limit in zip(self.convolutions, self.limits, strict=True):
            x = clamped(leaky(convolution(x)), limit)
        return x + skip


class Discriminator(nn.Module):
    """Maps pictures (N, 3, resolution, resolution) in [-1, 1] to logits (N,), independently in evaluation mode.

    Args:
        resolution: a power of two from 32 to 1024.
        width: maximum number of channels.
        base: a stage of side s has ``base``/s channels, at most ``width``.
        group: pictures of a group whose standard deviation the last layers see; 0 leaves it out.
        limit: of the size of activations; None for none.
    """

    def __init__(
        self, resolution: int = 64, width: int = 512, base: int = 16384, group: int = 0, limit: float | None = None
    ) -> None:
        super().__init__()
        widths = stage_widths(resolution, width, base)[::-1]
        self.resolution, self.group, self.limit = resolution, group, limit
        self.from_rgb = Convolution(3, widths[0], 1)
        self.blocks = nn.Sequential(*(ResidualBlock(c, c_next, limit) for c, c_next in pairwise(widths)))
        self.convolution = Convolution(widths[-1] + bool(group), widths[-1], 3)
        # A 4x4 convolution rather than a dense layer, because model files store convolutions in 16 bits.
        self.dense = Convolution(widths[-1], widths[-1], 4, padding=0)
        self.to_logit = Dense(widths[-1], 1)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Returns logits (N,)."""
        x = leaky(self.dense(self.features(images))).flatten(1)
        with without_autocast(x):
            return self.to_logit(x.to(self.to_logit.weight.dtype))[:, 0]

    def features(self, images: torch.Tensor) -> torch.Tensor:
        """Returns the input (N, C, 4, 4) of the last two layers."""
        x = self.blocks(clamped(leaky(self.from_rgb(images)), self.limit))
        if self.group:
            # In evaluation mode each picture is its own group, so that its logit does not depend on the others.
            x = append_deviation(x, self.group if self.training else 1)
        return clamped(leaky(self.convolution(x)), self.limit)


def append_deviation(x: torch.Tensor, group: int) -> torch.Tensor:
    """Appends the minibatch standard deviation as a channel (Karras et al. 2018, arXiv 1710.10196, section 3).

    Args:
        x: features (N, C, H, W).
        group: pictures of a group, which are N / group apart; the largest divisor of N up to ``group`` is used.

    Returns:
        Features (N, C + 1, H, W); the new channel is one number for each group.
    """
    n, _, h, w = x.shape
    size = next(size for size in range(min(group, n), 0, -1) if n % size == 0)
    with without_autocast(x):
        groups = x.float().unflatten(0, (size, -1))
        deviation = (groups.var(0, correction=0) + 1e-8).sqrt().mean((1, 2, 3))
    return torch.cat([x, deviation.repeat(size)[:, None, None, None].expand(n, 1, h, w).to(x.dtype)], 1)
