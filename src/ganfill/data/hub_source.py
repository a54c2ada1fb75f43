"""Data sets on Hugging Face as sources of pictures: their parquet files, or else their pictures and zip files."""

import zipfile
from collections.abc import Collection, Iterator
from pathlib import Path, PurePosixPath

from ganfill.data.archives import PARQUET, ZIP, list_zip
from ganfill.errors import UserError, require
from ganfill.images.formats import suffixes
from ganfill.model_io import hub


def open_data_set(name: str) -> tuple[hub.Snapshot, dict[str, tuple[int, int]]]:
    """Fetches what is not in Hugging Face's cache yet of a data set, and lists its pictures.

    Args:
        name: ``hf://datasets/OWNER/NAME[@REVISION][/FOLDER]``.

    Returns:
        The snapshot, and for each picture's path in it, inside its parquet or zip file if any, (size in bytes, checksum).
        In a parquet file the size is 0 and the checksum is that of the whole file.

    Raises:
        UserError: as in ``ganfill.model_io.hub``; there are no pictures of a known kind; a file is damaged.
    """
    snapshot = hub.fetch_data_set(name, lambda paths: _choose(name, paths))
    files: dict[str, tuple[int, int]] = {}
    for file, content in snapshot.files.items():
        files.update(_list(name, snapshot.path, file, int(content, 16)))
    return snapshot, files


def _choose(name: str, paths: Collection[str]) -> list[str]:
    """The files to fetch: all parquet files, or if there are none, all pictures and zip files."""
    ends = {path: PurePosixPath(path).suffix.lower() for path in paths if not f"/{path}".count("/.")}
    if tables := [path for path, suffix in ends.items() if suffix == PARQUET]:
        require(f"source={name}", "hub", "pyarrow")  # before gigabytes are fetched in vain
        return tables
    known = {*suffixes(), ZIP}
    if pictures := [path for path, suffix in ends.items() if suffix in known]:
        return pictures
    names = ", ".join(sorted({suffix or "no suffix" for suffix in ends.values()})) or "nothing"
    raise UserError(f"source={name} holds no parquet files, pictures or zips of pictures, only {names}")


def _list(name: str, folder: Path, file: str, content: int) -> Iterator[tuple[str, tuple[int, int]]]:
    path, suffix = folder / file, PurePosixPath(file).suffix.lower()
    if suffix == PARQUET:
        from ganfill.data.parquet import Pictures  # needs pyarrow, which is optional

        pictures = Pictures(path)
        yield from ((f"{file}/{row}", (0, content)) for row in pictures.names())
        pictures.close()
    elif suffix == ZIP:
        try:
            yield from ((f"{file}/{member}", facts) for member, facts in list_zip(path))
        except (zipfile.BadZipFile, OSError) as error:
            raise UserError(f"source={name}: {file} is a damaged zip file ({error}): leave it out") from None
    else:
        yield file, (path.stat().st_size, content)
