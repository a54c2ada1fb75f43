"""Sheets of pictures in the course of a training: some of its moments, encoded anew so that a page can hold them."""

import base64
import io
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from ganfill.images.sheets import read

MOMENTS = 16
LONGEST = 1100  # pixels of the longer side
QUALITY = 88  # of WebP, out of 100
NAME = re.compile(r"kimg(\d+)(?:_(\w+))?\.png")


@dataclass(frozen=True)
class Frame:
    """A sheet: the index of its moment, its kind, a WebP file's bytes, and width and height in pixels."""

    moment: int
    kind: str
    webp: bytes
    size: tuple[int, int]

    @property
    def address(self) -> str:
        """The sheet itself, as a data URI."""
        return "data:image/webp;base64," + base64.b64encode(self.webp).decode()


@dataclass(frozen=True)
class Timeline:
    """Sheets to be looked at one after the other.

    Args:
        title: what they show.
        kinds: that there are of every moment, such as "averaged" and "raw", the first of them shown first.
        moments: in thousand images seen, rising; at least one.
        frames: of each moment and kind, as far as there are any.
        told: how many of how many, and what was done to them.
    """

    title: str
    kinds: Sequence[str]
    moments: Sequence[int]
    frames: Sequence[Frame]
    told: str

    @property
    def first(self) -> Frame:
        """The frame that is seen before anybody moves the slider: the last moment's, of the first kind it has."""
        return max(self.frames, key=lambda frame: (frame.moment, -self.kinds.index(frame.kind)))


def open_timeline(
    title: str, directory: Path, kinds: Mapping[str, str], budget: int, problems: list[str]
) -> Timeline | None:
    """The reel of a directory's files ``kimg000120_SUFFIX.png``, or ``kimg000120.png``; None if it has none to be read.

    Args:
        title: what they show.
        directory: need not exist.
        kinds: a word for each suffix, "" for none; files with others are passed over.
        budget: bytes that all frames may take together; larger sheets are made smaller until they fit.
        problems: gets a line about each file that is damaged.
    """
    files: dict[int, dict[str, Path]] = {}
    for path in sorted(directory.glob("kimg*.png")):
        if (match := NAME.fullmatch(path.name)) and (kind := kinds.get(match[2] or "")):
            files.setdefault(int(match[1]), {})[kind] = path
    every = sorted(files)
    chosen = [every[index] for index in pick(len(every), MOMENTS)]
    sheets = {
        (kimg, kind): image
        for kimg in chosen
        for kind, path in files[kimg].items()
        if (image := read(path, f"{directory.name}/{path.name}", problems))
    }
    moments = sorted({kimg for kimg, _ in sheets})
    if not moments:
        return None
    encoded = encode([_shrunk(image, min(1.0, LONGEST / max(image.size))) for image in sheets.values()], budget)
    frames = [
        Frame(moments.index(kimg), kind, webp, size) for (kimg, kind), (webp, size) in zip(sheets, encoded, strict=True)
    ]
    widest = max(image.width for image in sheets.values())
    small = f", made smaller (from {widest} pixels in width)" if max(size[0] for _, size in encoded) < widest else ""
    told = f"{len(moments)} of {len(every)} moments, encoded anew as WebP{small}; all are in {directory.name}/"
    return Timeline(
        title, [kind for kind in kinds.values() if any(frame.kind == kind for frame in frames)], moments, frames, told
    )


def pick(count: int, most: int) -> list[int]:
    """Which of ``count`` moments are kept, ``most`` at most: first, last, and more of the early ones, when most happens."""
    if count <= most:
        return list(range(count))
    return sorted({round(place) - 1 for place in np.geomspace(1, count, most)})


def encode(sheets: Sequence[Image.Image], budget: int) -> list[tuple[bytes, tuple[int, int]]]:
    """WebP files of sheets, with their sizes in pixels; all are made smaller alike until they fit the budget in bytes."""
    share = 1.0
    while True:
        small = [_shrunk(sheet, share) for sheet in sheets]
        files = [_webp(sheet) for sheet in small]
        total = sum(map(len, files))
        if total <= budget or max(max(sheet.size) for sheet in small) == 1:
            return [(file, sheet.size) for file, sheet in zip(files, small, strict=True)]
        share *= min(0.9, math.sqrt(budget / total))


def _shrunk(sheet: Image.Image, share: float) -> Image.Image:
    size = (max(1, round(sheet.width * share)), max(1, round(sheet.height * share)))
    return sheet if size == sheet.size else sheet.resize(size, Image.Resampling.LANCZOS)


def _webp(sheet: Image.Image) -> bytes:
    file = io.BytesIO()
    sheet.save(file, "WEBP", quality=QUALITY)
    return file.getvalue()
