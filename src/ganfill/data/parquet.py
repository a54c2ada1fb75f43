"""Pictures in a parquet file of a Hugging Face data set: a column of file contents, often with file names.

Needs pyarrow (the extra ``hub``). Files may be larger than memory: rows are read forward, a few at a time.
"""

from bisect import bisect_right
from collections.abc import Iterator
from itertools import accumulate
from pathlib import Path

import pyarrow as pa
from pyarrow import parquet

from ganfill.errors import UserError, first_line

COLUMN = "image"
BATCH = 16  # rows in memory at once
BUFFER = 1 << 20  # bytes read from disk at once
DAMAGES = (pa.ArrowException, OSError)


class Pictures:
    """The pictures of one parquet file, named by row and, if stored, file name.

    Args:
        path: the file.

    Raises:
        UserError: the file is damaged, has no column of pictures, or has several and none named ``image``.
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
        self._begins = [0, *accumulate(sizes)]  # first row of each row group, and the end
        self._damaged: dict[int, tuple[int, str]] = {}  # row group -> first unreadable row and reason
        self._restart(-1)

    def names(self) -> Iterator[str]:
        """Yields a name for each row in order: ``000012``, or ``000012/portrait.png`` if the file name is stored.

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
                    filename = str(label or "").replace("\\", "/").rpartition("/")[2]
                    yield f"{row:06}/{filename}" if filename else f"{row:06}"
                    row += 1
        except DAMAGES as error:
            raise self._unsound(error) from None

    def read(self, name: str) -> bytes:
        """Returns the content of the picture ``name``. Reading rows in order is fastest.

        Raises:
            OSError: the row is damaged or empty.
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
        return UserError(f"{self._path} is a damaged parquet file ({first_line(error)}): delete it and fetch it again")

    def _restart(self, group: int) -> None:
        """Moves to the first row of a row group; -1 for none."""
        self._group, self._rows = group, pa.array([], pa.binary())
        self._first = self._begins[group]
        columns = [self._content]
        self._batches = iter(()) if group < 0 else self._file.iter_batches(BATCH, [group], columns, use_threads=False)


def _contents(batch: pa.RecordBatch | None) -> pa.Array:
    """Returns the file contents in a batch, with or without a column of names."""
    if batch is None:
        raise OSError("the file has fewer rows than its metadata says")
    column = batch.column(0)
    return column.field(0) if pa.types.is_struct(column.type) else column


def _find_column(schema: pa.Schema, path: Path) -> tuple[str, set[str]]:
    """Returns the column of pictures and the names of its fields; no fields for plain contents."""
    found = {field.name: parts for field in schema if (parts := _parts(field.type)) is not None}
    name = COLUMN if COLUMN in found else next(iter(found), None)
    if name is None or (len(found) > 1 and name != COLUMN):
        columns = ", ".join(f"{field.name} ({field.type})" for field in schema)
        problem = f"none of them is named {COLUMN}" if found else "none of them holds file contents"
        raise UserError(f"{path} has the columns {columns}, and {problem}: give a data set with one column of pictures")
    return name, found[name]


def _parts(kind: pa.DataType) -> set[str] | None:
    """Returns the field names of a type that holds file contents, or None for any other type."""
    if pa.types.is_struct(kind):
        parts = {kind.field(number).name: kind.field(number).type for number in range(kind.num_fields)}
        return set(parts) if _is_binary(parts.get("bytes")) else None
    return set() if _is_binary(kind) else None


def _is_binary(kind: pa.DataType | None) -> bool:
    return kind is not None and (pa.types.is_binary(kind) or pa.types.is_large_binary(kind))
