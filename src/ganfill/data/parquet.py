"""Pictures in a parquet file, as Hugging Face's data sets keep them: a column of file contents, and often of their names.

Needs pyarrow (the extra ``hub``). A file may be larger than the memory: its rows are read forward, a few at a time.
"""

from bisect import bisect_right
from collections.abc import Iterator
from itertools import accumulate
from pathlib import Path

import pyarrow as pa
from pyarrow import parquet

from ganfill.errors import UserError, first_line

COLUMN = "image"
BATCH = 16  # rows that are in memory at once
BUFFER = 1 << 20  # bytes read from disk at once
DAMAGES = (pa.ArrowException, OSError)


class Pictures:
    """The pictures of one file; they are called by their row and, where it is kept, their file's name.

    Args:
        path: the file.

    Raises:
        UserError: it is no sound parquet file, or has no column of pictures, or several and none called ``image``.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._file = parquet.ParquetFile(path, buffer_size=BUFFER, pre_buffer=False)
        except DAMAGES as error:
            raise self._unsound(error) from None
        self.column, kept = _find_column(self._file.schema_arrow, path)
        self._content = f"{self.column}.bytes" if "bytes" in kept else self.column
        self._label = f"{self.column}.path" if "path" in kept else None
        metadata = self._file.metadata
        sizes = [metadata.row_group(group).num_rows for group in range(metadata.num_row_groups)]
        self._begins = [0, *accumulate(sizes)]  # the first row of each group of rows, and the end
        self._damaged: dict[int, tuple[int, str]] = {}  # of a group: from which row on, and why
        self._restart(-1)

    def names(self) -> Iterator[str]:
        """A name for each row, in their order: ``000012``, or ``000012/portrait.png`` if that is what the file was called.

        Raises:
            UserError: the file is damaged.
        """
        if self._label is None:
            yield from (f"{row:06}" for row in range(self._begins[-1]))
            return
        row = 0
        try:
            for batch in self._file.iter_batches(1024, columns=[self._label], use_threads=False):
                for label in batch.column(0).field(0).to_pylist():
                    called = str(label or "").replace("\\", "/").rpartition("/")[2]
                    yield f"{row:06}/{called}" if called else f"{row:06}"
                    row += 1
        except DAMAGES as error:
            raise self._unsound(error) from None

    def read(self, name: str) -> bytes:
        """The content of the picture of that name. Rows are quickest in their order.

        Raises:
            OSError: the row is damaged or holds none.
        """
        row = int(name.partition("/")[0])
        group = bisect_right(self._begins, row) - 1
        if group != self._group or row < self._first:
            self._restart(group)
        since, reason = self._damaged.get(group, (row + 1, ""))
        if row >= since:
            raise OSError(reason)
        try:
            while row >= self._first + len(self._rows):
                self._first += len(self._rows)
                self._rows = _contents(next(self._batches, None))
            content = self._rows[row - self._first].as_py()
        except DAMAGES as error:
            self._damaged[group] = self._first, first_line(error)
            self._restart(-1)
            raise OSError(self._damaged[group][1]) from None
        if content is None:
            raise OSError("there is no picture in this row")
        return content

    def close(self) -> None:
        """Closes the file."""
        self._restart(-1)
        self._file.close()

    def _unsound(self, error: Exception) -> UserError:
        return UserError(f"{self._path} is no sound parquet file ({first_line(error)}): delete it and fetch it again")

    def _restart(self, group: int) -> None:
        """Makes the first row of a group the next one to be read; -1 for none."""
        self._group, self._rows = group, pa.array([], pa.binary())
        self._first = self._begins[group]
        columns = [self._content]
        self._batches = iter(()) if group < 0 else self._file.iter_batches(BATCH, [group], columns, use_threads=False)


def _contents(batch: pa.RecordBatch | None) -> pa.Array:
    """The contents in a batch, whether they stand alone or beside their names."""
    if batch is None:
        raise OSError("there are fewer rows than it says")
    column = batch.column(0)
    return column.field(0) if pa.types.is_struct(column.type) else column


def _find_column(schema: pa.Schema, path: Path) -> tuple[str, set[str]]:
    """The column of pictures and the names of its parts, none if it is plain contents."""
    found = {field.name: parts for field in schema if (parts := _parts(field.type)) is not None}
    name = COLUMN if COLUMN in found else next(iter(found), None)
    if name is None or (len(found) > 1 and name != COLUMN):
        columns = ", ".join(f"{field.name} ({field.type})" for field in schema)
        several = f"none of them is called {COLUMN}" if found else "none of them holds contents of files"
        raise UserError(f"{path} has the columns {columns}, and {several}: give a data set with one column of pictures")
    return name, found[name]


def _parts(kind: pa.DataType) -> set[str] | None:
    """The parts of a type that holds contents of files; None if it does not."""
    if pa.types.is_struct(kind):
        parts = {kind.field(number).name: kind.field(number).type for number in range(kind.num_fields)}
        return set(parts) if _is_binary(parts.get("bytes")) else None
    return set() if _is_binary(kind) else None


def _is_binary(kind: pa.DataType | None) -> bool:
    return kind is not None and (pa.types.is_binary(kind) or pa.types.is_large_binary(kind))
