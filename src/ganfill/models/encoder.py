"""Encoder: predicts the latent vector of a damaged picture in one pass, as the start of a search.

Its input is the known pixels and the mask of known pixels, as in Lahiri et al. 2020 (arXiv 1908.05861,
"prior guided GAN inpainting").
"""

import math
from itertools import pairwise

import torch
from torch import nn

from ganfill.models.dcgan import stage_widths


class Residual(nn.Module):
    """Two 3x3 convolutions with a skip connection."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.convolutions = nn.Sequential(
            *(nn.Conv2d(width, width, 3, 1, 1, bias=False), nn.BatchNorm2d(width), nn.LeakyReLU(0.2)),
            *(nn.Conv2d(width, width, 3, 1, 1, bias=False), nn.BatchNorm2d(width)),
        )

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Returns features of the same shape."""
        return features + self.convolutions(features)


class Encoder(nn.Module):
    """Maps pictures with holes to latent vectors.

    Args:
        resolution: R, a power of two from 32 to 1024.
        latent_dim: dimension of z.
        width: channels of the first stage; they double towards 4x4, up to 512.
    """

    def __init__(self, resolution: int = 64, latent_dim: int = 100, width: int = 48) -> None:
        super().__init__()
        self.resolution, self.latent_dim = resolution, latent_dim
        widths = [4, *stage_widths(resolution, width)[::-1]]
        stages = []
        for i, (c, c_next) in enumerate(pairwise(widths)):
            stages += [nn.Conv2d(c, c_next, 4, 2, 1, bias=False), nn.BatchNorm2d(c_next), nn.LeakyReLU(0.2)]
            if 0 < i < len(widths) - 2:
                stages.append(Residual(c_next))
        self.stages = nn.Sequential(*stages)
        # A 4x4 convolution rather than a linear layer, because model files store convolutions in 16 bits.
        self.to_latent = nn.Conv2d(widths[-1], latent_dim, 4)
        nn.init.normal_(self.to_latent.weight, 0, 1 / math.sqrt(16 * widths[-1]))

    def forward(self, image: torch.Tensor, known: torch.Tensor) -> torch.Tensor:
        """Predicts latent vectors.

        Args:
            image: (N, 3, R, R) in [-1, 1], 0 in the hole.
            known: (N, 1, R, R), 1 where a pixel is known and 0 in the hole.

        Returns:
            z, (N, latent_dim).
        """
        return self.to_latent(self.stages(torch.cat([image, known - 0.5], 1))).flatten(1)
