"""Photos of any format, size and orientation, with transparency, colour profile and EXIF data."""

import hashlib
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from PIL import Image, ImageOps

from ganfill.cancellation import Interrupted, check_cancelled
from ganfill.errors import UserError
from ganfill.images.formats import at_first_frame, count_frames, explain_refusal, open_picture
from ganfill.images.harmonic import extend

GREY = ("1", "L", "LA", "La")
SIZ = b"\xff\x4f\xff\x51"  # begins the sizes in a JPEG 2000 file
HEADER = 2**16  # bytes of the file that contain it
COLOUR_BITS = len(SIZ) + 38  # after which they state the bits of the first colour, minus 1
LOSSY = ("AVIF", "HEIF", "JPEG", "JPEG2000", "MPO", "WEBP")  # formats whose compression loses something
SEVERAL = "the file holds {} pictures, and the first is completed"
LOST = {mode: f"its {mode} colours are converted to RGB" for mode in ("CMYK", "YCbCr", "LAB", "HSV")}


@dataclass(frozen=True)
class Photo:
    """A picture turned upright.

    Attributes:
        pixels: uint8 (H, W, 3).
        alpha: uint8 (H, W), or None for a picture without transparency.
        profile: ICC profile, or None.
        exif: EXIF data without the orientation, or None.
        grey: True if the file has no colours; results have none either.
        deep: the 16-bit grey values, uint16 (H, W), or None for other pictures.
        lost: what the conversion loses, for the user; empty if nothing.
        frames: number of pictures in the file, of which this is the first; see ``count_frames``.
        lossy: True if the format of the file compresses with loss.
    """

    pixels: np.ndarray
    alpha: np.ndarray | None = None
    profile: bytes | None = None
    exif: bytes | None = None
    grey: bool = False
    deep: np.ndarray | None = None
    lost: str = ""
    frames: int = 1
    lossy: bool = False

    @classmethod
    def of(cls, picture: Image.Image) -> "Photo":
        """Converts any Pillow picture: applies the EXIF orientation, takes the first frame of an animation."""
        with at_first_frame(picture):
            return cls._of_frame(picture)

    @classmethod
    def _of_frame(cls, picture: Image.Image) -> "Photo":
        lost, bits = LOST.get(picture.mode, ""), _colour_bits(picture)
        lost = lost or (f"its {bits} bits a colour are reduced to 8" if bits > 8 else "")
        upright = ImageOps.exif_transpose(picture)
        exif, deep, grey, frames = _exif(upright), None, upright.mode in GREY, count_frames(picture)
        lossy = picture.format in LOSSY
        if upright.mode == "F":
            raise ValueError("floating-point pixels: save it with 8 or 16 bits")
        if upright.mode.startswith("I"):
            deep, grey = _to_16_bits(upright), True
            upright = scale_to_8_bits(upright)
        profile = picture.info.get("icc_profile") or None
        if profile and ((profile[16:20] == b"GRAY") != grey or picture.mode in LOST):
            profile = None  # it describes other channels
        if not upright.has_transparency_data:
            return cls(np.array(upright.convert("RGB")), None, profile, exif, grey, deep, lost, frames, lossy)
        rgba = np.array(upright.convert("RGBA"))
        return cls(rgba[..., :3].copy(), rgba[..., 3].copy(), profile, exif, grey, deep, lost, frames, lossy)

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


class CheckedBytes(BytesIO):
    """A file in memory that checks for cancellation before every read and write."""

    def read(self, size: int | None = -1) -> bytes:
        """Reads after a check."""
        check_cancelled()
        return super().read(size)

    def write(self, content: Any) -> int:
        """Writes after a check."""
        check_cancelled()
        return super().write(content)


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
    except (Interrupted, UserError):
        raise
    except Exception as error:  # Pillow's decoders raise nearly everything on damaged files
        reason = explain_refusal(name) if isinstance(error, Image.UnidentifiedImageError) else str(error)
        raise UserError(f"{name} cannot be read ({reason}): replace it or leave it out") from error


def scale_to_8_bits(picture: Image.Image) -> Image.Image:
    """Scales 16-bit grey to 8 bits, which Pillow's own conversion would clip."""
    return Image.fromarray((np.asarray(picture).clip(0, 65535) / 257).round().astype(np.uint8))


