"""One file of any picture format becomes one square of uint8 RGB pixels, or a reason why not."""

import math
import warnings
from collections.abc import Sequence
from functools import lru_cache
from io import BytesIO

import numpy as np
from PIL import Image, ImageCms, ImageOps, UnidentifiedImageError

from ganfill.errors import UserError

Crop = str | tuple[float, ...]

FILTER = "lanczos"
ORIENTATION, TURNED = 0x0112, range(2, 9)  # the EXIF tag; some cameras write 0 for "unknown"
OPAQUE = {"RGBA": "RGB", "RGBa": "RGB", "P": "RGB", "PA": "RGB", "LA": "L"}
CALLED = {"P": "palette", "PA": "palette", "L": "grey", "LA": "grey", "1": "black and white"}


class Unusable(Exception):
    """A file gives no picture. The message is ``kind`` or ``kind: details``."""


def parse_crop(word: str | Sequence[float]) -> Crop:
    """Reads ``center``, ``none`` or a square box ``x0,y0,x1,y1`` in pixels, as a word or as four numbers.

    Raises:
        UserError: it is none of these.
    """
    if word in ("center", "none"):
        return str(word)
    try:
        box = tuple(float(part) for part in (word.split(",") if isinstance(word, str) else word))
        left, top, right, bottom = box
    except (TypeError, ValueError):
        raise UserError(f"crop={word} is not known: use center, none or a box such as 20,40,160,180") from None
    if not (0 <= left < right and 0 <= top < bottom and math.isclose(right - left, bottom - top)):
        raise UserError(f"crop={word} is no square box: give x0,y0,x1,y1 with x1 - x0 equal to y1 - y0")
    return box


def decode(data: bytes, resolution: int, crop: Crop) -> tuple[np.ndarray, str]:
    """Decodes a file and scales its square down, antialiased, from full size.

    The EXIF orientation is applied, a colour profile is converted to sRGB, transparency is flattened on white, and an
    animation gives its first frame. A picture that is RGB and of the right size already keeps every bit.

    Args:
        data: the file's content.
        resolution: side R of the result in pixels.
        crop: ``center`` takes the largest square in the middle, ``none`` the whole picture without keeping its
            proportions, a box (x0, y0, x1, y1) those pixels.

    Returns:
        uint8 (R, R, 3), and what was converted on the way (comma-separated; empty if nothing was).

    Raises:
        Unusable: it is no picture, damaged, too large or smaller than the box.
    """
    if not data:
        raise Unusable("empty")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(BytesIO(data)) as picture:
                return _convert(picture, resolution, crop)
    except Unusable:
        raise
    except UnidentifiedImageError:
        raise Unusable("not a picture") from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise Unusable(f"too large: {error}") from None
    except Exception as error:  # the decoders' parsers raise nearly everything on damaged files
        raise Unusable(f"damaged: {error}") from None


def _convert(picture: Image.Image, resolution: int, crop: Crop) -> tuple[np.ndarray, str]:
    notes = ["first frame of several"] if getattr(picture, "is_animated", False) else []
    picture.load()
    if picture.getexif().get(ORIENTATION) in TURNED:
        ImageOps.exif_transpose(picture, in_place=True)
        notes.append("turned upright")
    rgb = _to_rgb(picture, notes)
    box = _place(rgb.size, crop)
    if max(box[2] - box[0], box[3] - box[1]) < resolution:
        notes.append("enlarged")
    small = rgb.resize((resolution, resolution), Image.Resampling.LANCZOS, box)
    return np.asarray(small), ", ".join(notes)


def _place(size: tuple[int, int], crop: Crop) -> tuple[float, float, float, float]:
    """The box that is kept of a picture of (width, height)."""
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
    if mode.startswith("I"):  # Pillow clips 16 bits to 8 instead of scaling them
        notes.append("16-bit grey")
        levels = np.asarray(picture).astype(np.float64).clip(0, 65535) / 257
        return Image.fromarray(levels.round().astype(np.uint8)).convert("RGB")
    alpha = picture.convert("RGBA").getchannel("A") if picture.has_transparency_data else None
    colours = picture.convert(OPAQUE[mode]) if mode in OPAQUE else picture
    if mode not in ("RGB", "RGBA"):
        notes.append(CALLED.get(mode, mode))
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
    except (ImageCms.PyCMSError, OSError):  # damaged, or a profile for another number of channels
        notes.append("unusable colour profile ignored")
        return colours
    if transform is None:
        return colours
    notes.append("colour profile to sRGB")
    return transform.apply(colours)


@lru_cache(maxsize=16)
def _find_transform(profile: bytes, mode: str) -> ImageCms.ImageCmsTransform | None:
    """The transform from a profile to sRGB; None if it says that it is sRGB."""
    source = ImageCms.getOpenProfile(BytesIO(profile))
    if "srgb" in ImageCms.getProfileDescription(source).lower():
        return None
    return ImageCms.buildTransform(source, ImageCms.createProfile("sRGB"), mode, "RGB")
