"""Layers shared by architectures: spectral norm, and convolutions and filters that change the resolution.

A 3x3 convolution after nearest-neighbour upsampling by 2 equals one transposed 4x4 convolution, and a 3x3 convolution
before 2x2 averaging equals one 4x4 convolution with stride 2 (Karras et al. 2018, arXiv 1710.10196, appendix A). Both
need 4 multiplications where the plain form needs 9.
"""

import torch
from torch import nn
from torch.nn import functional

from ganfill.devices import without_autocast

RESOLUTIONS = (32, 64, 128, 256, 512, 1024)  # of all architectures


def widening(gain: float) -> torch.Tensor:
    """Returns the matrix (16, 9) that convolves a 3x3 kernel with a 2x2 box of sum ``gain``, into a 4x4 kernel."""
    line = torch.tensor([[1.0, 0, 0], [1, 1, 0], [0, 1, 1], [0, 0, 1]])
    return torch.kron(line, line) * (gain / 4)


def widen(kernel: torch.Tensor, matrix: torch.Tensor) -> torch.Tensor:
    """Applies a ``widening`` to kernels (A, B, 3, 3): returns (A, B, 4, 4) in channels-last memory."""
    a, b = kernel.shape[:2]
    taps = kernel.permute(0, 2, 3, 1).reshape(a, 9, b)
    return torch.bmm(matrix.expand(a, 16, 9), taps).view(a, 4, 4, b).permute(0, 3, 1, 2)


def divide_by_norm(weight: torch.Tensor, u: torch.Tensor, training: bool) -> torch.Tensor:
    """Divides a weight by an estimate of its largest singular value (Miyato et al. 2018, arXiv 1802.05957, algorithm 1).

    The matrix has one row for each output. One step of power iteration starts from ``u``; in training it also updates
    ``u``. It always runs in float32: two matrix-vector products, a negligible cost beside the convolution.

    Args:
        weight: (out, ...), of any memory format.
        u: (out,) of length 1, the current estimate of the first left singular vector.
        training: updates ``u``.
    """
    with without_autocast(weight):  # which would run these products in bfloat16 on CUDA
        # The order of columns does not change singular values; this one needs no copy in channels-last memory.
        matrix = weight.movedim(1, -1).flatten(1)
        with torch.no_grad():
            v = functional.normalize(torch.mv(matrix.T, u), dim=0)
        product = torch.mv(matrix, v)
        ahead = functional.normalize(product.detach(), dim=0)
        if training:
            u.copy_(ahead)
        return weight / torch.dot(ahead, product)


def first_vector(outputs: int) -> torch.Tensor:
    """Returns a random direction, the start of power iteration."""
    return functional.normalize(torch.randn(outputs), dim=0)


class SpectralConv2d(nn.Conv2d):
    """A convolution with spectral norm; its state is ``u``.

    ``torch.nn.utils.parametrizations.spectral_norm`` copies kernels in channels-last memory (four times as slow), needs
    three products instead of two, and cannot be pickled. Every forward pass in training mode takes one step of power
    iteration.
    """

    u: torch.Tensor

    def __init__(self, c_in: int, c_out: int, size: int, stride: int = 1, padding: int = 0) -> None:
        super().__init__(c_in, c_out, size, stride, padding)
        self.register_buffer("u", first_vector(c_out))

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        """(N, c_in, H, W) -> (N, c_out, H', W'), as ``nn.Conv2d``."""
        return self._conv_forward(input, divide_by_norm(self.weight, self.u, self.training), self.bias)


class SpectralDownConv2d(SpectralConv2d):
    """A 3x3 convolution with spectral norm merged with 2x2 averaging; the parameter is the 3x3 kernel."""

    widening: torch.Tensor

    def __init__(self, c_in: int, c_out: int) -> None:
        super().__init__(c_in, c_out, 3, padding=1)
        self.register_buffer("widening", widening(1.0), persistent=False)

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        """(N, c_in, H, W) -> (N, c_out, H/2, W/2)."""
        kernel = widen(divide_by_norm(self.weight, self.u, self.training), self.widening)
        return functional.conv2d(input, kernel, self.bias, stride=2, padding=1)


