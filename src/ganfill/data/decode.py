"""Decoding a picture file into a square of uint8 RGB pixels."""

import math
import warnings
from collections.abc import Sequence
from functools import lru_cache
from io import BytesIO

import numpy as np
from PIL import Image, ImageCms, ImageOps, UnidentifiedImageError

from ganfill.errors import UserError
from ganfill.images.formats import open_picture
from ganfill.images.photo import scale_to_8_bits

Crop = str | tuple[float, ...]

FILTER = "lanczos"
NO_PICTURE = "not a picture"
ORIENTATION, TURNED = 0x0112, range(2, 9)  # EXIF tag; some cameras write 0 for "unknown"
OPAQUE = {"RGBA": "RGB", "RGBa": "RGB", "P": "RGB", "PA": "RGB", "LA": "L"}
MODE_NAMES = {"P": "palette", "PA": "palette", "L": "grey", "LA": "grey", "1": "black and white"}


class Unusable(Exception):
    """The file cannot be decoded. The message is ``reason`` or ``reason: details``."""


def parse_crop(word: str | Sequence[float]) -> Crop:
    """Parses ``center``, ``none`` or a square box ``x0,y0,x1,y1`` in pixels, as text or as four numbers.

    Raises:
        UserError: the value is none of these.
    """
    if word in ("center", "none"):
        return str(word)
    try:
        box = tuple(float(part) for part in (word.split(",") if isinstance(word, str) else word))
        left, top, right, bottom = box
    except (TypeError, ValueError):
        raise UserError(f"crop={word} is not known: use center, none or a box such as 20,40,160,180") from None
    if not (0 <= left < right and 0 <= top < bottom and math.isclose(right - left, bottom - top)):
        raise UserError(f"crop={word} is not a square box: give x0,y0,x1,y1 with x1 - x0 equal to y1 - y0")
    return box


def decode(data: bytes, resolution: int, crop: Crop) -> tuple[np.ndarray, str]:
    """Decodes a file, crops a square and resizes it with antialiasing.

    The EXIF orientation is applied, colour profiles are converted to sRGB, transparency is flattened on white, and an
    animation yields its first frame. An RGB picture that has the right size keeps every bit.

    Args:
        data: content of the file.
        resolution: side R of the result, in pixels.
        crop: ``center`` for the largest centred square, ``none`` for the whole picture without keeping its proportions, or a
            box (x0, y0, x1, y1).

    Returns:
        Pixels, uint8 (R, R, 3), and a comma-separated list of conversions, empty if there were none.

    Raises:
        Unusable: the file is not a picture, damaged, too large or smaller than the box.
    """
    if not data:
        raise Unusable("empty")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with open_picture(BytesIO(data)) as picture:
                return _convert(picture, resolution, crop)
    except Unusable:
        raise
    except UnidentifiedImageError:
        raise Unusable(NO_PICTURE) from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise Unusable(f"too large: {error}") from None
    except Exception as error:  # decoders raise almost any exception on damaged files
        raise Unusable(f"damaged: {error}") from None


def _convert(picture: Image.Image, resolution: int, crop: Crop) -> tuple[np.ndarray, str]:
    notes = ["first frame of several"] if getattr(picture, "is_animated", False) else []
    picture.load()
    if picture.getexif().get(ORIENTATION) in TURNED:
        ImageOps.exif_transpose(picture, in_place=True)
        notes.append("turned upright")
    rgb = _to_rgb(picture, notes)
    box = _crop_box(rgb.size, crop)
    if max(box[2] - box[0], box[3] - box[1]) < resolution:
        notes.append("enlarged")
    small = rgb.resize((resolution, resolution), Image.Resampling.LANCZOS, box)
    return np.asarray(small), ", ".join(notes)


def _crop_box(size: tuple[int, int], crop: Crop) -> tuple[float, float, float, float]:
    width, height = size
    if crop == "none":
        return 0, 0, width, height
    if crop == "center":
        side = min(width, height)
        left, top = (width - side) // 2, (height - side) // 2
        return left, top, left + side, top + side
    left, top, right, bottom = (float(number) for number in crop)
    if right > width or bottom > height:
        raise Unusable(f"smaller than the box: {width}x{height}")
    return left, top, right, bottom


def _to_rgb(picture: Image.Image, notes: list[str]) -> Image.Image:
    mode, profile = picture.mode, picture.info.get("icc_profile")
    if mode == "RGB" and not profile and "transparency" not in picture.info:
        return picture
    if mode == "F":
        raise Unusable("floating-point pixels")
    if mode.startswith("I"):
        notes.append("16-bit grey")
        return scale_to_8_bits(picture).convert("RGB")
    alpha = picture.convert("RGBA").getchannel("A") if picture.has_transparency_data else None
    colours = picture.convert(OPAQUE[mode]) if mode in OPAQUE else picture
    if mode not in ("RGB", "RGBA"):
        notes.append(MODE_NAMES.get(mode, mode))
    colours = _to_srgb(colours, profile, notes).convert("RGB")
    if alpha is None or alpha.getextrema() == (255, 255):
        return colours
    notes.append("alpha flattened on white")
    white = Image.new("RGB", colours.size, "white")
    white.paste(colours, mask=alpha)
    return white


def _to_srgb(colours: Image.Image, profile: bytes | None, notes: list[str]) -> Image.Image:
    if not profile:
        return colours
    try:
        transform = _find_transform(profile, colours.mode)
    except (ImageCms.PyCMSError, OSError):  # damaged profile, or one for another number of channels
        notes.append("unusable colour profile ignored")
        return colours
    if transform is None:
        return colours
    notes.append("colour profile to sRGB")
    return transform.apply(colours)


@lru_cache(maxsize=16)
def _find_transform(profile: bytes, mode: str) -> ImageCms.ImageCmsTransform | None:
    """Returns the transform from a profile to sRGB, or None if the profile is sRGB."""
    source = ImageCms.getOpenProfile(BytesIO(profile))
    if "srgb" in ImageCms.getProfileDescription(source).lower():
        return None
    return ImageCms.buildTransform(source, ImageCms.createProfile("sRGB"), mode, "RGB")
