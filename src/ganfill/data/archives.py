"""Files inside zip and parquet archives."""

import zipfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Protocol

from ganfill.errors import first_line


def split_suffix(name: str) -> tuple[str, str]:
    """Splits ``a/b.png`` into ``a/b`` and ``.png``. Much faster than ``pathlib`` for a hundred thousand names."""
    folder, slash, last = name.rpartition("/")
    stem, dot, suffix = last.rpartition(".")
    return (folder + slash + stem, dot + suffix) if stem else (name, "")


def list_zip(path: Path) -> Iterator[tuple[str, tuple[int, int]]]:
    """Yields the files in a zip with their sizes in bytes and CRC-32 checksums; hidden files are skipped.

    Raises:
        BadZipFile: the file is not a zip.
        OSError: the file cannot be read.
    """
    with zipfile.ZipFile(path) as archive:
        for info in archive.infolist():
            hidden = any(part.startswith((".", "__MACOSX")) for part in PurePosixPath(info.filename).parts)
            if not info.is_dir() and not hidden:
                yield info.filename, (info.file_size, info.CRC)


class _Archive(Protocol):
    """An open file that contains files."""

    def read(self, name: str, /) -> bytes: ...

    def close(self) -> None: ...


class _Zip:
    def __init__(self, path: Path) -> None:
        self._file = zipfile.ZipFile(path)

    def read(self, name: str) -> bytes:
        _refuse_giant(self._file.getinfo(name).file_size)
        return self._file.read(name)

    def close(self) -> None:
        self._file.close()


def _open_parquet(path: Path) -> _Archive:
    from ganfill.data.parquet import Pictures  # needs the extra ``hub``

    return Pictures(path)


ZIP, PARQUET = ".zip", ".parquet"
ARCHIVES: dict[str, Callable[[Path], _Archive]] = {ZIP: _Zip, PARQUET: _open_parquet}
LARGEST = 1 << 30  # bytes; Pillow decodes no picture that is larger


class Reader:
    """Reads files from sources. Archives stay open until ``close``.

    Args:
        paths: paths of the sources.
    """

    def __init__(self, paths: Sequence[Path]) -> None:
        self._paths = list(paths)
        self._folders = [path.is_dir() for path in paths]
        self._archives: dict[Path, _Archive] = {}

    def read(self, source: int, name: str) -> bytes:
        """Returns the content of the file ``name`` in source number ``source``.

        Raises:
            OSError: the file cannot be read, fails its checksum, or is too large to be a picture.
        """
        path = self._paths[source]
        archive, member, open_archive = _locate(path, name) if self._folders[source] else (path, name, _Zip)
        if open_archive is None:
            _refuse_giant(archive.stat().st_size)
            return archive.read_bytes()
        try:
            if archive not in self._archives:
                self._archives[archive] = open_archive(archive)
            return self._archives[archive].read(member)
        except OSError:
            raise
        except Exception as error:  # bad checksum, password, unknown compression: zipfile has no common base class
            raise OSError(first_line(error)) from None

    def close(self) -> None:
        """Closes the archives."""
        for archive in self._archives.values():
            archive.close()
        self._archives.clear()


def _locate(folder: Path, name: str) -> tuple[Path, str, Callable[[Path], _Archive] | None]:
    """Finds a file of a folder: archive, member name and function that opens the archive; or path, "" and None."""
    for end in [i for i, letter in enumerate(name) if letter == "/"]:
        open_archive = ARCHIVES.get(split_suffix(name[:end])[1].lower())
        if open_archive and (folder / name[:end]).is_file():
            return folder / name[:end], name[end + 1 :], open_archive
    return folder / name, "", None


def _refuse_giant(size: int) -> None:
    if size > LARGEST:
        raise OSError(f"larger than {LARGEST >> 30} GB")
