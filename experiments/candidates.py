"""Two other designs of an inpainter, trained by the same command as ``ganfill.models.inpainter.Inpainter``.

PYTHONPATH=experiments GANFILL_PLUGINS=candidates ganfill train-inpainter inpainter._target_=candidates.CoModulated ...

``compare_candidates.py`` compares all three.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, Self

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate, leaky_relu, pixel_shuffle, pixel_unshuffle

from ganfill.devices import without_autocast
from ganfill.model_io import model_file
from ganfill.models.encoder import Residual
from ganfill.models.inpainter import FOLD
from ganfill.models.modulated import GAIN, Dense, ModulatedConvolution, leaky


class Pyramid(nn.Module):
    """Residual blocks at R/2, R/4 and so on; returns the features of each resolution, the largest first.

    Args:
        channels: of the picture.
        widths: channels at each resolution.
        blocks: residual blocks at each resolution.
    """

    def __init__(self, channels: int, widths: Sequence[int], blocks: int) -> None:
        super().__init__()
        self.from_pixels = nn.Conv2d(channels * FOLD**2, widths[0], 3, 1, 1)
        self.stages = nn.ModuleList(nn.Sequential(*(Residual(width) for _ in range(blocks))) for width in widths)
        self.down = nn.ModuleList(nn.Conv2d(wide, narrow, 3, 2, 1) for wide, narrow in pairwise(widths))

    def forward(self, picture: Tensor) -> list[Tensor]:
        """(N, channels, R, R) -> features (N, width, R/2, R/2) and so on."""
        features = [self.stages[0](self.from_pixels(pixel_unshuffle(picture, FOLD)))]
        for down, stage in zip(self.down, self.stages[1:], strict=True):
            features.append(stage(down(features[-1])))
        return features


class ModulatedGenerator(nn.Module):
    """A trained generator whose features the surroundings scale and shift; at first it returns the guess.

    The encoder finds z of the guess. At 8, 16 and 32 pixels, features of the guess and of what is known scale and shift
    those of G(z), as in GFP-GAN (Wang et al. 2021, arXiv 2101.04061). The layers that compute both start at zero, as in
    ControlNet (Zhang et al. 2023, arXiv 2302.05543). The answer is the guess plus the change of the generator's picture,
    since G(z) is not exactly the guess. Generator and encoder are copies of the model's, and stay as they are.

    Args:
        resolution: R, that of the model.
        model: a DCGAN with an encoder.
        widths: channels of the surroundings' features at R/2, R/4 and so on, at most one for each stage of the generator
            after the first.
        blocks: residual blocks at each resolution.
        guess: true; this design needs a guess.
    """

    def __init__(
        self,
        resolution: int = 64,
        model: str = "faces64",
        widths: Sequence[int] = (32, 64, 112),
        blocks: int = 2,
        guess: bool = True,
    ) -> None:
        super().__init__()
        trained = model_file.load(model)
        stages: Any = trained.generator.stages
        if trained.resolution != resolution or trained.encoder is None or not guess or len(widths) >= len(stages):
            raise ValueError(
                f"model={model} needs an encoder, resolution={resolution}, {len(widths)} stages and guesses"
            )
        self.resolution, self.guess = resolution, guess
        self.generator, self.encoder = trained.generator, trained.encoder
        self.pyramid = Pyramid(7, widths, blocks)
        sizes = [stage[0].out_channels for stage in list(stages)[: -len(widths) - 1 : -1]]
        self.modulation = nn.ModuleList(
            nn.Conv2d(width, 2 * size, 1) for width, size in zip(widths, sizes, strict=True)
        )
        for layer in self.modulation:
            for parameter in layer.parameters():
                nn.init.zeros_(parameter)

    def train(self, mode: bool = True) -> Self:
        """Leaves generator and encoder in evaluation mode, so that their batch norm stays as it is."""
        super().train(mode)
        self.generator.eval()
        self.encoder.eval()
        return self

    def forward(self, image: Tensor, known: Tensor, guess: Tensor) -> Tensor:
        """Completes pictures, see ``Inpainter.forward``."""
        generator: Any = self.generator
        inside, first = known > 0, len(generator.stages) - len(self.modulation)
        with torch.no_grad():
            features = generator.forward_until(self.encoder(guess, torch.ones_like(known)), first)
            unchanged = generator.forward_from(features, first)
        pasted = torch.where(inside, image, guess)
        around = self.pyramid(torch.cat([pasted, guess, known - 0.5], 1))
        for stage, layer in zip(generator.stages[first:], reversed(self.modulation), strict=True):
            scale, shift = layer(leaky_relu(around.pop(), 0.2)).chunk(2, 1)
            features = stage(features)
            features = features + features * scale + shift
        change = generator.to_rgb(features).float() - unchanged.float()
        return torch.where(inside, pasted, pasted + change.to(pasted.dtype))


class CoModulated(nn.Module):
    """CoModGAN (Zhao et al. 2021, arXiv 2103.10428) at small size.

    A pyramid encodes picture and hole. Its last features and a mapped z together are the style of a modulated decoder,
    which gets all its features as skips. In the paper z is random; here a small network reads it from the guess, so that a
    search of z still selects among different completions. Nothing else sees the guess. The decoder ends at R/2, where a
    convolution draws all pixels.

    Args:
        resolution: R, a multiple of 2^(number of widths).
        widths: channels at R/2, R/4 and so on.
        blocks: residual blocks of the pyramid at each resolution.
        latent_dim: dimension of z.
        w_dim: dimension of each half of the style.
        guess: true; this design needs a guess.
    """

    def __init__(
        self,
        resolution: int = 64,
        widths: Sequence[int] = (40, 80, 144, 208),
        blocks: int = 1,
        latent_dim: int = 100,
        w_dim: int = 128,
        guess: bool = True,
    ) -> None:
        super().__init__()
        smallest = resolution // FOLD ** len(widths)
        if resolution % FOLD ** len(widths) or resolution % 16 or not guess:
            raise ValueError(f"resolution {resolution} cannot be halved {len(widths)} times, or there is no guess")
        self.resolution, self.guess, style = resolution, guess, 2 * w_dim
        self.pyramid = Pyramid(4, widths, blocks)
        self.to_style = nn.Conv2d(widths[-1], w_dim, smallest)
        self.to_latent = nn.Sequential(
            *(nn.PixelUnshuffle(4), nn.Conv2d(48, 64, 3, 2, 1, bias=False), nn.BatchNorm2d(64), nn.LeakyReLU(0.2)),
            *(nn.Conv2d(64, 128, 3, 2, 1, bias=False), nn.BatchNorm2d(128), nn.LeakyReLU(0.2)),
            *(nn.Conv2d(128, latent_dim, resolution // 16), nn.Flatten(1)),
        )
        self.mapping = nn.ModuleList(Dense(size, w_dim, gain=GAIN) for size in (latent_dim, w_dim))
        self.convolutions = nn.ModuleList(
            nn.ModuleList(ModulatedConvolution(width, width, 3, style) for _ in range(2)) for width in widths
        )
        self.up = nn.ModuleList(nn.Conv2d(narrow, wide, 1) for wide, narrow in pairwise(widths))
        self.skip = nn.ModuleList(nn.Conv2d(width, width, 1) for width in widths)
        self.to_pixels = nn.Conv2d(widths[0], 3 * FOLD**2, 3, 1, 1)

    def forward(self, image: Tensor, known: Tensor, guess: Tensor) -> Tensor:
        """Completes pictures, see ``Inpainter.forward``."""
        inside = known > 0
        around = self.pyramid(torch.cat([torch.where(inside, image, torch.zeros_like(image)), known - 0.5], 1))
        surroundings, w = self.to_style(leaky_relu(around[-1], 0.2)).flatten(1), self.to_latent(guess)
        with without_autocast(w):  # styles are cheap, and each scales a whole channel
            w = w.float()
            w = w * (w.square().mean(1, keepdim=True) + 1e-8).rsqrt()
            for layer in self.mapping:
                w = leaky(layer(w))
            style = torch.cat([surroundings.float(), w], 1)
            layers: Any = self.convolutions
            styles = [[layer.style(style) for layer in stage] for stage in layers]
        features = None
        for i in reversed(range(len(around))):
            before, skipped = features, self.skip[i](around[i])
            features = skipped if before is None else interpolate(self.up[i](before), scale_factor=2.0) + skipped
            for layer, factors in zip(layers[i], styles[i], strict=True):
                features = layer(features, factors)
        assert features is not None
        pictures = pixel_shuffle(self.to_pixels(features), FOLD)
        return torch.where(inside, image, pictures.to(image.dtype))
