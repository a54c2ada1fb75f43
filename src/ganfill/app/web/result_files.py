"""The files of a completed photo that the page shows and offers for download."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ganfill.app.web.canvas import scale_to_canvas
from ganfill.completion.pipeline import Filled
from ganfill.images import sheets
from ganfill.images.alignment import OTHERWISE, WHERE
from ganfill.images.hole_parts import extent
from ganfill.images.photo import Photo, to_png

GIF_SIDE = 256
EXTRAS = {"mean": "the average", "uncertainty": "white: uncertain, black: certain"}


@dataclass(frozen=True)
class Answer:
    """A finished picture.

    Attributes:
        shown: file of the picture, or of the surroundings of a small hole, at the size of the canvas.
        full: PNG file at the photo's size, with its transparency, colour profile and EXIF data.
        caption: the score, if there is one.
    """

    shown: Path
    full: Path
    caption: str | None


@dataclass(frozen=True)
class Results:
    """The result of a search.

    Attributes:
        before: file of the photo, of the same size as the answers' ``shown``.
        answers: best first.
        gif: animation of the search, if it has steps.
        extras: further pictures with their captions.
        remarks: warnings for the visitor, in sentences.
        holes: how each part of the hole was filled.
    """

    before: Path
    answers: list[Answer]
    gif: Path | None
    extras: list[tuple[Path, str]]
    remarks: list[str]
    holes: list[str]


def write(photo: Photo, hole: np.ndarray, filled: Filled, name: str, before: Path, folder: Path) -> Results:
    """Writes the files of a completed photo.

    Args:
        photo: the original.
        hole: bool (H, W).
        filled: the completed photo.
        name: first part of the names of files for download.
        before: file of the photo at the size of the canvas.
        folder: an existing folder for these files only.
    """
    part = surroundings(hole)

    def save_scaled(picture: np.ndarray, stem: str) -> Path:
        sheets.save(scale_to_canvas(picture[part]), path := folder / f"{stem}.png", compress_level=1)
        return path

    if photo.pixels[part].shape != photo.pixels.shape:
        before = save_scaled(photo.pixels, "before")
    answers = []
    for rank, picture in enumerate(filled.pictures, 1):
        suffix = f"_{rank}" if len(filled.pictures) > 1 else ""
        full = folder / f"{name}_completed{suffix}.png"
        full.write_bytes(to_png(picture, photo, hole))
        caption = f"{filled.scores[rank - 1]:.3f}" if filled.scores else None
        answers.append(Answer(save_scaled(picture, f"answer{rank}"), full, caption))
    gif = None
    if len(filled.frames) > 1:
        sheets.save_gif(filled.frames, gif := folder / "search.gif", GIF_SIDE)
    extras = [(save_scaled(picture, extra), EXTRAS[extra]) for extra, picture in filled.extras.items()]
    remarks = [to_sentence(remark) for remark in filled.remarks]
    return Results(before, answers, gif, extras, remarks, list(map(str, filled.holes)))


def surroundings(hole: np.ndarray) -> tuple[slice, slice]:
    """Rows and columns of a hole, bool (H, W), and half as much on each side; all of them if that is most of the photo."""
    if hole.any():
        spans = extent(hole)
        margin = max(end - begin for begin, end in spans) // 2
        rows, columns = (slice(max(0, begin - margin), end + margin) for begin, end in spans)
        if hole[rows, columns].size < hole.size / 2:
            return rows, columns
    return slice(None), slice(None)


def to_sentence(remark: str) -> str:
    """Makes a sentence of a remark, with a remedy that the page offers."""
    for remedy in (OTHERWISE, WHERE):  # the first contains the second
        remark = remark.replace(remedy, "choose another place under Settings")
    return f"{remark[:1].upper()}{remark[1:]}{'' if remark.endswith(('?', '.')) else '.'}"
