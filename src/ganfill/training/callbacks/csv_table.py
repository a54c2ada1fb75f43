"""CSV files of a run directory that a resumed training continues."""

import csv
import io
import logging
from collections.abc import Iterable, Sequence
from itertools import count
from pathlib import Path

from ganfill.files import naming, write_atomically

log = logging.getLogger(__name__)


class CsvTable:
    """A CSV file with fixed columns, the first of which is kimg."""

    def __init__(self, path: Path, columns: Sequence[str]) -> None:
        self.path, self.columns = path, list(columns)

    def resume(self, images_seen: int, other: str = "") -> list[list[str]]:
        """Drops rows beyond ``images_seen``, which the training will repeat, and returns the others.

        A table with other columns, or one to which ``other`` applies, is kept under another name, and one line of the log
        says so.

        Args:
            images_seen: the clock of the checkpoint that is resumed.
            other: reason why the rows must not be continued.
        """
        header, rows = self._read()
        if header != self.columns:
            other = other or f"its columns were {', '.join(header)}"
        if rows and other:
            kept = self._retire()
            log.warning("%s begins anew: %s; the rows so far are kept in %s", self.path, other, kept.name)
        # A row that was being written when the training was killed is incomplete.
        complete = [] if other else [row for row in rows if len(row) == len(self.columns)]
        rows = [row for row in complete if round(float(row[0]) * 1000) <= images_seen]
        file = io.StringIO(newline="")
        csv.writer(file).writerows([self.columns, *rows])
        write_atomically(self.path, file.getvalue())
        return rows

    def append(self, rows: Iterable[Sequence[object]]) -> None:
        """Appends rows, whose cells are in the order of the columns."""
        with naming(self.path), self.path.open("a", newline="") as file:
            csv.writer(file).writerows(rows)

    def _read(self) -> tuple[list[str], list[list[str]]]:
        if not self.path.exists():
            return self.columns, []
        with self.path.open(newline="") as file:
            header, *rows = [*csv.reader(file)] or [[]]
        return header, rows

    def _retire(self) -> Path:
        """Renames the file: metrics.csv to metrics.old.csv or, if that exists, to metrics.old2.csv and so on."""
        stem, suffix = self.path.stem, self.path.suffix
        names = (f"{stem}.old{'' if number == 1 else number}{suffix}" for number in count(1))
        kept = next(path for path in map(self.path.with_name, names) if not path.exists())
        return self.path.rename(kept)
