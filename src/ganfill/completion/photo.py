"""Photos of any size in front of a model of one size.

The model sees a square of the photo, scaled down so that nothing of the hole leaks into a known pixel; its answer is
scaled up again and blended into the hole at the photo's own size.
"""

import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps
from torch.nn.functional import interpolate

from ganfill import pixels
from ganfill.completion.blend import Blend
from ganfill.errors import UserError


@dataclass(frozen=True)
class Photo:
    """A picture as people have it, turned upright.

    Attributes:
        pixels: uint8 (H, W, 3).
        alpha: uint8 (H, W), or None for a picture without transparency.
        profile: its ICC profile, to be kept.
    """

    pixels: np.ndarray
    alpha: np.ndarray | None = None
    profile: bytes | None = None

    @classmethod
    def of(cls, picture: Image.Image) -> "Photo":
        """Takes any Pillow picture; the EXIF orientation is applied, an animation gives its first frame."""
        profile = picture.info.get("icc_profile") if picture.mode in ("RGB", "RGBA", "P", "PA") else None
        upright = ImageOps.exif_transpose(picture)
        if upright.mode == "F":
            raise ValueError("floating-point pixels: save it with 8 or 16 bits")
        if upright.mode.startswith("I"):  # Pillow clips 16 bits to 8 instead of scaling them
            upright = Image.fromarray((np.asarray(upright).clip(0, 65535) / 257).round().astype(np.uint8))
        if not upright.has_transparency_data:
            return cls(np.array(upright.convert("RGB")), None, profile)
        rgba = np.array(upright.convert("RGBA"))
        return cls(rgba[..., :3].copy(), rgba[..., 3].copy(), profile)

    @classmethod
    def read(cls, path: Path) -> "Photo":
        """Reads a file.

        Raises:
            UserError: it is no picture, damaged, of floating-point pixels, or larger than Pillow deems safe.
        """
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error", Image.DecompressionBombWarning)
                with Image.open(path) as picture:
                    return cls.of(picture)
        except Exception as error:  # Pillow's decoders raise nearly everything on damaged files
            reason = "no picture that Pillow knows" if isinstance(error, Image.UnidentifiedImageError) else str(error)
            raise UserError(f"{path} cannot be read ({reason}): replace it or leave it out") from None


@dataclass(frozen=True)
class View:
    """What a model sees of a photo.

    Attributes:
        box: (top, left, bottom, right) of the square in the photo; it holds the whole hole.
        image: float (3, R, R) in [-1, 1], 0 in the hole.
        hole: bool (1, R, R); a small pixel is known only if all the photo's pixels that fall into it are.
    """

    box: tuple[int, int, int, int]
    image: torch.Tensor
    hole: torch.Tensor


def choose_box(hole: np.ndarray) -> tuple[int, int, int, int]:
    """The part of a photo to show: the largest square in the middle, slid along the longer side as far as the hole needs.

    If no such square holds the whole hole, it is the whole photo, which the model then sees squeezed.

    Args:
        hole: bool (H, W), True somewhere.

    Returns:
        (top, left, bottom, right).
    """
    height, width = hole.shape
    side = min(height, width)
    rows, columns = np.nonzero(hole.any(1))[0], np.nonzero(hole.any(0))[0]
    corner = []
    for length, used in ((height, rows), (width, columns)):
        if used[-1] - used[0] >= side:
            return 0, 0, height, width
        begin = (length - side) // 2
        corner.append(min(max(begin, int(used[-1]) + 1 - side), int(used[0])))
    return corner[0], corner[1], corner[0] + side, corner[1] + side


