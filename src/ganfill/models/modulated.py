"""Layers of StyleGAN2 (Karras et al. 2020, arXiv 1912.04958): equalized learning rates, modulation, smooth resampling.

Leaky ReLU has slope 0.2 and a gain of sqrt(2), which keeps the variance. Because ``a leaky(x) = leaky(a x)`` for a > 0,
the gain is folded into the weights before the activation, where it costs nothing.
"""

import math

import torch
from torch import nn
from torch.nn.functional import conv2d, conv_transpose2d, leaky_relu, linear

GAIN = math.sqrt(2)


def leaky(x: torch.Tensor) -> torch.Tensor:
    """Applies leaky ReLU with slope 0.2 in place."""
    return leaky_relu(x, 0.2, inplace=True)


def clamped(x: torch.Tensor, limit: float | None) -> torch.Tensor:
    """Clips x to [-limit, limit], as networks do that were trained in float16; returns x itself without a limit."""
    return x if limit is None else x.clamp(-limit, limit)


class Smooth(nn.Module):
    """The low-pass filter [1, 3, 3, 1] in both directions, for each channel; pixels beyond the border are 0.

    Args:
        gain: factor of a constant picture.
        padding: zeros added on each side.
    """

    kernel: torch.Tensor

    def __init__(self, gain: float = 1.0, padding: int = 1) -> None:
        super().__init__()
        taps = torch.tensor([1.0, 3.0, 3.0, 1.0]) / 8
        self.register_buffer("kernel", gain * torch.outer(taps, taps)[None, None], persistent=False)
        self.padding = padding

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(N, C, H, W) -> (N, C, H + 2 padding - 3, W + 2 padding - 3)."""
        # Stride 1, although every second pixel is dropped: a strided depthwise backward pass is 10 times slower on CPUs.
        return conv2d(x, self.kernel.expand(x.shape[1], 1, 4, 4), padding=self.padding, groups=x.shape[1])

    def upsample(self, x: torch.Tensor) -> torch.Tensor:
        """(N, C, H, W) -> (N, C, 2 H, 2 W): inserts zeros between pixels, then filters; needs ``gain=4``."""
        kernel = self.kernel.expand(x.shape[1], 1, 4, 4)
        return conv_transpose2d(x, kernel, stride=2, padding=1, groups=x.shape[1])


class Dense(nn.Module):
    """A fully connected layer with equalized learning rate (Karras et al. 2018, arXiv 1710.10196, section 4.1).

    Weights are stored with unit variance and scaled when used, so that Adam changes all layers at the same relative rate.

    Args:
        c_in: input size.
        c_out: output size.
        bias: initial bias.
        gain: of the output.
        rate: learning rate relative to other layers.
    """

    def __init__(self, c_in: int, c_out: int, bias: float = 0.0, gain: float = 1.0, rate: float = 1.0) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(c_out, c_in) / rate)
        self.bias = nn.Parameter(torch.full((c_out,), bias / rate))
        self.weight_gain, self.bias_gain = gain * rate / math.sqrt(c_in), gain * rate

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(..., c_in) -> (..., c_out)."""
        return linear(x, self.weight * self.weight_gain, self.bias * self.bias_gain)


