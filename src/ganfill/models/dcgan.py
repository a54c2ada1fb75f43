"""DCGAN as in PyTorch's example (Radford, Metz, Chintala 2016, arXiv 1511.06434).

The example, and so this file, differs from the paper: 4x4 kernels instead of 5x5, half the widths (512 instead of 1024
channels at 4x4), z ~ N(0, I) instead of U(-1, 1), a 4x4 convolution instead of a fully connected layer at either end,
and batch norm scales drawn from N(1, 0.02). The discriminator returns logits; the losses take the sigmoid.
"""

import math
from itertools import pairwise

import torch
from torch import nn

MAX_WIDTH = 512


def stage_widths(resolution: int, width: int) -> list[int]:
    """Channels at 4x4, 8x8, ... resolution/2: ``width`` at the largest, doubling towards 4x4, at most ``MAX_WIDTH``."""
    stages = int(math.log2(resolution)) - 2
    if resolution not in (32, 64, 128, 256):
        raise ValueError(f"resolution must be 32, 64, 128 or 256, not {resolution}")
    return [min(width << (stages - 1 - i), max(width, MAX_WIDTH)) for i in range(stages)]


def initialise(module: nn.Module) -> None:
    """Weights of convolutions ~ N(0, 0.02), scales of batch norms ~ N(1, 0.02), their shifts 0 (section 4)."""
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
        nn.init.normal_(module.weight, 0.0, 0.02)
    elif isinstance(module, nn.BatchNorm2d):
        nn.init.normal_(module.weight, 1.0, 0.02)
        nn.init.zeros_(module.bias)


class Generator(nn.Module):
    """Maps z of shape (N, latent_dim) to pictures (N, 3, resolution, resolution) in [-1, 1].

    Args:
        resolution: 32, 64, 128 or 256.
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
        self.apply(initialise)

    @staticmethod
    def _stage(c_in: int, c_out: int, stride: int, padding: int) -> nn.Sequential:
        return nn.Sequential(
            nn.ConvTranspose2d(c_in, c_out, 4, stride, padding, bias=False), nn.BatchNorm2d(c_out), nn.ReLU()
        )

    def forward(self, z: torch.Tensor) -> torch.Tensor:
        """Returns pictures (N, 3, resolution, resolution) in [-1, 1]."""
        return self.forward_from(self.forward_until(z, 1), 1)

    def forward_until(self, z: torch.Tensor, stage: int) -> torch.Tensor:
        """Returns the features of a stage.

        Args:
            z: (N, latent_dim).
            stage: the number of stages to go through.

        Returns:
            (N, C, 2^(stage + 1), 2^(stage + 1)), or z as (N, latent_dim, 1, 1) for stage 0.
        """
        return self.stages[:stage](z.flatten(1)[:, :, None, None])

    def forward_from(self, features: torch.Tensor, stage: int) -> torch.Tensor:
        """Pictures from what ``forward_until`` gave for that stage."""
        return self.to_rgb(self.stages[stage:](features))


class Discriminator(nn.Module):
    """Maps pictures (N, 3, resolution, resolution) in [-1, 1] to logits (N,), positive for real.

    Its batch norms couple the pictures of a training batch; evaluated, they use their running statistics.

    Args:
        resolution: 32, 64, 128 or 256.
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
        self.apply(initialise)

    @staticmethod
    def _stage(c_in: int, c_out: int) -> nn.Sequential:
        return nn.Sequential(nn.Conv2d(c_in, c_out, 4, 2, 1, bias=False), nn.BatchNorm2d(c_out), nn.LeakyReLU(0.2))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Returns logits (N,)."""
        return self.to_logit(self.features(images)).flatten()

    def features(self, images: torch.Tensor) -> torch.Tensor:
        """What the last layer judges by: (N, C, 4, 4)."""
        return self.stages(images)
