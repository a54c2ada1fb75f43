"""Reads files inside folders, zip files and parquet files."""

import logging
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

from ganfill.errors import first_line

log = logging.getLogger(__name__)

ZIP, PARQUET = ".zip", ".parquet"
STEP = 1 << 20  # bytes
LARGEST = 1 << 30  # bytes; no picture that can be decoded is larger


def split_suffix(name: str) -> tuple[str, str]:
    """Splits ``a/b.png`` into ``a/b`` and ``.png``; faster than ``pathlib`` for hundreds of thousands of names."""
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
        counts = Counter(info.filename for info in archive.infolist())
        if repeated := [name for name, count in counts.items() if count > 1]:
            log.warning("%s holds %d names twice, such as %s; the last file is used", path, len(repeated), repeated[0])
        for info in map(archive.getinfo, counts):
            hidden = any(part.startswith((".", "__MACOSX")) for part in PurePosixPath(info.filename).parts)
            if not info.is_dir() and not hidden:
                yield info.filename, (info.file_size, info.CRC)


class _Zip(zipfile.ZipFile):
    def read(self, name: Any, pwd: bytes | None = None) -> bytes:
        info = self.getinfo(name)
        _refuse_giant(info.file_size)
        if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):  # zipfile expands others without bound
            raise OSError("compressed by another method than deflate")
        with self.open(info, pwd=pwd) as member:  # in steps, which zipfile expands before it looks at the declared size
            return b"".join(iter(partial(member.read, STEP), b""))


def _open_parquet(path: Path) -> Any:
    from ganfill.data.parquet import Pictures  # needs pyarrow, which is optional

    return Pictures(path)


# An opened archive has ``read(name) -> bytes`` and ``close()``.
ARCHIVES: dict[str, Callable[[Path], Any]] = {ZIP: _Zip, PARQUET: _open_parquet}


class Reader:
    """Reads files of sources; archives stay open until ``close``.

    Args:
        paths: of the sources, folders or zip files.
    """

    def __init__(self, paths: Sequence[Path]) -> None:
        self._sources = [(path, path.is_dir()) for path in paths]
        self._archives: dict[Path, Any] = {}

    def read(self, source: int, name: str) -> bytes:
        """Returns the content of the file ``name`` in source number ``source``.

        Raises:
            OSError: the file cannot be read, does not match its checksum, or is too large to be a picture.
        """
        path, is_folder = self._sources[source]
        archive, member, opener = _locate(path, name) if is_folder else (path, name, _Zip)
        if opener is None:
            _refuse_giant(archive.stat().st_size)
            return archive.read_bytes()
        try:
            if archive not in self._archives:
                self._archives[archive] = opener(archive)
            return self._archives[archive].read(member)
        except OSError:
            raise
        except Exception as error:  # checksum, password, unknown compression: zipfile has no common class
            raise OSError(first_line(error)) from None

    def close(self) -> None:
        """Closes the archives."""
        for archive in self._archives.values():
            archive.close()
        self._archives.clear()


def _locate(folder: Path, name: str) -> tuple[Path, str, Callable[[Path], Any] | None]:
    """The archive that holds a file of a folder, its name in there and how to open it; or the file's own path and None."""
    for end in [position for position, letter in enumerate(name) if letter == "/"]:
        opener = ARCHIVES.get(split_suffix(name[:end])[1].lower())
        if opener and (folder / name[:end]).is_file():
            return folder / name[:end], name[end + 1 :], opener
    return folder / name, "", None


def _refuse_giant(size: int) -> None:
    if size > LARGEST:
        raise OSError(f"larger than {LARGEST >> 30} GB")
