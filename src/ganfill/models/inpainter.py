"""Inpainter: a conditional generator that fills a hole from a guess of the search and from everything around it.

The guess, a picture G(z), decides what is drawn; the surroundings decide how it continues them. So z still selects among
different completions, and every search of z works with an inpainter as without one.
"""

from collections.abc import Callable, Sequence
from functools import partial
from itertools import pairwise

import torch
from torch import nn
from torch.nn.functional import adaptive_avg_pool2d, interpolate, leaky_relu, pad, pixel_shuffle, pixel_unshuffle

from ganfill.models.encoder import Residual

FOLD = 2  # convolutions at full resolution would take most of the time


class Inpainter(nn.Module):
    """U-Net (Ronneberger et al. 2015, arXiv 1505.04597) that corrects a guess in the hole; at first it returns the guess.

    Args:
        resolution: R, a multiple of 2^(number of widths).
        widths: channels at R/2, R/4 and so on.
        blocks: residual blocks at each resolution, on either side.
        guess: true uses the guess; false replaces it by grey, so that the surroundings alone decide.
    """

    def __init__(
        self, resolution: int = 64, widths: Sequence[int] = (32, 64, 112, 160), blocks: int = 2, guess: bool = True
    ) -> None:
        super().__init__()
        if not widths or resolution % (FOLD ** len(widths)):
            raise ValueError(f"resolution {resolution} cannot be halved {len(widths)} times, once for each of widths")
        self.resolution, self.guess = resolution, guess

        def stages(widths: Sequence[int]) -> nn.ModuleList:
            return nn.ModuleList(nn.Sequential(*(Residual(width) for _ in range(blocks))) for width in widths)

        pairs = list(pairwise(widths))
        self.from_pixels = nn.Conv2d(7 * FOLD**2, widths[0], 3, 1, 1)
        self.encoder, self.decoder = stages(widths), stages(widths[:-1])
        self.down = nn.ModuleList(nn.Conv2d(wide, narrow, 3, 2, 1) for wide, narrow in pairs)
        self.up = nn.ModuleList(nn.Conv2d(narrow, wide, 1) for wide, narrow in pairs)
        self.skip = nn.ModuleList(nn.Conv2d(wide, wide, 1) for wide, _ in pairs)
        self.to_pixels = nn.Conv2d(widths[0], 3 * FOLD**2, 3, 1, 1)
        nn.init.zeros_(self.to_pixels.weight)
        nn.init.zeros_(self.to_pixels.bias)  # pyright: ignore[reportArgumentType]

    def forward(self, image: torch.Tensor, known: torch.Tensor, guess: torch.Tensor) -> torch.Tensor:
        """Completes pictures.

        Args:
            image: (N, 3, R, R) in [-1, 1]; the content of the hole is ignored.
            known: (N, 1, R, R), 1 where a pixel is known and 0 in the hole.
            guess: (N, 3, R, R), a complete picture.

        Returns:
            (N, 3, R, R), equal to ``image`` where pixels are known.
        """
        inside = known > 0
        if not self.guess:
            guess = torch.zeros_like(guess)
        pasted = torch.where(inside, image, guess)
        features = self.from_pixels(pixel_unshuffle(torch.cat([pasted, guess, known - 0.5], 1), FOLD))
        skipped = []
        for stage, down in zip(self.encoder, self.down, strict=False):
            skipped.append(stage(features))
            features = down(skipped[-1])
        features = self.encoder[-1](features)
        for up, skip, stage in reversed(list(zip(self.up, self.skip, self.decoder, strict=True))):
            features = stage(interpolate(up(features), scale_factor=2.0) + skip(skipped.pop()))
        correction = pixel_shuffle(self.to_pixels(leaky_relu(features, 0.2)), FOLD)
        return torch.where(inside, pasted, pasted + correction.to(pasted.dtype))