class Convolution(nn.Module):
    """A convolution with equalized learning rate.

    Args:
        c_in: input channels.
        c_out: output channels.
        kernel: kernel size.
        gain: of the output.
        bias: adds a bias.
        down: halves the size: a low-pass filter, then a convolution of stride 2.
        padding: zeros added on each side; the default keeps the size.
    """

    def __init__(
        self,
        c_in: int,
        c_out: int,
        kernel: int,
        gain: float = GAIN,
        bias: bool = True,
        down: bool = False,
        padding: int | None = None,
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(c_out, c_in, kernel, kernel))
        self.bias = nn.Parameter(torch.zeros(c_out)) if bias else None
        self.weight_gain, self.bias_gain = gain / math.sqrt(c_in * kernel**2), gain
        self.stride = 2 if down else 1
        self.smooth = Smooth(padding=1 + kernel // 2) if down else nn.Identity()
        self.padding = (0 if down else kernel // 2) if padding is None else padding

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(N, c_in, H, W) -> (N, c_out, H, W), or half the size."""
        bias = None if self.bias is None else self.bias * self.bias_gain
        return conv2d(self.smooth(x), self.weight * self.weight_gain, bias, self.stride, self.padding)


class ModulatedConvolution(nn.Module):
    """A convolution whose weights are scaled by each picture's style, then normalized (equations 1 and 3).

    Separate weights ``w' = s_i w_ijk`` and ``w'' = w' / sqrt(sum_ik w'^2 + eps)`` for each picture would need a grouped
    convolution. Scaling the input channels by s and the output channels by the root is equivalent and shares the weights.

    Args:
        c_in: input channels.
        c_out: output channels.
        kernel: kernel size, odd.
        w_dim: dimension of w.
        up: doubles the size: a transposed convolution of stride 2, then a low-pass filter.
        noise: side of a constant picture of noise that is added to all output channels; None adds none.
        limit: see ``clamped``.
    """

    noise: torch.Tensor

    def __init__(
        self,
        c_in: int,
        c_out: int,
        kernel: int,
        w_dim: int,
        up: bool = False,
        noise: int | None = None,
        limit: float | None = None,
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(c_out, c_in, kernel, kernel))
        self.bias = nn.Parameter(torch.zeros(c_out))
        self.affine = Dense(w_dim, c_in, bias=1.0)
        self.scale = 1 / math.sqrt(c_in * kernel**2)
        self.padding = kernel // 2
        self.smooth = Smooth(gain=4.0) if up else None
        self.noise_strength = nn.Parameter(torch.zeros([])) if noise else None
        self.limit = limit
        if noise:
            self.register_buffer("noise", torch.randn(noise, noise))

    def style(self, w: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Factors of the channels in (N, c_in, 1, 1) and out (N, c_out, 1, 1) for w (N, w_dim), in the precision of w."""
        scales = self.affine(w) * self.scale
        norms = scales.square() @ self.weight.square().sum((2, 3)).T
        return scales[:, :, None, None], GAIN * (norms + 1e-8).rsqrt()[:, :, None, None]

    def forward(self, x: torch.Tensor, style: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
        """(N, c_in, H, W) and the result of ``style`` -> activations (N, c_out, H, W), or twice the size."""
        before, after = style
        x = x * before.to(x.dtype)
        if self.smooth is None:
            x = conv2d(x, self.weight, padding=self.padding)
        else:
            x = self.smooth(conv_transpose2d(x, self.weight.transpose(0, 1), stride=2))
        bias = (self.bias * GAIN)[:, None, None]
        if self.noise_strength is not None:
            bias = bias + self.noise * (self.noise_strength * GAIN)
        return clamped(leaky(torch.addcmul(bias.to(x.dtype), x, after.to(x.dtype))), self.limit)


class ToRGB(nn.Module):
    """A modulated 1x1 convolution to three channels, not normalized; ``limit``: see ``clamped``."""

    def __init__(self, c_in: int, w_dim: int, limit: float | None = None) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(3, c_in, 1, 1))
        self.bias = nn.Parameter(torch.zeros(3))
        self.affine = Dense(w_dim, c_in, bias=1.0)
        self.scale, self.limit = 1 / math.sqrt(c_in), limit

    def style(self, w: torch.Tensor) -> torch.Tensor:
        """Factors of the channels in (N, c_in, 1, 1) for w (N, w_dim)."""
        return self.affine(w)[:, :, None, None] * self.scale

    def forward(self, x: torch.Tensor, style: torch.Tensor) -> torch.Tensor:
        """(N, c_in, H, W) and the result of ``style`` -> (N, 3, H, W) in the precision of the weights."""
        return clamped(conv2d(x * style.to(x.dtype), self.weight, self.bias).to(self.weight.dtype), self.limit)
