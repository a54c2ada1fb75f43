"""The picture formats that ganfill reads: in commands, masks, archives and the app alike."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import BinaryIO

from PIL import GifImagePlugin, Image, ImageFile, MpoImagePlugin, TiffImagePlugin, UnidentifiedImageError

from ganfill.cancellation import check_cancelled

# Formats of photos by Pillow's names. Some others are left out on purpose: PostScript would be handed to another program.
FORMATS = ("PNG", "JPEG", "WEBP", "AVIF", "JPEG2000", "GIF", "TIFF", "BMP", "DIB", "PPM", "QOI", "HEIF")
HEIF = (".heic", ".heif", ".hif")
RAW = (".arw", ".cr2", ".cr3", ".dng", ".nef", ".nrw", ".orf", ".pef", ".raf", ".rw2", ".srw")
UNKNOWN = "no picture in a format that ganfill reads"
MP_ENTRIES = 0xB002  # tag of the index of an MPO
REDUCED = 1  # a bit of the TIFF tag NewSubfileType
MOST_FRAMES = 1000  # that are counted


@cache
def formats() -> tuple[str, ...]:
    """Returns the formats that this installation reads, by Pillow's names; HEIF needs the package pillow-heif."""
    Image.init()
    if find_spec("pillow_heif"):
        import_module("pillow_heif").register_heif_opener()
    return tuple(name for name in FORMATS if name in Image.OPEN)


@cache
def suffixes() -> frozenset[str]:
    """Returns the suffixes of these formats, in lower case and with their dots."""
    readable = formats()  # first, because it may register further suffixes
    known = {suffix for suffix, name in Image.registered_extensions().items() if name in readable}
    return frozenset(known | {".mpo"})  # several JPEG pictures in one file


def open_picture(file: Path | BinaryIO, only: tuple[str, ...] | None = None) -> Image.Image:
    """Opens a picture file, whatever its name is; ``only`` restricts its formats further.

    Raises:
        UnidentifiedImageError: it has none of the formats, or its first picture is a preview, as in camera raw files.
    """
    picture = Image.open(file, formats=only or formats())
    if isinstance(picture, ImageFile.ImageFile):
        # Pillow maps a file into memory if it knows its name, and so scrambles uncompressed TIFF pictures on their side.
        picture.filename = ""
    if isinstance(picture, TiffImagePlugin.TiffImageFile) and picture.tag_v2.get(254, 0) & REDUCED:
        picture.close()
        raise UnidentifiedImageError("its first picture is a preview")
    return picture


def explain_refusal(name: str) -> str:
    """Returns the reason why a file of this name cannot be read, with the remedy if there is one."""
    suffix = Path(name).suffix.lower()
    if suffix in HEIF and "HEIF" not in formats():
        return "HEIC needs pillow-heif: pip install 'ganfill[heif]'"
    if suffix in RAW:
        return "camera raw: develop it to a PNG or JPEG file"
    return UNKNOWN


@contextmanager
def at_first_frame(picture: Image.Image) -> Iterator[None]:
    """Shows the first frame of a picture within, and afterwards the frame that it showed before."""
    shown = picture.tell()
    if picture.format != "HEIF":  # whose photo need not be its first picture
        picture.seek(0)
    try:
        yield
    finally:
        picture.seek(shown)


def count_frames(picture: Image.Image) -> int:
    """Returns the number of pictures in an opened file, which shows its first one, at most ``MOST_FRAMES``.

    They are frames of an animation, pages of a TIFF file, views of an MPO. Phones store previews, depth and gain maps in an
    MPO beside the photo. Its index says which parts are views of a scene.
    """
    if isinstance(picture, MpoImagePlugin.MpoImageFile):
        parts = (picture.mpinfo or {}).get(MP_ENTRIES, ())
        return max(1, sum("Multi-Frame" in part["Attribute"]["MPType"] for part in parts))
    if isinstance(picture, GifImagePlugin.GifImageFile):
        return _count(picture, lambda frame: picture._seek(frame, False))  # decodes nothing, as n_frames does
    if isinstance(picture, TiffImagePlugin.TiffImageFile):
        return _count(picture, picture.seek)
    return min(getattr(picture, "n_frames", 1), MOST_FRAMES)  # of a header


def _count(picture: Image.Image, seek: Callable[[int], object]) -> int:
    """Counts frames one by one: a file of a few megabytes may hold a million of them."""
    frames = 1
    try:
        while frames < MOST_FRAMES:
            check_cancelled()
            seek(frames)
            frames += 1
    except EOFError:
        pass
    finally:
        picture.seek(0)
    return frames