class SpectralLogit(nn.Linear):
    """Features (N, C) -> logits (N,), with spectral norm, always in float32."""

    u: torch.Tensor

    def __init__(self, c_in: int) -> None:
        super().__init__(c_in, 1)
        self.register_buffer("u", first_vector(1))

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        """Returns logits (N,)."""
        return (input * divide_by_norm(self.weight, self.u, self.training)).sum(1) + self.bias


class UpConv2d(nn.ConvTranspose2d):
    """Nearest-neighbour upsampling by 2 merged with a 3x3 convolution.

    The parameter is stored as in a transposed convolution: (c_in, c_out, 3, 3), mirrored in both directions.
    """

    widening: torch.Tensor

    def __init__(self, c_in: int, c_out: int) -> None:
        super().__init__(c_in, c_out, 3, padding=1)
        self.register_buffer("widening", widening(4.0), persistent=False)

    def forward(self, input: torch.Tensor, output_size: list[int] | None = None) -> torch.Tensor:
        """(N, c_in, H, W) -> (N, c_out, 2H, 2W)."""
        return functional.conv_transpose2d(input, widen(self.weight, self.widening), self.bias, stride=2, padding=1)


class Resample(nn.Module):
    """Halves or doubles square features with the filter [1, 3, 3, 1] (Karras et al. 2020, arXiv 1912.04958).

    Pixels beyond the border are 0. The filter is a linear map of rows and of columns: two matrix products, which take a
    sixth of a depthwise convolution's time in bfloat16 on a CPU.

    Args:
        size: height and width of the input.
        up: doubles the size instead of halving it.
    """

    matrix: torch.Tensor

    def __init__(self, size: int, up: bool = False) -> None:
        super().__init__()
        large = 2 * size if up else size
        halving = torch.zeros(large // 2, large + 2)
        for i in range(large // 2):
            halving[i, 2 * i : 2 * i + 4] = torch.tensor([1.0, 3, 3, 1]) / 8
        halving = halving[:, 1:-1]
        self.register_buffer("matrix", (2 * halving.T if up else halving).contiguous(), persistent=False)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """(N, C, H, H) -> (N, C, H/2, H/2) or (N, C, 2H, 2H), in channels-last memory."""
        n, c, h, w = features.shape
        m = len(self.matrix)
        rows = torch.bmm(self.matrix.expand(n, m, h), features.permute(0, 2, 3, 1).reshape(n, h, w * c))
        columns = torch.bmm(self.matrix.expand(n * m, m, w), rows.view(n * m, w, c))
        return columns.view(n, m, m, c).permute(0, 3, 1, 2)


class Staged(nn.Module):
    """A generator of ``stages``, the first at 4x4 and each later one twice as large, followed by ``to_rgb``."""

    stages: nn.Sequential
    to_rgb: nn.Module

    def forward(self, z: torch.Tensor) -> torch.Tensor:
        """Maps z (N, latent_dim) to pictures (N, 3, resolution, resolution)."""
        return self.forward_from(self.forward_until(z, 1), 1)

    def forward_until(self, z: torch.Tensor, stage: int) -> torch.Tensor:
        """Returns the features after the first ``stage`` stages: (N, C, 2^(stage + 1), 2^(stage + 1)), or z for stage 0."""
        return self.stages[:stage](z)

    def forward_from(self, features: torch.Tensor, stage: int) -> torch.Tensor:
        """Returns pictures from the features that ``forward_until`` returned for ``stage``."""
        return self.to_rgb(self.stages[stage:](features))


def can_split(generator: nn.Module) -> bool:
    """Returns True if the generator has the methods ``forward_until`` and ``forward_from``, see ``Staged``."""
    return hasattr(generator, "forward_until")


class StagedDiscriminator(nn.Module):
    """A discriminator of ``stages``, the last of which ends at 4x4, followed by ``to_logit``."""

    stages: nn.Sequential
    to_logit: nn.Module

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Returns logits (N,)."""
        return self.to_logit(self.features(images)).flatten()

    def features(self, images: torch.Tensor) -> torch.Tensor:
        """Returns the input of the last layer, (N, C, 4, 4)."""
        return self.stages(images)


def log2_of(resolution: int) -> int:
    """Returns 5 to 10; raises ``ValueError`` if the resolution is not a power of two from 32 to 1024."""
    if resolution not in RESOLUTIONS:
        raise ValueError(f"resolution must be a power of two from 32 to 1024, got {resolution}")
    return resolution.bit_length() - 1
