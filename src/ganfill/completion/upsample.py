"""Draws the details of answers where a photo has more pixels than the model."""

from typing import Any

import numpy as np
import torch
from torch.nn.functional import interpolate

from ganfill.cancellation import check_cancelled
from ganfill.images.hole_parts import depth
from ganfill.images.regions import Region, make_view
from ganfill.models.inpainter import complete_averaged
from ganfill.models.model import Model

DEEP = 1 / 20  # of the region's side; in a hole of less depth the enlarged answer is closer
SCATTERED = 5  # pixels, the depth of holes of scattered pixels


@torch.no_grad()
def upsample(model: Model, photo: np.ndarray, hole: np.ndarray, region: Region, answers: torch.Tensor) -> torch.Tensor:
    """Completes a region at the resolution of the model's upsampler, with the enlarged answers as its guesses.

    Each answer is drawn alone, so that its bits do not depend on how many there are.

    Args:
        model: on any device.
        photo: uint8 (H, W, 3); the content of its hole is ignored.
        hole: bool (H, W), True where a pixel is missing.
        region: of the photo that the answers belong to.
        answers: float (n, 3, R, R) in [-1, 1].

    Returns:
        float (n, 3, R', R') with R' of the upsampler; ``answers`` if the model has none, if the region's size is closer
        to R than to R', or if the hole is not deep.
    """
    upsampler: Any = model.upsampler
    if upsampler is None or region.side**2 <= model.resolution * upsampler.resolution:
        return answers
    top, left, bottom, right = region.bounds(hole.shape)
    if depth(hole[top:bottom, left:right]) < max(DEEP * region.side, SCATTERED):
        return answers
    view = make_view(photo, hole, region, upsampler.resolution)
    image, known = view.image[None].to(model.device), (~view.hole)[None].float().to(model.device)
    drawn = []
    for answer in answers:
        check_cancelled()
        guess = interpolate(answer[None].to(model.device), size=image.shape[-2:], mode="bicubic")
        drawn.append(complete_averaged(upsampler, image, known, guess, shifted=False)[0].cpu())
    return torch.stack(drawn)
