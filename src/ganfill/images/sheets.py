"""Contact sheets and picture files. Pictures are uint8 (H, W, 3) arrays; sheets are Pillow images."""

import base64
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from ganfill.files import write_atomically
from ganfill.images.formats import open_picture

GAP = 8
CAPTION = 22
PAPER = (255, 255, 255)
INK = (60, 60, 60)
MISSING = 128


def damaged(picture: np.ndarray, hole: np.ndarray) -> np.ndarray:
    """The picture with its hole, bool (H, W), painted grey."""
    return np.where(hole[..., None], np.uint8(MISSING), picture)


def grid(
    rows: Sequence[Sequence[np.ndarray]], captions: Sequence[str] = (), side: int = 128, notes: Sequence[str] = ()
) -> Image.Image:
    """A contact sheet.

    Args:
        rows: pictures, uint8 (H, W, 3); rows may differ in length.
        captions: of the columns, or none.
        side: of the square each picture is fitted into, in pixels.
        notes: below each row, or none.
    """
    columns = max((len(row) for row in rows), default=0)
    head = CAPTION if captions else 0
    step = side + GAP + (CAPTION if notes else 0)
    size = (GAP + columns * (side + GAP), head + GAP + len(rows) * step)
    sheet = Image.new("RGB", size, PAPER)
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(13)
    for column, caption in enumerate(captions):
        middle = GAP + column * (side + GAP) + side / 2
        pen.text((middle, GAP / 2 + head / 2), caption, INK, font, anchor="mm")
    for y, row in enumerate(rows):
        for x, picture in enumerate(row):
            fitted = fit(picture, side)
            left = GAP + x * (side + GAP) + (side - fitted.width) // 2
            top = head + GAP + y * step + (side - fitted.height) // 2
            sheet.paste(fitted, (left, top))
    for y, note in enumerate(notes):
        pen.text((GAP, head + (y + 1) * step), note, INK, font, anchor="lm")
    return sheet


def captioned(rows: Sequence[tuple[str, Sequence[np.ndarray]]], side: int = 128) -> Image.Image:
    """A contact sheet with a caption above each row; captions that are wider than the sheet are cut.

    Args:
        rows: (caption, pictures) of each row; pictures are uint8 (H, W, 3) and may be none.
        side: of the square each picture is fitted into, in pixels.
    """
    font = ImageFont.load_default(13)
    strips = [grid([pictures], side=side) if pictures else None for _, pictures in rows]
    width = max([8 * side, *(strip.width for strip in strips if strip)])
    height = sum(CAPTION + (strip.height if strip else 0) for strip in strips)
    sheet = Image.new("RGB", (width, GAP + height), PAPER)
    pen, top = ImageDraw.Draw(sheet), 0
    for (caption, _), strip in zip(rows, strips, strict=True):
        while pen.textlength(caption, font) > width - 2 * GAP:
            caption = f"{caption[:-2]}…"
        pen.text((GAP, top + CAPTION / 2), caption, INK, font, anchor="lm")
        top += CAPTION
        if strip:
            sheet.paste(strip, (0, top))
            top += strip.height
    return sheet


def fit(picture: np.ndarray, side: int) -> Image.Image:
    """The picture scaled to fit a square; up to half its side, by whole pixels without interpolation."""
    image = Image.fromarray(picture)
    longer = max(image.size)
    if 2 * longer <= side:
        factor = side // longer
        return image.resize((image.width * factor, image.height * factor), Image.Resampling.NEAREST)
    size = (max(1, round(image.width * side / longer)), max(1, round(image.height * side / longer)))
    return image.resize(size, Image.Resampling.LANCZOS)


def read(path: Path, label: str, problems: list[str]) -> Image.Image | None:
    """The RGB picture of a file; if it cannot be read, None, and ``problems`` gets a line that names ``label``."""
    try:
        with open_picture(path) as image:
            return image.convert("RGB")
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        problems.append(f"{label} cannot be read as a picture: it is left out")
        return None


def save(picture: np.ndarray | Image.Image, path: Path, **options: object) -> None:
    """Writes a picture file atomically; creates its directory.

    Args:
        picture: uint8 (H, W, 3), or a Pillow picture.
        path: its suffix selects the format.
        options: of Pillow's ``save``, such as ``icc_profile``.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, encode(picture, path.suffix, **options))


def encode(picture: np.ndarray | Image.Image, suffix: str, **options: object) -> bytes:
    """The content of a picture file.

    Args:
        picture: uint8 (H, W, 3), or a Pillow picture.
        suffix: selects the format, such as ``.png``.
        options: of Pillow's ``save``, such as ``icc_profile``.
    """
    image = Image.fromarray(picture) if isinstance(picture, np.ndarray) else picture
    file = BytesIO()  # some of Pillow's writers do not say that the disk is full
    file.name = f"picture{suffix}"  # selects the format
    image.save(file, **options)  # pyright: ignore[reportArgumentType]
    return file.getvalue()


def data_url(content: bytes, kind: str = "png") -> str:
    """The data URL of a picture file of a kind, such as ``webp``."""
    return f"data:image/{kind};base64,{base64.b64encode(content).decode()}"


def save_gif(
    frames: Sequence[np.ndarray], path: Path, side: int = 256, milliseconds: int = 80, pause: int = 20
) -> None:
    """Writes a looping animation that pauses on its last frame.

    Args:
        frames: at least one, uint8 (H, W, 3), all of one size.
        path: ends in ``.gif``.
        side: of the square each frame is fitted into.
        milliseconds: duration of a frame.
        pause: duration of the last frame, in frames.
    """
    first, *others = (fit(frame, side) for frame in frames)
    durations = [milliseconds] * len(others) + [pause * milliseconds]
    save(first, path, save_all=True, append_images=others, duration=durations, loop=0)
