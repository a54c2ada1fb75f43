"""The unfinished image store: pictures appended to an array, and a journal that says what they are.

A run that is cut off at any moment leaves both in ``.partial``; the next one takes them up after the last entry of
the journal whose pictures are all there.
"""

import json
import shutil
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from ganfill.data.store import IMAGES, INDEX, UNFINISHED
from ganfill.errors import UserError
from ganfill.files import write_atomically

JOURNAL = "journal.jsonl"


@dataclass
class Progress:
    """What became of the files up to ``position``; a line of the journal is one of these.

    Attributes:
        position: the first file that is not dealt with.
        pictures: (file, sha256 of its pixels) of each picture kept, in the order of the array.
        skipped: (file, reason) of files that gave none.
        converted: (file, what was converted) of pictures that were not plain RGB.
    """

    position: int = 0
    pictures: list[tuple[int, str]] = field(default_factory=list)
    skipped: list[tuple[int, str]] = field(default_factory=list)
    converted: list[tuple[int, str]] = field(default_factory=list)

    def extend(self, later: "Progress") -> None:
        """Adds what followed."""
        self.position = later.position
        self.pictures += later.pictures
        self.skipped += later.skipped
        self.converted += later.converted


class Unfinished:
    """Appends pictures to the store in ``out``, or continues it.

    Args:
        out: the store's directory.
        settings: all that the result depends on, plain values.
        resolution: side of the pictures.

    Raises:
        UserError: what is there was begun with other settings, or is not ganfill's.
    """

    def __init__(self, out: Path, settings: dict[str, Any], resolution: int) -> None:
        self.out, self.resolution, self.progress = out, resolution, Progress()
        self._place = out / UNFINISHED
        images, journal = self._place / IMAGES, self._place / JOURNAL
        if (out / IMAGES).exists():
            if images.exists() or not journal.exists():
                raise UserError(f"{out / IMAGES} is not of an image store: give another out")
            (out / IMAGES).replace(images)  # cut off between the array's renaming and the index
        try:
            self._place.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UserError(f"{out} cannot be made a directory ({error.strerror}): give another out") from None
        images.touch()  # before the journal: a journal alone says that its array was renamed
        journal.touch()
        self._journal, self._images = journal.open("r+b"), images.open("r+b")
        try:
            self._continue(settings)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> "Unfinished":
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        self.close()

    def _continue(self, settings: dict[str, Any]) -> None:
        begin, row, room = len(self._header(0)), self.resolution**2 * 3, self._images.seek(0, 2)
        lines = self._journal.read().splitlines(keepends=True)
        sound = 0
        for number, line in enumerate(lines):
            if not line.endswith(b"\n"):
                break
            try:
                content = json.loads(line)
                if number == 0:
                    refuse_others(self.out, content, settings)
                else:
                    later = Progress(**content)
                    if begin + (len(self.progress.pictures) + len(later.pictures)) * row > room:
                        break
                    self.progress.extend(later)
            except (ValueError, TypeError, KeyError, AttributeError):
                raise UserError(f"{self._place / JOURNAL} is damaged: delete {self._place} to begin anew") from None
            sound += len(line)
        self._journal.seek(sound)
        self._journal.truncate()
        if not sound:
            self._write(settings)
        self._images.seek(0)
        self._images.write(self._header(0))
        self._images.truncate(begin + len(self.progress.pictures) * row)
        self._images.seek(0, 2)

    def add(self, pixels: np.ndarray, later: Progress) -> None:
        """Appends pictures, uint8 (K, R, R, 3), and then the line that vouches for them."""
        self._images.write(np.ascontiguousarray(pixels).data)
        self._images.flush()
        self._write(vars(later))
        self.progress.extend(later)

    def finish(self, index: str) -> None:
        """Turns what there is into a finished store; ``index.json`` comes last and vouches for the rest."""
        self._images.seek(0)
        self._images.write(self._header(len(self.progress.pictures)))
        self.close()
        (self._place / IMAGES).replace(self.out / IMAGES)
        write_atomically(self.out / INDEX, index)
        self.discard()

    def discard(self) -> None:
        """Deletes what is unfinished, and the directory if nothing else is in it."""
        self.close()
        shutil.rmtree(self._place)
        with suppress(OSError):
            self.out.rmdir()

    def close(self) -> None:
        """Closes the files."""
        self._journal.close()
        self._images.close()

    def _write(self, content: dict[str, Any]) -> None:
        self._journal.write(json.dumps(content).encode() + b"\n")
        self._journal.flush()

    def _header(self, n: int) -> bytes:
        """The beginning of ``images.npy`` for ``n`` pictures; numpy leaves room, so its length is that of any n."""
        shape = (n, self.resolution, self.resolution, 3)
        text = f"{{'descr': '|u1', 'fortran_order': False, 'shape': {shape}, }}"
        return b"\x93NUMPY\x01\x00\x76\x00" + text.ljust(117).encode() + b"\n"


def refuse_others(out: Path, found: dict[str, Any], wanted: dict[str, Any]) -> None:
    """Raises ``UserError`` if a store was made, or begun, with other settings; names the keys that differ."""
    differing = [key for key in wanted if found.get(key) != wanted[key]]
    if not differing:
        return
    if "source" in differing and [s["name"] for s in found["source"]] == [s["name"] for s in wanted["source"]]:
        differing[differing.index("source")] = "source (other files in it)"
    raise UserError(f"{out} was prepared with another {', '.join(differing)}: give another out or delete it")
