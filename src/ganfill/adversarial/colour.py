"""Colour transformations, one per sample; at neutral values pictures stay bit-identical.

Pictures are (N, 3, H, W), parameters (N,). No matrix products are used, which a GPU may round to TF32.
"""

import math

import torch
from torch import Tensor


def _wide(values: Tensor) -> Tensor:
    return values[:, None, None, None]


def jitter(images: Tensor, brightness: Tensor, saturation: Tensor, contrast: Tensor) -> Tensor:
    """Applies brightness, saturation and contrast in the order of DiffAugment (arXiv 2006.10738).

    ``brightness`` is added; ``saturation`` scales a pixel's distance from its grey (the mean of its channels),
    ``contrast`` a picture's distance from its mean. Saturation keeps the mean, so the result is
    contrast (saturation x + (1 - saturation) grey) + (1 - contrast) mean + brightness.
    """
    grey = images.mean(1, keepdim=True)
    mean = grey.mean((2, 3), keepdim=True)
    flat = _wide(contrast * (1 - saturation)) * grey + (_wide(1 - contrast) * mean + _wide(brightness))
    return torch.addcmul(flat, images, _wide(contrast * saturation))


def matrix(
    brightness: Tensor, contrast: Tensor, luma_flip: Tensor, hue: Tensor, saturation: Tensor
) -> tuple[Tensor, Tensor]:
    """Combines ADA's five colour transformations into one affine map of RGB (arXiv 2006.06676, appendix B).

    With v = (1, 1, 1) / sqrt(3) the grey axis, P = v v^T and K the cross product with v, they are: x + brightness;
    contrast x; (I - 2 P) x where ``luma_flip`` is 1; rotation by ``hue`` about v; P x + saturation (I - P) x. All but
    the first are sums of P, I - P and K and commute.

    Returns:
        ``linear`` (N, 3, 3) and ``offset`` (N,), the same for each channel.
    """
    eye = torch.eye(3, device=hue.device, dtype=hue.dtype)
    luma = torch.full_like(eye, 1 / 3)
    cross = (eye.roll(1, 0) - eye.roll(-1, 0)) / math.sqrt(3)
    kept = 1 - 2 * luma_flip
    around, sideways = saturation * hue.cos() - kept, saturation * hue.sin()
    linear = kept[:, None, None] * eye + around[:, None, None] * (eye - luma) + sideways[:, None, None] * cross
    return contrast[:, None, None] * linear, contrast * kept * brightness


def recolour(images: Tensor, linear: Tensor, offset: Tensor) -> Tensor:
    """Computes ``linear @ pixel + offset`` for every pixel; ``linear`` (N, 3, 3), ``offset`` (N,)."""
    result = _wide(offset)
    for channel in range(3):
        result = torch.addcmul(result, images[:, channel, None], linear[:, :, channel, None, None])
    return result
