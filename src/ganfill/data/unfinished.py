"""Unfinished image stores: an array that grows, and a journal that describes its pictures.

An interrupted run leaves both in ``.partial``. The next run continues after the last journal entry whose pictures are
complete.
"""

import json
import shutil
from contextlib import suppress
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from ganfill.data.store import IMAGES, INDEX, UNFINISHED
from ganfill.errors import UserError
from ganfill.files import naming, write_atomically

JOURNAL = "journal.jsonl"


@dataclass
class Progress:
    """Results for the files before ``position``. Each journal line stores one of these.

    Attributes:
        position: number of the first unprocessed file.
        pictures: (file, sha256 of its pixels) of each stored picture, in array order.
        skipped: (file, reason) of files without a usable picture.
        converted: (file, conversions) of pictures that were not plain RGB.
    """

    position: int = 0
    pictures: list[tuple[int, str]] = field(default_factory=list)
    skipped: list[tuple[int, str]] = field(default_factory=list)
    converted: list[tuple[int, str]] = field(default_factory=list)

    def extend(self, later: "Progress") -> None:
        """Appends later results."""
        self.position = later.position
        self.pictures += later.pictures
        self.skipped += later.skipped
        self.converted += later.converted


class Unfinished:
    """Starts or continues the image store in ``out``.

    Args:
        out: directory of the store.
        settings: everything that determines the result, as plain values.
        resolution: side of the pictures, in pixels.

    Raises:
        UserError: ``out`` holds a store with other settings, or other files.
    """

    def __init__(self, out: Path, settings: dict[str, Any], resolution: int) -> None:
        self.out, self.resolution, self.progress = out, resolution, Progress()
        self._partial = out / UNFINISHED
        images, journal = self._partial / IMAGES, self._partial / JOURNAL
        if (out / IMAGES).exists():
            if images.exists() or not journal.exists():
                raise UserError(f"{out / IMAGES} does not belong to an image store: give another out")
            (out / IMAGES).replace(images)  # interrupted between renaming the array and writing the index
        try:
            self._partial.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UserError(f"{out} cannot be created ({error.strerror}): give another out") from None
        images.touch()  # before the journal: a journal alone means that the array was renamed
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
            except UserError:
                raise
            except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
                raise UserError(f"{self._partial / JOURNAL} is damaged: delete {self._partial} to begin anew") from None
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
        """Appends pictures, uint8 (K, R, R, 3), then the journal line that describes them."""
        with naming(self._partial / IMAGES):
            self._images.write(np.ascontiguousarray(pixels).data)
            self._images.flush()
        self._write(vars(later))
        self.progress.extend(later)

    def finish(self, index: str) -> None:
        """Finishes the store. ``index.json`` is written last: its presence means that the store is complete."""
        self._images.seek(0)
        self._images.write(self._header(len(self.progress.pictures)))
        self.close()
        (self._partial / IMAGES).replace(self.out / IMAGES)
        write_atomically(self.out / INDEX, index)
        self.discard()

    def discard(self) -> None:
        """Deletes the unfinished files, and the directory if it is empty."""
        self.close()
        shutil.rmtree(self._partial)
        with suppress(OSError):
            self.out.rmdir()

    def close(self) -> None:
        """Closes the files."""
        with naming(self._partial):  # what is still in their buffers is written now
            try:
                self._journal.close()
            finally:
                self._images.close()

    def _write(self, content: dict[str, Any]) -> None:
        with naming(self._partial / JOURNAL):
            self._journal.write(json.dumps(content).encode() + b"\n")
            self._journal.flush()

    def _header(self, n: int) -> bytes:
        """Returns the header of ``images.npy`` for ``n`` pictures, which numpy pads to the same length for any n."""
        header, shape = BytesIO(), (n, self.resolution, self.resolution, 3)
        np.lib.format.write_array_header_1_0(header, {"descr": "|u1", "fortran_order": False, "shape": shape})
        return header.getvalue()


def refuse_others(out: Path, found: dict[str, Any], wanted: dict[str, Any]) -> None:
    """Raises ``UserError`` if a store has other settings; the message names the keys."""
    differing = [key for key in wanted if found.get(key) != wanted[key]]
    if not differing:
        return
    if "source" in differing and [s["name"] for s in found["source"]] == [s["name"] for s in wanted["source"]]:
        differing[differing.index("source")] = "source (other files in it)"
    raise UserError(f"{out} was prepared with another {', '.join(differing)}: give another out or delete it")
