"""DCGAN with a discriminator that treats each picture independently: no batch norm, optional spectral norm.

The generator is that of ``ganfill.models.dcgan``. Without batch norm in the discriminator, gradient penalties match
their papers, and a search can evaluate a single picture. Biases replace batch norm's shifts.
"""

from itertools import pairwise

from torch import nn

from ganfill.models.dcgan import stage_widths
from ganfill.models.layers import SpectralConv2d, StagedDiscriminator


class Discriminator(StagedDiscriminator):
    """Maps pictures (N, 3, resolution, resolution) in [-1, 1] to logits (N,), positive for real.

    Args:
        resolution: a power of two from 32 to 1024.
        width: channels of the first stage; they double towards 4x4, up to 512.
        spectral: divide every kernel by its largest singular value (Miyato et al. 2018, arXiv 1802.05957); see
            ``ganfill.models.layers.SpectralConv2d``.
    """

    def __init__(self, resolution: int = 64, width: int = 64, spectral: bool = False) -> None:
        super().__init__()
        widths = [3, *stage_widths(resolution, width)[::-1]]
        self.resolution = resolution
        convolution = SpectralConv2d if spectral else nn.Conv2d
        layers: list[nn.Module] = []
        for c, c_next in pairwise(widths):
            layers += [convolution(c, c_next, 4, 2, 1), nn.LeakyReLU(0.2, inplace=True)]
        self.stages = nn.Sequential(*layers)
        self.to_logit = convolution(widths[-1], 1, 4)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                # Nothing normalizes the activations, so initialization must keep their variance (He et al. 2015).
                nn.init.kaiming_normal_(module.weight, 0.2)
                nn.init.zeros_(module.bias)  # pyright: ignore[reportArgumentType]
