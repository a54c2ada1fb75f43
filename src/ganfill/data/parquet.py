"""Pictures in parquet files of Hugging Face's data sets: a column of file contents and, in most, of file names.

Needs pyarrow (the extra ``hub``). Rows are streamed a few at a time, so files may be larger than the memory.
"""

from bisect import bisect_right
from collections.abc import Iterator
from itertools import accumulate, islice
from pathlib import Path

import pyarrow as pa
from pyarrow import parquet

from ganfill.errors import UserError, first_line

COLUMN = "image"
BATCH = 16  # rows in memory at once
BUFFER = 1 << 20  # bytes read from disk at once
LARGE, EXPANSION = 1 << 26, 100  # bytes and factor above which a row group is refused; pictures are compressed already
DAMAGES = (pa.ArrowException, OSError)


class Pictures:
    """The pictures of one file, named by their row and, if stored, their file name.

    Args:
        path: the file.

    Raises:
        UserError: the file is damaged or not a parquet file; or it has no column of pictures, or several of which none is
            called ``image``.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._file = parquet.ParquetFile(path, buffer_size=BUFFER, pre_buffer=False)
        except DAMAGES as error:
            raise self._unsound(error) from None
        self.column, parts = _find_column(self._file.schema_arrow, path)
        self._content = f"{self.column}.bytes" if "bytes" in parts else self.column
        self._label = f"{self.column}.path" if "path" in parts else None
        metadata = self._file.metadata
        sizes = [metadata.row_group(group).num_rows for group in range(metadata.num_row_groups)]
        self._begins = [0, *accumulate(sizes)]  # first row of each row group, and the end
        self._group, self._next, self._stream = -1, 0, iter(())

    def names(self) -> Iterator[str]:
        """Yields the name of each row: ``000012``, or ``000012/portrait.png`` if the file name is stored.

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
                    name = str(label or "").replace("\\", "/").rpartition("/")[2]
                    yield f"{row:06}/{name}" if name else f"{row:06}"
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
        if group != self._group or row < self._next:
            self._group, self._next, self._stream = group, self._begins[group], self._read_group(group)
        content = next(islice(self._stream, row - self._next, None))
        self._next = row + 1
        if isinstance(content, OSError):
            raise content
        if not content.is_valid:
            raise OSError("there is no picture in this row")
        return content.as_py()

    def close(self) -> None:
        """Closes the file."""
        self._stream = iter(())
        self._file.close()

    def _unsound(self, error: Exception) -> UserError:
        return UserError(f"{self._path} is a damaged parquet file ({first_line(error)}): delete it and fetch it again")

    def _refuse_bomb(self, group: int) -> None:
        """Raises ``OSError`` if a row group expands as no pictures do; it would be expanded in memory."""
        columns = (self._file.metadata.row_group(group).column(n) for n in range(self._file.metadata.num_columns))
        sizes = [
            (c.total_uncompressed_size, c.total_compressed_size) for c in columns if c.path_in_schema == self._content
        ]
        if any(size > LARGE and size > EXPANSION * compressed for size, compressed in sizes):
            raise OSError(f"its row group expands more than {EXPANSION}-fold, as no pictures do")

    def _read_group(self, group: int) -> Iterator[pa.Scalar | OSError]:
        """Yields the contents of a row group; from damage on, an error for each row, without reading the group again."""
        try:
            self._refuse_bomb(group)
            for batch in self._file.iter_batches(BATCH, [group], [self._content], use_threads=False):
                column = batch.column(0)
                yield from column.field(0) if pa.types.is_struct(column.type) else column
            reason = "the file has fewer rows than its metadata says"
        except DAMAGES as error:
            reason = first_line(error)
        while True:
            yield OSError(reason)


def _find_column(schema: pa.Schema, path: Path) -> tuple[str, set[str]]:
    """The column of pictures and the names of its fields; none if the column holds plain contents."""
    found = {field.name: parts for field in schema if (parts := _parts(field.type)) is not None}
    name = COLUMN if COLUMN in found else next(iter(found), None)
    if name is None or (len(found) > 1 and name != COLUMN):
        columns = ", ".join(f"{field.name} ({field.type})" for field in schema)
        problem = f"none of them is named {COLUMN}" if found else "none of them holds file contents"
        raise UserError(f"{path} has the columns {columns}, and {problem}: give a data set with one column of pictures")
    return name, found[name]


def _parts(kind: pa.DataType) -> set[str] | None:
    """The fields of a type that holds contents of files; None for other types."""
    if pa.types.is_struct(kind):
        parts = {kind.field(number).name: kind.field(number).type for number in range(kind.num_fields)}
        return set(parts) if _is_binary(parts.get("bytes")) else None
    return set() if _is_binary(kind) else None


def _is_binary(kind: pa.DataType | None) -> bool:
    return kind is not None and (pa.types.is_binary(kind) or pa.types.is_large_binary(kind))
