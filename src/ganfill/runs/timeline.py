"""Sheets of pictures from the course of a training: a selection, re-encoded to fit into a page."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from ganfill.images.sheets import data_url, encode, read

MOMENTS = 16
LONGEST = 1100  # pixels of the longer side
QUALITY = 88  # of WebP, out of 100
NAME = re.compile(r"kimg(\d+)(?:_(\w+))?\.png")


@dataclass(frozen=True)
class Frame:
    """A sheet: index of its moment, kind, bytes of a WebP file, and (width, height) in pixels."""

    moment: int
    kind: str
    webp: bytes
    size: tuple[int, int]

    @property
    def address(self) -> str:
        """The file as a data URI."""
        return data_url(self.webp, "webp")


@dataclass(frozen=True)
class Timeline:
    """Sheets of several moments of a training.

    Args:
        title: of the sheets.
        kinds: of sheets, such as "averaged" and "raw"; the first is shown first.
        moments: in thousand images seen, rising; at least one.
        frames: of each moment and kind, as far as there are any.
        note: how many moments were selected, and how the sheets were re-encoded.
    """

    title: str
    kinds: Sequence[str]
    moments: Sequence[int]
    frames: Sequence[Frame]
    note: str

    @property
    def first(self) -> Frame:
        """The frame that is shown initially: of the last moment, of the first kind it has."""
        return max(self.frames, key=lambda frame: (frame.moment, -self.kinds.index(frame.kind)))


def open_timeline(
    title: str, directory: Path, kinds: Mapping[str, str], budget: int, problems: list[str]
) -> Timeline | None:
    """Reads the sheets ``kimg000120_SUFFIX.png``, or ``kimg000120.png``, of a directory.

    Args:
        title: of the sheets.
        directory: need not exist.
        kinds: label of each suffix, "" for none; files with other suffixes are ignored.
        budget: bytes of all frames together; sheets are scaled down until they fit.
        problems: list to which damaged files are reported.

    Returns:
        The timeline; None if no sheet can be read.
    """
    files: dict[int, dict[str, Path]] = {}
    for path in sorted(directory.glob("kimg*.png")):
        if (match := NAME.fullmatch(path.name)) and (kind := kinds.get(match[2] or "")):
            files.setdefault(int(match[1]), {})[kind] = path
    every = sorted(files)
    sheets = {
        (kimg, kind): image
        for kimg in (every[index] for index in pick(len(every), MOMENTS))
        for kind, path in files[kimg].items()
        if (image := read(path, f"{directory.name}/{path.name}", problems))
    }
    moments = sorted({kimg for kimg, _ in sheets})
    if not moments:
        return None
    encoded = fit_budget([_scaled(image, min(1.0, LONGEST / max(image.size))) for image in sheets.values()], budget)
    frames = [
        Frame(moments.index(kimg), kind, webp, size) for (kimg, kind), (webp, size) in zip(sheets, encoded, strict=True)
    ]
    widest = max(image.width for image in sheets.values())
    smaller = f", scaled down (from {widest} pixels in width)" if max(size[0] for _, size in encoded) < widest else ""
    note = f"{len(moments)} of {len(every)} moments, re-encoded as WebP{smaller}; all are in {directory.name}/"
    shown = [kind for kind in kinds.values() if any(frame.kind == kind for frame in frames)]
    return Timeline(title, shown, moments, frames, note)


def pick(count: int, most: int) -> list[int]:
    """Selects up to ``most`` of ``count`` indices: first, last, and more early than late ones."""
    if count <= most:
        return list(range(count))
    return sorted({round(position) - 1 for position in np.geomspace(1, count, most)})


def fit_budget(sheets: Sequence[Image.Image], budget: int) -> list[tuple[bytes, tuple[int, int]]]:
    """Encodes sheets as WebP, with their sizes in pixels; all are scaled down alike until they fit the budget in bytes."""
    scale = 1.0
    while True:
        scaled = [_scaled(sheet, scale) for sheet in sheets]
        files = [encode(sheet, ".webp", quality=QUALITY) for sheet in scaled]
        total = sum(map(len, files))
        if total <= budget or max(max(sheet.size) for sheet in scaled) == 1:
            return [(file, sheet.size) for file, sheet in zip(files, scaled, strict=True)]
        scale *= min(0.9, math.sqrt(budget / total))


def _scaled(sheet: Image.Image, scale: float) -> Image.Image:
    size = (max(1, round(sheet.width * scale)), max(1, round(sheet.height * scale)))
    return sheet if size == sheet.size else sheet.resize(size, Image.Resampling.LANCZOS)
