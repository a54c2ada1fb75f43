"""Where pictures come from: folders at any depth, zip files and data sets on Hugging Face."""

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
    """A folder, a zip file or a data set and what is in it.

    Attributes:
        path: where it is.
        label: its name without ``.zip``, with a number if another source before it has the same.
        files: paths inside it, sorted, and their sizes in bytes, 0 for rows of a parquet file.
        digest: sha256 of paths, sizes and, but in a folder, checksums; tells whether the files changed.
        given: the name of a data set, ``OWNER/NAME``; else None.
    """

    path: Path
    label: str
    files: dict[str, int]
    digest: str
    given: str | None = None

    @property
    def name(self) -> str:
        """Its file name, such as ``thumbnails128x128`` or ``faces.zip``; of a data set the name it was given."""
        return self.given or self.path.resolve().name


def open_sources(sources: Sequence[Path | str], leave_out: Path) -> list[Source]:
    """Lists what is in folders, zips and data sets; hidden files and those below ``leave_out`` are not seen.

    Raises:
        UserError: a path does not exist, or is neither a folder nor a zip file; or see ``ganfill.data.hub_source``.
    """
    opened: list[Source] = []
    for source in sources:
        path, label, files, given = (
            _list_data_set(source) if is_data_set(source) else _list_path(Path(source), leave_out)
        )
        label = _choose_label(label, {other.label for other in opened})
        lines = sorted(f"{name}\t{size}\t{checksum}\n" for name, (size, checksum) in files.items())
        digest = hashlib.sha256("".join(lines).encode("utf-8", "surrogateescape")).hexdigest()
        sizes = {name: files[name][0] for name in sorted(files)}
        opened.append(Source(path, label, sizes, digest, given))
    return opened


def is_data_set(source: Path | str) -> bool:
    """True for the name of a data set on Hugging Face (or of what could be mistaken for one), ``hf://...``."""
    return str(source).startswith("hf://")


Listed = tuple[Path, str, dict[str, tuple[int, int]], str | None]  # path, label, sizes and checksums, name if given


def _list_data_set(source: Path | str) -> Listed:
    from ganfill.data.hub_source import open_data_set  # a whole HTTP client, and an extra

    snapshot, files = open_data_set(str(source))
    return snapshot.path, snapshot.name.split("/")[1], files, snapshot.name


def _list_path(path: Path, leave_out: Path) -> Listed:
    if not path.exists():
        raise UserError(f"source={path} does not exist: give a folder of pictures or a zip file")
    try:
        files = dict(_list_folder(path, leave_out) if path.is_dir() else list_zip(path))
    except (zipfile.BadZipFile, OSError) as error:
        raise UserError(f"source={path} is neither a folder nor a sound zip file: {error}") from None
    return path, path.resolve().name.removesuffix(".zip"), files, None


def _choose_label(name: str, taken: Collection[str]) -> str:
    numbered = (f"{name}-{number}" for number in count(2))
    return next(label for label in chain([name], numbered) if label not in taken)


def _list_folder(folder: Path, leave_out: Path) -> Iterator[tuple[str, tuple[int, int]]]:
    avoided, visited = os.path.realpath(leave_out), set()
    for place, folders, names in os.walk(folder, followlinks=True):
        real = os.path.realpath(place)
        if real in visited or real == avoided:  # visited: a link that leads back
            folders.clear()
            continue
        visited.add(real)
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        inside = Path(place).relative_to(folder).as_posix()
        prefix = "" if inside == "." else f"{inside}/"
        for name in names:
            if not name.startswith(".") and (size := _file_size(Path(place, name))) is not None:
                yield prefix + name, (size, 0)


def _file_size(path: Path) -> int | None:
    """None if it is no file, such as a link that leads nowhere."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_size if stat.S_ISREG(found.st_mode) else None
