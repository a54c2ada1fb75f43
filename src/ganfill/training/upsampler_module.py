"""Training of the upsampler, which draws the answers of a model with more pixels; the model is fixed."""

from dataclasses import replace
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, interpolate, max_pool2d

from ganfill.images import masks
from ganfill.models.inpainter import complete_averaged
from ganfill.models.model import Model
from ganfill.training.inpainter_module import InpainterTraining


class UpsamplerTraining(InpainterTraining):
    """Trains an inpainter of a higher resolution, whose guesses are the enlarged answers of a model.

    A step hides a deep hole in each real picture and reduces the picture to the model's size. The model completes it as in
    ``InpainterTraining``, its own inpainter included; this answer is the guess.

    Args:
        upsampler: see ``ganfill.models.inpainter``.
        discriminator: of pictures of the upsampler's resolution; it is trained as well.
        model: gives the answers.
        options: of ``InpainterTraining``.

    Raises:
        UserError: as ``InpainterTraining``.
    """

    HOLES = (masks.center, masks.half, masks.box, masks.bar, masks.freeform)
    SHIFTED = False

    def __init__(self, upsampler: nn.Module, discriminator: nn.Module, model: Model, **options: Any) -> None:
        super().__init__(upsampler, replace(model, discriminator=discriminator), **options)
        self.search = partial(options["search"], replace(model, inpainter=None))  # with the model's own discriminator
        for name in ("discriminator", "inpainter"):
            if (network := getattr(model, name)) is not None:
                self.fixed[name] = network

    def _draw_guesses(self, real: Tensor, hole: Tensor, jittered: bool) -> Tensor:
        """Returns guesses (N, 3, R, R) for pictures with a hole, float (N, 1, R, R) and 1 where a pixel is missing."""
        small, missing = reduce(real, hole, real.shape[-1] // self.resolution)
        guess = super()._draw_guesses(small, missing, jittered)
        if (inpainter := self.fixed.get("inpainter")) is not None:
            with torch.no_grad():
                guess = complete_averaged(inpainter, small, 1 - missing, guess).float()
        return interpolate(guess, size=real.shape[-2:], mode="bicubic")


def reduce(real: Tensor, hole: Tensor, factor: int) -> tuple[Tensor, Tensor]:
    """Reduces pictures (N, 3, R, R) and holes (N, 1, R, R) as views of photos are: a small pixel averages known ones.

    It is missing, 1 in the second result, if any of its pixels is; the first result is 0 there.
    """
    missing = max_pool2d(hole, factor)
    return avg_pool2d(real, factor) * (1 - missing), missing