def look(photo: np.ndarray, hole: np.ndarray, resolution: int) -> View:
    """Scales the chosen part of a photo down (or up) to a model's resolution.

    Args:
        photo: uint8 (H, W, 3); what its hole holds plays no part.
        hole: bool (H, W), True somewhere.
        resolution: R.
    """
    box = choose_box(hole)
    part, missing = _cut(photo, box), _cut(hole, box)
    known = (~missing)[..., None].astype(np.float64)
    rows, columns = (_overlap(length, resolution) for length in missing.shape)
    # Colours are weighted by what is known of each pixel, so that the hole has no share in the mean.
    colours = np.einsum("yi,ijc,xj->yxc", rows, part * known, columns, optimize=True)
    share = np.einsum("yi,ijc,xj->yxc", rows, known, columns, optimize=True)
    small = torch.from_numpy(np.where(share > 0, colours / np.maximum(share, 1e-12), 0)).float()
    small_hole = torch.from_numpy(_any_inside(missing, resolution))[None]
    image = torch.where(small_hole, 0.0, pixels.to_float(small))
    return View(box, image, small_hole)


def finish(
    answer: torch.Tensor, photo: np.ndarray, hole: np.ndarray, box: tuple[int, int, int, int], blend: Blend
) -> np.ndarray:
    """Scales an answer to the photo's size and blends it into the hole.

    Args:
        answer: float (3, R, R) in [-1, 1].
        photo: uint8 (H, W, 3).
        hole: bool (H, W).
        box: of the view that was answered.
        blend: ``(filled, image, hole) -> picture``.

    Returns:
        uint8 (H, W, 3), equal to the photo outside the hole.
    """
    top, left, bottom, right = box
    size = bottom - top, right - left
    if answer.shape[1:] != size:
        answer = interpolate(answer[None], size=size, mode="bicubic", antialias=True)[0]
    # A hole at the edge of the box has to meet the known pixels beyond it as well.
    outer = max(top - 1, 0), max(left - 1, 0), min(bottom + 1, hole.shape[0]), min(right + 1, hole.shape[1])
    margins = (top - outer[0], outer[2] - bottom), (left - outer[1], outer[3] - right), (0, 0)
    filled = np.pad(pixels.to_uint8(answer).numpy(), margins, mode="edge")
    finished = photo.copy()
    _cut(finished, outer)[...] = blend(filled, _cut(photo, outer), _cut(hole, outer))
    return finished


def with_alpha(picture: np.ndarray, photo: Photo, hole: np.ndarray) -> np.ndarray:
    """Gives a finished picture the transparency of its photo, but for the hole: uint8 (H, W, 4), or 3 if all is opaque."""
    if photo.alpha is None:
        return picture
    alpha = np.where(hole, np.uint8(255), photo.alpha)
    return picture if alpha.min() == 255 else np.dstack([picture, alpha])


def enlarge(hole: np.ndarray, height: int, width: int) -> np.ndarray:
    """Gives a hole another size; each pixel takes the value of the one its centre falls into."""
    rows, columns = (_bins(length, small) for length, small in zip((height, width), hole.shape, strict=True))
    return hole[rows[:, None], columns[None, :]]


def has_picture_suffix(path: Path) -> bool:
    """True if the file's name ends like those of a format that can be read."""
    return Image.registered_extensions().get(path.suffix.lower()) in Image.OPEN


def _cut(array: np.ndarray, box: tuple[int, int, int, int]) -> np.ndarray:
    top, left, bottom, right = box
    return array[top:bottom, left:right]


def _bins(length: int, resolution: int) -> np.ndarray:
    """For each of ``length`` pixels, the one of ``resolution`` pixels that its centre falls into."""
    return ((2 * np.arange(length) + 1) * resolution) // (2 * length)


def _any_inside(missing: np.ndarray, resolution: int) -> np.ndarray:
    """True where one of the pixels that fall into a small pixel is missing; bool (resolution, resolution)."""
    for axis, length in enumerate(missing.shape):
        if length < resolution:
            missing = missing.take(_bins(resolution, length), axis)
        else:
            begins = np.searchsorted(_bins(length, resolution), np.arange(resolution))
            missing = np.logical_or.reduceat(missing, begins, axis)
    return missing


def _overlap(length: int, resolution: int) -> np.ndarray:
    """Shares (resolution, length) of each pixel in each small pixel: the box filter, exact for any ratio."""
    edges = np.arange(resolution + 1) * (length / resolution)
    begin, end = np.arange(length), np.arange(length) + 1
    return (np.minimum(edges[1:, None], end) - np.maximum(edges[:-1, None], begin)).clip(0)
