"""Sources of pictures: folders, zip files and data sets on Hugging Face."""

import hashlib
import os
import stat
import zipfile
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, count
from pathlib import Path

from ganfill.data.archives import list_zip
from ganfill.errors import UserError


@dataclass(frozen=True)
class Source:
    """A folder, zip file or data set, with a listing of its files.

    Attributes:
        path: path of the folder or file.
        label: unique name without ``.zip``; repeated names get a number.
        files: sorted paths inside the source, with sizes in bytes (0 for rows of a parquet file).
        digest: SHA-256 of paths, sizes and, except in folders, checksums. It changes when the files change.
        repo: ``OWNER/NAME`` of a data set, otherwise None.
    """

    path: Path
    label: str
    files: dict[str, int]
    digest: str
    repo: str | None = None

    @property
    def name(self) -> str:
        """File name, such as ``thumbnails128x128`` or ``faces.zip``, or the repository of a data set."""
        return self.repo or self.path.resolve().name


def open_sources(sources: Sequence[Path | str], leave_out: Path) -> list[Source]:
    """Lists folders, zips and data sets. Hidden files and files below ``leave_out`` are skipped.

    Raises:
        UserError: a path does not exist or is neither a folder nor a zip file; see also ``ganfill.data.hub_source``.
    """
    opened: list[Source] = []
    for source in sources:
        path, label, files, repo = (
            _list_data_set(source) if is_data_set(source) else _list_path(Path(source), leave_out)
        )
        label = _choose_label(label, {other.label for other in opened})
        lines = sorted(f"{name}\t{size}\t{checksum}\n" for name, (size, checksum) in files.items())
        digest = hashlib.sha256("".join(lines).encode("utf-8", "surrogateescape")).hexdigest()
        sizes = {name: files[name][0] for name in sorted(files)}
        opened.append(Source(path, label, sizes, digest, repo))
    return opened


def is_data_set(source: Path | str) -> bool:
    """Returns True if the source is a URL on Hugging Face, ``hf://...``."""
    return str(source).startswith("hf://")


Listed = tuple[
    Path, str, dict[str, tuple[int, int]], str | None
]  # path, label, (size, checksum) of each file, repository


def _list_data_set(source: Path | str) -> Listed:
    from ganfill.data.hub_source import open_data_set  # imports an HTTP client and needs an extra

    snapshot, files = open_data_set(str(source))
    return snapshot.path, snapshot.name.split("/")[1], files, snapshot.name


def _list_path(path: Path, leave_out: Path) -> Listed:
    if not path.exists():
        raise UserError(f"source={path} does not exist: give a folder of pictures or a zip file")
    try:
        files = dict(_list_folder(path, leave_out) if path.is_dir() else list_zip(path))
    except (zipfile.BadZipFile, OSError) as error:
        raise UserError(f"source={path} is neither a folder nor an intact zip file: {error}") from None
    return path, path.resolve().name.removesuffix(".zip"), files, None


def _choose_label(name: str, taken: Collection[str]) -> str:
    numbered = (f"{name}-{number}" for number in count(2))
    return next(label for label in chain([name], numbered) if label not in taken)


def _list_folder(folder: Path, leave_out: Path) -> Iterator[tuple[str, tuple[int, int]]]:
    skipped, visited = os.path.realpath(leave_out), set()
    for directory, folders, names in os.walk(folder, followlinks=True):
        real = os.path.realpath(directory)
        if real in visited or real == skipped:  # visited before: a circular link
            folders.clear()
            continue
        visited.add(real)
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        relative = Path(directory).relative_to(folder).as_posix()
        prefix = "" if relative == "." else f"{relative}/"
        for name in names:
            if not name.startswith(".") and (size := _file_size(Path(directory, name))) is not None:
                yield prefix + name, (size, 0)


def _file_size(path: Path) -> int | None:
    """Returns the size in bytes, or None if the path is not a regular file or a broken link."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_size if stat.S_ISREG(status.st_mode) else None