def complete_averaged(
    inpainter: Callable[..., torch.Tensor],
    image: torch.Tensor,
    known: torch.Tensor,
    guess: torch.Tensor,
    shifted: bool = True,
) -> torch.Tensor:
    """Completes pictures as they are, mirrored, shifted by a pixel, and both; returns the mean of the four.

    What all contain stays, such as eyes. Texture that the inpainter invents differs between them and is weakened, as by
    cycle spinning (Coifman and Donoho 1995).

    Args:
        inpainter: maps the arguments of ``Inpainter`` to its result.
        image: (N, 3, R, R) in [-1, 1]; the content of the hole is ignored.
        known: (N, 1, R, R), 1 where a pixel is known and 0 in the hole.
        guess: (N, 3, R, R), a complete picture.
        shifted: false leaves out the shifted copies, which also weaken fine detail.

    Returns:
        (N, 3, R, R), equal to ``image`` where pixels are known.
    """
    inputs = image, known, guess
    complete = partial(_averaged_with_shifted, inpainter) if shifted else inpainter
    return (complete(*inputs) + complete(*(i.flip(3) for i in inputs)).flip(3)) / 2


def _averaged_with_shifted(inpainter: Callable[..., torch.Tensor], *inputs: torch.Tensor) -> torch.Tensor:
    """Returns the mean of the completions of pictures and of their copies shifted down and to the right by a pixel."""
    completed = inpainter(*inputs)
    shifted = inpainter(*(pad(i[..., :-1, :-1], (1, 0, 1, 0), "replicate") for i in inputs))
    mean = completed.clone()  # its last row and column were shifted out of the picture
    mean[..., :-1, :-1] = (completed[..., :-1, :-1] + shifted[..., 1:, 1:]) / 2
    return mean


class HoleDiscriminator(nn.Module):
    """A discriminator of completed pictures that also sees the hole, so that it can judge the seam.

    Its logit is the sum of two: that of ``discriminator`` for the whole, and the mean logit of the patches in the hole
    (Isola et al. 2017, arXiv 1611.07004), which judge texture and what a small hole hides. A 1x1 convolution maps the
    picture and the hole to three channels for ``discriminator``. At first the sum is the logit of ``discriminator`` for the
    picture, so ``discriminator`` may be trained already.

    Args:
        discriminator: pictures (N, 3, R, R) -> logits (N,).
    """

    def __init__(self, discriminator: nn.Module) -> None:
        super().__init__()
        self.discriminator = discriminator
        self.merge = nn.Conv2d(4, 3, 1)
        self.patches = nn.Sequential(  # a logit sees 20x20 pixels
            *(nn.Conv2d(4, 32, 3, 1, 1), nn.LeakyReLU(0.2)),
            *(nn.Conv2d(32, 64, 4, 2, 1), nn.LeakyReLU(0.2)),
            *(nn.Conv2d(64, 128, 4, 2, 1), nn.LeakyReLU(0.2)),
            nn.Conv2d(128, 1, 3, 1, 1),
        )
        with torch.no_grad():
            self.merge.weight.copy_(torch.eye(3, 4)[:, :, None, None])
            for tensor in (self.merge.bias, *self.patches[-1].parameters()):
                nn.init.zeros_(tensor)  # pyright: ignore[reportArgumentType]

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        """Maps pictures and holes (N, 4, R, R), the hole being the last channel, to logits (N,)."""
        return self.discriminator(self.merge(pictures)) + self.in_hole(pictures)

    def features(self, pictures: torch.Tensor) -> list[torch.Tensor]:
        """Returns what the layers ``nn.LeakyReLU`` of both parts give for the same pictures and holes, each (N, C, H, W).

        A discriminator that calls the function instead, such as ``r3gan``, adds nothing; the patches always do.
        """
        found: list[torch.Tensor] = []
        rectified = [module for module in self.modules() if isinstance(module, nn.LeakyReLU)]
        hooks = [module.register_forward_hook(lambda *call: found.append(call[2])) for module in rectified]
        try:
            self(pictures)
        finally:
            for hook in hooks:
                hook.remove()
        return [features for features in found if features.ndim == 4]  # not those behind a linear layer

    def in_hole(self, pictures: torch.Tensor) -> torch.Tensor:
        """Returns the mean logits (N,) of the patches in the hole, for the same pictures and holes."""
        logits = self.patches(pictures)
        hole = adaptive_avg_pool2d(pictures[:, 3:], logits.shape[2:])
        return (logits * hole).sum((1, 2, 3)) / hole.sum((1, 2, 3)).clamp_min(1e-3)
