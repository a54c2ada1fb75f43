"""Where pictures come from: folders at any depth and zip files."""

import hashlib
import os
import stat
import zipfile
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, count
from pathlib import Path, PurePosixPath

from ganfill.errors import UserError


@dataclass(frozen=True)
class Source:
    """A folder or a zip file and what is in it.

    Attributes:
        path: where it is.
        label: its name without ``.zip``, with a number if another source before it has the same.
        files: paths inside it and their sizes in bytes, sorted by path.
        digest: sha256 of paths, sizes and, in a zip, checksums; tells whether the files changed.
    """

    path: Path
    label: str
    files: dict[str, int]
    digest: str

    @property
    def name(self) -> str:
        """Its file name, such as ``thumbnails128x128`` or ``faces.zip``."""
        return self.path.resolve().name


def open_sources(paths: Sequence[Path], leave_out: Path) -> list[Source]:
    """Lists what is in folders and zips; hidden files and those below ``leave_out`` are not seen.

    Raises:
        UserError: a path does not exist, or is neither a folder nor a zip file.
    """
    sources: list[Source] = []
    for path in paths:
        if path.is_dir():
            files = dict(_list_folder(path, leave_out))
        elif not path.exists():
            raise UserError(f"source={path} does not exist: give a folder of pictures or a zip file")
        else:
            files = dict(_list_zip(path))
        label = _choose_label(path.resolve().name.removesuffix(".zip"), {source.label for source in sources})
        lines = sorted(f"{name}\t{size}\t{checksum}\n" for name, (size, checksum) in files.items())
        digest = hashlib.sha256("".join(lines).encode("utf-8", "surrogateescape")).hexdigest()
        sizes = {name: files[name][0] for name in sorted(files)}
        sources.append(Source(path, label, sizes, digest))
    return sources


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


def _list_zip(path: Path) -> Iterator[tuple[str, tuple[int, int]]]:
    try:
        with zipfile.ZipFile(path) as archive:
            for info in archive.infolist():
                hidden = any(part.startswith((".", "__MACOSX")) for part in PurePosixPath(info.filename).parts)
                if not info.is_dir() and not hidden:
                    yield info.filename, (info.file_size, info.CRC)
    except (zipfile.BadZipFile, OSError) as error:
        raise UserError(f"source={path} is neither a folder nor a sound zip file: {error}") from None


LARGEST = 1 << 30  # bytes; no picture that could be decoded is larger


class Reader:
    """Reads files of sources; keeps the zips open that it has opened.

    Args:
        paths: of the sources.
    """

    def __init__(self, paths: Sequence[Path]) -> None:
        self._paths = list(paths)
        self._folders = [path.is_dir() for path in paths]
        self._archives: dict[int, zipfile.ZipFile] = {}

    def read(self, source: int, name: str) -> bytes:
        """The content of a file.

        Raises:
            OSError: it cannot be read, or not as its zip's checksum says, or is too large to be a picture.
        """
        path = self._paths[source]
        if self._folders[source]:
            _refuse_giant((path / name).stat().st_size)
            return (path / name).read_bytes()
        try:
            if source not in self._archives:
                self._archives[source] = zipfile.ZipFile(path)
            _refuse_giant(self._archives[source].getinfo(name).file_size)
            return self._archives[source].read(name)
        except OSError:
            raise
        except Exception as error:  # a bad checksum, a password, an unknown compression: zipfile has no common class
            raise OSError(str(error)) from None

    def close(self) -> None:
        """Closes the zips."""
        for archive in self._archives.values():
            archive.close()
        self._archives.clear()


def _refuse_giant(size: int) -> None:
    if size > LARGEST:
        raise OSError(f"larger than {LARGEST >> 30} GB")
