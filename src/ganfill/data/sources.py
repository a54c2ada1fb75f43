"""Where pictures come from: folders at any depth, zip files and data sets on Hugging Face."""

import hashlib
import os
import stat
import zipfile
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, count
from pathlib import Path, PurePosixPath
from typing import Protocol

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
        UserError: a path does not exist, or is neither a folder nor a zip file; or see ``ganfill.data.dataset``.
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
    from ganfill.data.dataset import open_data_set  # a whole HTTP client, and an extra

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


def split_suffix(name: str) -> tuple[str, str]:
    """``a/b`` and ``.png`` of ``a/b.png``; quicker than ``pathlib``, which counts with a hundred thousand names."""
    folder, slash, last = name.rpartition("/")
    stem, dot, suffix = last.rpartition(".")
    return (folder + slash + stem, dot + suffix) if stem else (name, "")


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


def list_zip(path: Path) -> Iterator[tuple[str, tuple[int, int]]]:
    """The files in a zip, their sizes in bytes and checksums; hidden ones are not seen.

    Raises:
        BadZipFile: it is none.
        OSError: it cannot be read.
    """
    with zipfile.ZipFile(path) as archive:
        for info in archive.infolist():
            hidden = any(part.startswith((".", "__MACOSX")) for part in PurePosixPath(info.filename).parts)
            if not info.is_dir() and not hidden:
                yield info.filename, (info.file_size, info.CRC)


class _Archive(Protocol):
    """A file that holds files."""

    def read(self, name: str, /) -> bytes: ...

    def close(self) -> None: ...


class _Zip:
    """A zip file."""

    def __init__(self, path: Path) -> None:
        self._file = zipfile.ZipFile(path)

    def read(self, name: str) -> bytes:
        _refuse_giant(self._file.getinfo(name).file_size)
        return self._file.read(name)

    def close(self) -> None:
        self._file.close()


def _open_parquet(path: Path) -> _Archive:
    from ganfill.data.parquet import Pictures  # it needs an extra

    return Pictures(path)


ZIP, PARQUET = ".zip", ".parquet"
ARCHIVES: dict[str, Callable[[Path], _Archive]] = {ZIP: _Zip, PARQUET: _open_parquet}
LARGEST = 1 << 30  # bytes; no picture that could be decoded is larger


class Reader:
    """Reads files of sources; keeps the archives open that it has opened.

    Args:
        paths: of the sources.
    """

    def __init__(self, paths: Sequence[Path]) -> None:
        self._paths = list(paths)
        self._folders = [path.is_dir() for path in paths]
        self._archives: dict[Path, _Archive] = {}

    def read(self, source: int, name: str) -> bytes:
        """The content of a file.

        Raises:
            OSError: it cannot be read, or not as its zip's checksum says, or is too large to be a picture.
        """
        path = self._paths[source]
        archive, inside, kind = _find(path, name) if self._folders[source] else (path, name, _Zip)
        if kind is None:
            _refuse_giant(archive.stat().st_size)
            return archive.read_bytes()
        try:
            if archive not in self._archives:
                self._archives[archive] = kind(archive)
            return self._archives[archive].read(inside)
        except OSError:
            raise
        except Exception as error:  # a bad checksum, a password, an unknown compression: zipfile has no common class
            raise OSError(str(error)) from None

    def close(self) -> None:
        """Closes the archives."""
        for archive in self._archives.values():
            archive.close()
        self._archives.clear()


def _find(folder: Path, name: str) -> tuple[Path, str, Callable[[Path], _Archive] | None]:
    """Where a file of a folder is: the archive, its name in there and how to open that; or its own path, and None."""
    for end in [place for place, letter in enumerate(name) if letter == "/"]:
        kind = ARCHIVES.get(split_suffix(name[:end])[1].lower())
        if kind and (folder / name[:end]).is_file():
            return folder / name[:end], name[end + 1 :], kind
    return folder / name, "", None


def _refuse_giant(size: int) -> None:
    if size > LARGEST:
        raise OSError(f"larger than {LARGEST >> 30} GB")
