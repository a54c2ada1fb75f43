"""The files of a finished completion that the page shows and hands out."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ganfill.app.web.canvas import shown
from ganfill.completion.pipeline import Filled
from ganfill.images import sheets
from ganfill.images.alignment import WHERE
from ganfill.images.photo import Photo, with_alpha

GIF_SIDE = 256
EXTRAS = {"mean": "the average", "uncertainty": "white: not known, black: sure"}


@dataclass(frozen=True)
class Answer:
    """A finished picture.

    Attributes:
        shown: a file at a handy size.
        full: a PNG file of the photo's size, with its transparency, colour profile and EXIF data.
        caption: its score, if it has one.
    """

    shown: Path
    full: Path
    caption: str | None


@dataclass(frozen=True)
class Results:
    """What a search gave.

    Attributes:
        before: the photo, a file at the same size as those of the answers.
        answers: the best first.
        gif: the search as it went, if it took steps.
        extras: further pictures with their captions.
        remarks: what the visitor should know, sentences.
    """

    before: Path
    answers: list[Answer]
    gif: Path | None
    extras: list[tuple[Path, str]]
    remarks: list[str]

    def files(self) -> list[Path]:
        """Those that were written for it."""
        files = [*(path for path, _ in self.extras), *([self.gif] if self.gif else [])]
        return files + [path for answer in self.answers for path in (answer.shown, answer.full)]


def write(photo: Photo, hole: np.ndarray, filled: Filled, name: str, before: Path, folder: Path) -> Results:
    """Writes the files of a completed photo.

    Args:
        photo: as it was.
        hole: bool (H, W).
        filled: its completion.
        name: that those to be handed out begin with.
        before: the photo as it is shown.
        folder: for these files alone.
    """

    def show(picture: np.ndarray, stem: str) -> Path:
        sheets.save(shown(picture), path := folder / f"{stem}.png", compress_level=1)
        return path

    answers = []
    for rank, picture in enumerate(filled.pictures, 1):
        end = f"_{rank}" if len(filled.pictures) > 1 else ""
        full = folder / f"{name}_completed{end}.png"
        finished = with_alpha(picture, photo, hole)
        sheets.save(finished, full, icc_profile=photo.profile, exif=photo.exif, compress_level=1)
        caption = f"{filled.scores[rank - 1]:.3f}" if filled.scores else None
        answers.append(Answer(show(picture, f"answer{rank}"), full, caption))
    gif = None
    if len(filled.frames) > 1:
        sheets.save_gif(filled.frames, gif := folder / "search.gif", GIF_SIDE)
    extras = [(show(picture, extra), EXTRAS[extra]) for extra, picture in filled.extras.items()]
    return Results(before, answers, gif, extras, [in_words(remark) for remark in filled.remarks])


def in_words(remark: str) -> str:
    """A remark as a sentence, its remedy one that the page has."""
    remark = remark.replace(WHERE, "under Settings you can let it look elsewhere")
    return f"{remark[:1].upper()}{remark[1:]}{'' if remark.endswith(('?', '.')) else '.'}"
