"""Photos of any format, size and orientation, with transparency, colour profile and EXIF data."""

import hashlib
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import Image, ImageOps

from ganfill.errors import UserError
from ganfill.images.formats import count_frames, explain_refusal, open_picture


@dataclass(frozen=True)
class Photo:
    """A picture turned upright.

    Attributes:
        pixels: uint8 (H, W, 3).
        alpha: uint8 (H, W), or None for a picture without transparency.
        profile: ICC profile, or None.
        exif: EXIF data without the orientation, or None.
        frames: number of pictures in the file, of which this is the first.
    """

    pixels: np.ndarray
    alpha: np.ndarray | None = None
    profile: bytes | None = None
    exif: bytes | None = None
    frames: int = 1

    @classmethod
    def of(cls, picture: Image.Image) -> "Photo":
        """Converts any Pillow picture: applies the EXIF orientation, takes the first frame of an animation."""
        profile = picture.info.get("icc_profile") if picture.mode in ("RGB", "RGBA", "P", "PA") else None
        upright = ImageOps.exif_transpose(picture)
        exif, frames = _exif(upright), count_frames(picture)
        if upright.mode == "F":
            raise ValueError("floating-point pixels: save it with 8 or 16 bits")
        if upright.mode.startswith("I"):
            upright = scale_to_8_bits(upright)
        if not upright.has_transparency_data:
            return cls(np.array(upright.convert("RGB")), None, profile, exif, frames)
        rgba = np.array(upright.convert("RGBA"))
        return cls(rgba[..., :3].copy(), rgba[..., 3].copy(), profile, exif, frames)

    @classmethod
    def read(cls, path: Path) -> "Photo":
        """Reads a file.

        Raises:
            UserError: the file is not a picture, is damaged, has floating-point pixels, or exceeds Pillow's size limit.
        """
        with opened(path, str(path)) as picture:
            return cls.of(picture)

    @property
    def digest(self) -> str:
        """SHA-256 of the pixels, 64 hex digits; the name of a picture without a file name."""
        return hashlib.sha256(self.pixels.tobytes()).hexdigest()


@contextmanager
def opened(file: Path | BinaryIO, name: str, only: tuple[str, ...] | None = None) -> Iterator[Image.Image]:
    """Opens a picture file; errors of decoding inside the block are converted as well.

    Args:
        file: path or open file.
        name: for the message.
        only: accepted formats, by Pillow's names; all that ganfill reads by default.

    Raises:
        UserError: the file is not a picture, is damaged, or exceeds Pillow's size limit.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with open_picture(file, only) as picture:
                yield picture
    except Exception as error:  # Pillow's decoders raise nearly everything on damaged files
        reason = explain_refusal(name) if isinstance(error, Image.UnidentifiedImageError) else str(error)
        raise UserError(f"{name} cannot be read ({reason}): replace it or leave it out") from error


def scale_to_8_bits(picture: Image.Image) -> Image.Image:
    """Scales 16-bit grey to 8 bits, which Pillow's own conversion would clip."""
    return Image.fromarray((np.asarray(picture).clip(0, 65535) / 257).round().astype(np.uint8))


def with_alpha(picture: np.ndarray, photo: Photo, hole: np.ndarray) -> np.ndarray:
    """Adds the photo's transparency outside the hole: uint8 (H, W, 4), or (H, W, 3) if everything is opaque."""
    if photo.alpha is None:
        return picture
    alpha = np.where(hole, np.uint8(255), photo.alpha)
    return picture if alpha.min() == 255 else np.dstack([picture, alpha])


def to_png(picture: np.ndarray, photo: Photo, hole: np.ndarray) -> bytes:
    """The content of a PNG file of a finished picture, with its photo's transparency, colour profile and EXIF data."""
    file = BytesIO()
    image = Image.fromarray(with_alpha(picture, photo, hole))
    image.save(file, "PNG", icc_profile=photo.profile, exif=photo.exif)
    return file.getvalue()


def enlarge(hole: np.ndarray, height: int, width: int) -> np.ndarray:
    """Resizes a hole; each pixel takes the value of the pixel that its center falls into."""
    rows, columns = (bins(length, small) for length, small in zip((height, width), hole.shape, strict=True))
    return hole[rows[:, None], columns[None, :]]


def bins(length: int, resolution: int) -> np.ndarray:
    """For each of ``length`` pixels, the index of the one of ``resolution`` pixels that its center falls into."""
    return ((2 * np.arange(length) + 1) * resolution) // (2 * length)


def _exif(picture: Image.Image) -> bytes | None:
    exif = picture.getexif()
    try:
        return exif.tobytes() if exif else None
    except Exception:  # entries of the wrong type; the picture matters more
        return None
