"""Files inside zip and parquet archives."""

import zipfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Protocol


def split_suffix(name: str) -> tuple[str, str]:
    """``a/b`` and ``.png`` of ``a/b.png``; quicker than ``pathlib``, which counts with a hundred thousand names."""
    folder, slash, last = name.rpartition("/")
    stem, dot, suffix = last.rpartition(".")
    return (folder + slash + stem, dot + suffix) if stem else (name, "")


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
