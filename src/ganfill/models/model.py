"""A trained model: its networks and what completion needs to know about them."""

import copy
from dataclasses import dataclass, replace
from typing import Any, Self, cast

import torch
from torch import nn

from ganfill.models.latent import Normal, Uniform

OPTIONAL = ("encoder", "inpainter", "upsampler")  # networks that are trained after the GAN
NETWORKS = ("generator", "discriminator", *OPTIONAL)


@dataclass(repr=False)
class Model:
    """A trained GAN, ready for completion: networks in eval mode, their parameters frozen.

    Attributes:
        generator: z (N, d) -> pictures (N, 3, R, R) in [-1, 1].
        discriminator: pictures -> logits (N,); None for an imported or wrapped generator without one.
        latent: the prior of z in training.
        resolution: R.
        logit_centre: mean logit of real pictures at the end of training, the zero of a prior term.
        mean_picture: (3, R, R) in [-1, 1], the mean of the training pictures.
        encoder: known pixels and their mask -> z, see ``ganfill.models.encoder``; None without one.
        inpainter: known pixels, their mask and a guess -> completed pictures, see ``ganfill.models.inpainter``; None
            without one.
        upsampler: an inpainter of a higher resolution, a multiple of R, that draws the details of an answer where a photo
            has more pixels than the model; None without one.
        card: architecture, prior and provenance as plain values.
        digest: SHA-256 of the file's content, 64 hex digits.
    """

    generator: nn.Module
    discriminator: nn.Module | None
    latent: Normal | Uniform
    resolution: int
    logit_centre: float
    mean_picture: torch.Tensor
    card: dict[str, Any]
    digest: str = ""
    encoder: nn.Module | None = None
    inpainter: nn.Module | None = None
    upsampler: nn.Module | None = None

    def __repr__(self) -> str:
        family = type(self.generator).__module__.rpartition(".")[2]
        further = "".join(f"{name}, " for name in OPTIONAL if getattr(self, name) is not None)
        return f"Model({family}, resolution={self.resolution}, latent={self.latent}, {further}{self.device})"

    def to(self, device: torch.device | str) -> Self:
        """Returns a copy of the model on ``device``; this model stays where it is."""
        networks = {name: network for name in NETWORKS if (network := getattr(self, name)) is not None}
        copies: dict[str, Any] = {name: copy.deepcopy(network).to(device) for name, network in networks.items()}
        return replace(self, mean_picture=self.mean_picture.to(device), **copies)

    @property
    def finest_resolution(self) -> int:
        """The resolution of the upsampler, or R without one."""
        return self.resolution if self.upsampler is None else cast(Any, self.upsampler).resolution

    @property
    def device(self) -> torch.device:
        """Device of the networks."""
        return next(self.generator.parameters()).device
