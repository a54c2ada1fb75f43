"""Append-only record of results: JSON lines, of which the last one of a name counts."""

import json
import os
import re
import weakref
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from io import FileIO
from pathlib import Path
from typing import Any

from ganfill.files import naming, write_atomically

Entry = dict[str, Any]


class Record(Mapping[str, Entry]):
    """Entries by name, in a file. Memory holds only their positions.

    A new entry is one short write, however many there are. A line begins with its line feed, so that a line that a kill or
    a full disk has torn does not spoil the next one. Lines that are not valid are passed over.

    Args:
        path: the file; created by the first entry.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._positions: dict[str, tuple[int, int]] = {}  # begin and length of the line
        begin = 0
        if path.exists():
            with path.open("rb") as lines:
                for line in lines:
                    if named := _parse(line):
                        self._positions[named[0]] = begin, len(line)
                    begin += len(line)

    @cached_property
    def _file(self) -> FileIO:
        file = self.path.open("a+b", buffering=0)
        weakref.finalize(self, file.close)
        return file

    def __getitem__(self, name: str) -> Entry:
        """Reads the entry of a name."""
        begin, length = self._positions[name]
        self._file.seek(begin)
        named = _parse(self._file.read(length))
        if named is None:
            raise OSError(f"{self.path} was changed by another program")
        return named[1]

    def __setitem__(self, name: str, entry: Entry) -> None:
        """Appends an entry.

        Raises:
            OSError: it cannot be written; the former entry of the name stays.
        """
        line = _line(name, entry)
        with naming(self.path):
            begin, rest = self._file.seek(0, 2), line
            while rest:  # on a full disk, the first write may be too short, and the next one raises
                rest = rest[self._file.write(rest) :]
        self._positions[name] = begin + 1, len(line) - 1

    def __contains__(self, name: object) -> bool:
        """True if a name has an entry."""
        return name in self._positions

    def __iter__(self) -> Iterator[str]:
        """Yields the names."""
        return iter(self._positions)

    def __len__(self) -> int:
        """Number of names."""
        return len(self._positions)


def write_record(path: Path, entries: Iterable[tuple[str, Entry]]) -> None:
    """Replaces a record by one with the valid ones of ``entries``."""

    def write(partial: Path) -> None:
        with partial.open("wb") as file:
            file.writelines(_line(name, entry) for name, entry in entries if is_valid(entry))

    write_atomically(path, write)


def is_valid(entry: Any) -> bool:
    """True if an entry lists files, all of them in the folder."""
    files = entry.get("files") if isinstance(entry, dict) else None
    return isinstance(files, list) and all(isinstance(file, str) and _is_inside(file) for file in files)


def _is_inside(file: str) -> bool:
    return not os.path.isabs(file) and ".." not in re.split(r"[/\\]", file)  # noqa: PTH117  # a Path is far slower


def _line(name: str, entry: Entry) -> bytes:
    return b"\n" + json.dumps([name, entry]).encode()


def _parse(line: bytes) -> tuple[str, Entry] | None:
    """The name and the entry of a line, or None."""
    try:
        name, entry = json.loads(line)
    except (ValueError, TypeError, RecursionError):
        return None
    return (name, entry) if isinstance(name, str) and is_valid(entry) else None
