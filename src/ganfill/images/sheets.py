"""Figures made of pictures, with Pillow alone. Pictures are uint8 (H, W, 3) arrays; figures are Pillow pictures."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from ganfill.files import write_atomically

GAP = 8
CAPTION = 22
PAPER = (255, 255, 255)
INK = (60, 60, 60)
MISSING = 128


def damaged(picture: np.ndarray, hole: np.ndarray) -> np.ndarray:
    """The picture with its hole, bool (H, W), painted grey."""
    return np.where(hole[..., None], np.uint8(MISSING), picture)


def strip(pictures: Sequence[np.ndarray], captions: Sequence[str] = (), side: int = 192) -> Image.Image:
    """Pictures side by side, each fitted into a square, with a caption above if given.

    Args:
        pictures: uint8 (H, W, 3), of any sizes.
        captions: one for each picture, or none at all.
        side: of the square, in pixels.
    """
    return grid([pictures], captions, side)


def grid(rows: Sequence[Sequence[np.ndarray]], captions: Sequence[str] = (), side: int = 128) -> Image.Image:
    """A contact sheet.

    Args:
        rows: pictures, uint8 (H, W, 3); rows may differ in length.
        captions: of the columns, or none at all.
        side: of the square each picture is fitted into, in pixels.
    """
    columns = max((len(row) for row in rows), default=0)
    head = CAPTION if captions else 0
    size = (GAP + columns * (side + GAP), head + GAP + len(rows) * (side + GAP))
    sheet = Image.new("RGB", size, PAPER)
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(13)
    for column, caption in enumerate(captions):
        middle = GAP + column * (side + GAP) + side / 2
        pen.text((middle, GAP / 2 + head / 2), caption, INK, font, anchor="mm")
    for y, row in enumerate(rows):
        for x, picture in enumerate(row):
            fitted = fit(picture, side)
            left = GAP + x * (side + GAP) + (side - fitted.width) // 2
            top = head + GAP + y * (side + GAP) + (side - fitted.height) // 2
            sheet.paste(fitted, (left, top))
    return sheet


def captioned(rows: Sequence[tuple[str, Sequence[np.ndarray]]], side: int = 128) -> Image.Image:
    """A contact sheet whose rows have a caption each, above them; a caption that is too long for the sheet is cut.

    Args:
        rows: caption and pictures, uint8 (H, W, 3), of each; a row may have no pictures.
        side: of the square each picture is fitted into, in pixels.
    """
    font = ImageFont.load_default(13)
    strips = [(caption, strip(pictures, side=side)) for caption, pictures in rows]
    narrow = max((picture.width for _, picture in strips), default=0)
    width = max(narrow, 8 * side)
    heights = [
        CAPTION + (picture.height if pictures else 0) for (_, pictures), (_, picture) in zip(rows, strips, strict=True)
    ]
    sheet = Image.new("RGB", (width, GAP + sum(heights)), PAPER)
    pen, top = ImageDraw.Draw(sheet), 0
    for (caption, picture), height in zip(strips, heights, strict=True):
        while pen.textlength(caption, font) > width - 2 * GAP:
            caption = f"{caption[:-2]}…"
        pen.text((GAP, top + CAPTION / 2), caption, INK, font, anchor="lm")
        if height > CAPTION:
            sheet.paste(picture, (0, top + CAPTION))
        top += height
    return sheet


def fit(picture: np.ndarray, side: int) -> Image.Image:
    """The picture as large as a square allows; small ones are enlarged by whole pixels, so that what is seen is true."""
    image = Image.fromarray(picture)
    longer = max(image.size)
    if longer <= side:
        factor = side // longer
        return image.resize((image.width * factor, image.height * factor), Image.Resampling.NEAREST)
    size = (max(1, round(image.width * side / longer)), max(1, round(image.height * side / longer)))
    return image.resize(size, Image.Resampling.LANCZOS)


def read(path: Path, told: str, problems: list[str]) -> Image.Image | None:
    """The picture of a file in RGB; None if it cannot be read, about which ``problems`` gets a line that says ``told``."""
    try:
        with Image.open(path) as image:
            return image.convert("RGB")
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        problems.append(f"{told} is no readable picture: it is left out")
        return None


def save(picture: np.ndarray | Image.Image, path: Path, **options: object) -> None:
    """Writes a picture file whole or not at all; its directory is made if need be.

    Args:
        picture: uint8 (H, W, 3), or a Pillow picture.
        path: the suffix names the format.
        options: of Pillow's ``save``, such as ``icc_profile``.
    """
    image = Image.fromarray(picture) if isinstance(picture, np.ndarray) else picture
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, lambda partial: image.save(partial, **options))  # pyright: ignore[reportArgumentType]


def save_gif(frames: Sequence[np.ndarray], path: Path, side: int = 256, milliseconds: int = 80) -> None:
    """Writes an endless animation that rests on its last frame.

    Args:
        frames: uint8 (H, W, 3), all of one size; at least one.
        path: ends in ``.gif``.
        side: of the square each frame is fitted into.
        milliseconds: each frame is shown; the last one twenty times as long.
    """
    first, *others = (fit(frame, side) for frame in frames)
    durations = [milliseconds] * len(others) + [20 * milliseconds]
    save(first, path, save_all=True, append_images=others, duration=durations, loop=0)
