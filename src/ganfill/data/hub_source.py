"""Data sets on Hugging Face as sources: their parquet files, or otherwise their pictures and zips of pictures."""

import zipfile
from collections.abc import Collection, Iterator
from importlib.util import find_spec
from pathlib import Path, PurePosixPath

from PIL import Image

from ganfill.data.archives import PARQUET, ZIP, list_zip
from ganfill.errors import UserError
from ganfill.model_io import hub


def open_data_set(name: str) -> tuple[hub.Snapshot, dict[str, tuple[int, int]]]:
    """Fetches the files of a data set that are not in Hugging Face's cache yet, and lists its pictures.

    Args:
        name: ``hf://datasets/OWNER/NAME[@REVISION][/FOLDER]``.

    Returns:
        The snapshot, and for each picture its path (through its parquet file or zip), its size in bytes (0 in a parquet
        file) and a checksum (in a parquet file, the checksum of the whole file).

    Raises:
        UserError: the data set has no pictures or a damaged file; see also ``ganfill.model_io.hub``.
    """
    snapshot = hub.fetch_data_set(name, lambda paths: choose(name, paths))
    files: dict[str, tuple[int, int]] = {}
    for file, content in snapshot.files.items():
        files.update(_list(name, snapshot.path, file, int(content, 16)))
    return snapshot, files


def choose(name: str, paths: Collection[str]) -> list[str]:
    """Selects the files to fetch: all parquet files, or otherwise all pictures and zips.

    Raises:
        UserError: there is none.
    """
    suffixes = {path: PurePosixPath(path).suffix.lower() for path in paths if not f"/{path}".count("/.")}
    if tables := [path for path, suffix in suffixes.items() if suffix == PARQUET]:
        _check_pyarrow(name)
        return tables
    known = {suffix for suffix, kind in Image.registered_extensions().items() if kind in Image.OPEN} | {ZIP}
    if pictures := [path for path, suffix in suffixes.items() if suffix in known]:
        return pictures
    names = ", ".join(sorted({suffix or "no suffix" for suffix in suffixes.values()})) or "nothing"
    raise UserError(f"source={name} holds no parquet files, pictures or zips of pictures, only {names}")


def _check_pyarrow(name: str) -> None:
    """Raises ``UserError`` if pyarrow is missing, before gigabytes are downloaded."""
    if find_spec("pyarrow") is None:
        raise UserError(f"source={name} needs pyarrow: pip install 'ganfill[hub]'")


def _list(name: str, folder: Path, file: str, content: int) -> Iterator[tuple[str, tuple[int, int]]]:
    """Yields the pictures in one file, which may be a picture itself."""
    path, suffix = folder / file, PurePosixPath(file).suffix.lower()
    if suffix == PARQUET:
        from ganfill.data.parquet import Pictures

        pictures = Pictures(path)
        yield from ((f"{file}/{row}", (0, content)) for row in pictures.names())
        pictures.close()
    elif suffix == ZIP:
        try:
            yield from ((f"{file}/{member}", entry) for member, entry in list_zip(path))
        except (zipfile.BadZipFile, OSError) as error:
            raise UserError(f"source={name}: {file} is a damaged zip file ({error}): leave it out") from None
    else:
        yield file, (path.stat().st_size, content)