def in_mode_of(photo: Photo, picture: np.ndarray, hole: np.ndarray) -> np.ndarray:
    """Gives a finished picture the photo's own mode: its transparency outside the hole, and grey values if it is grey.

    Args:
        photo: the original.
        picture: uint8 (H, W, 3), equal to the photo outside the hole.
        hole: bool (H, W).

    Returns:
        uint8 (H, W) or (H, W, 3), with a further channel of transparency unless everything is opaque; uint16 (H, W) for a
        photo with 16-bit grey values, which are kept outside the hole.
    """
    finished = _mean(picture) if photo.grey else picture
    if photo.deep is not None:
        return np.where(hole, finished.astype(np.uint16) * 257, photo.deep)
    if photo.alpha is None:
        return finished
    alpha = _fill_alpha(photo.alpha, hole)
    return finished if alpha.min() == 255 else np.dstack([finished, alpha])


def _fill_alpha(alpha: np.ndarray, hole: np.ndarray) -> np.ndarray:
    """Continues a transparent ground into the hole, which is opaque otherwise; uint8 (H, W)."""
    opaque = (alpha > 0)[..., None].astype(np.float32)
    if not hole.any() or opaque[~hole].all():
        return np.where(hole, np.uint8(255), alpha)
    filled = alpha.copy()
    for _, shares in extend(hole, opaque):
        filled[hole] = (255 * shares[:, 0]).round()
    return filled


def to_png(picture: np.ndarray, photo: Photo, hole: np.ndarray) -> bytes:
    """The content of a PNG file of a finished picture, with its photo's transparency, colour profile and EXIF data."""
    file = CheckedBytes()
    image = Image.fromarray(in_mode_of(photo, picture, hole))
    # Level 1 is up to four times as fast as the default, and files are a tenth larger.
    image.save(file, "PNG", icc_profile=photo.profile, exif=photo.exif, compress_level=1)
    return file.getvalue()


def enlarge(hole: np.ndarray, height: int, width: int) -> np.ndarray:
    """Resizes a hole; each pixel takes the value of the pixel that its centre falls into."""
    rows, columns = (bins(length, small) for length, small in zip((height, width), hole.shape, strict=True))
    return hole[rows[:, None], columns[None, :]]


def bins(length: int, resolution: int) -> np.ndarray:
    """For each of ``length`` pixels, the index of the one of ``resolution`` pixels that its centre falls into."""
    return ((2 * np.arange(length) + 1) * resolution) // (2 * length)


def _to_16_bits(picture: Image.Image) -> np.ndarray:
    """The values of 16-bit or 32-bit grey; raises ``ValueError`` if 16 bits cannot hold them."""
    values = np.asarray(picture)
    if values.min() < 0 or values.max() > 65535:
        raise ValueError("pixels outside 0 to 65535: save it with 8 or 16 bits")
    return values.astype(np.uint16)


def _colour_bits(picture: Image.Image) -> int:
    """Bits a colour in the file, of which Pillow keeps 8; 8 for pictures without colours, of which it keeps all."""
    if picture.mode.startswith("I"):
        return 8
    file: Any = getattr(picture, "fp", None)
    for tile in getattr(picture, "tile", ()):
        args = str(tile.args)
        if ";16" in args and "BGR;16" not in args:  # 16 bits a pixel, in BMP files
            return 16
        if picture.format == "PPM" and isinstance(tile.args[1], int):
            return tile.args[1].bit_length()  # the highest value
        if picture.format == "JPEG2000":
            position = file.tell()
            file.seek(0)
            start = file.read(HEADER)
            file.seek(position)
            return (start[start.index(SIZ) + COLOUR_BITS] & 127) + 1 if SIZ in start else 8
    return 8


def _mean(picture: np.ndarray) -> np.ndarray:
    """The rounded mean of the channels of uint8 (H, W, 3)."""
    total = picture[..., 0].astype(np.uint16)
    total += picture[..., 1]
    total += picture[..., 2]
    return ((total + 1) // 3).astype(np.uint8)


def _exif(picture: Image.Image) -> bytes | None:
    exif = picture.getexif()
    try:
        return exif.tobytes() if exif else None
    except Exception:  # entries of the wrong type; the picture matters more
        return None
