"""A data set on Hugging Face as a source of pictures: its parquet files, or else its pictures and zips of pictures."""

import zipfile
from collections.abc import Collection, Iterator
from importlib.util import find_spec
from pathlib import Path, PurePosixPath

from PIL import Image

from ganfill.data.archives import PARQUET, ZIP, list_zip
from ganfill.errors import UserError
from ganfill.model_io import hub


def open_data_set(name: str) -> tuple[hub.Snapshot, dict[str, tuple[int, int]]]:
    """Fetches a data set, or what of it is not in Hugging Face's cache yet, and lists its pictures.

    Args:
        name: ``hf://datasets/OWNER/NAME[@REVISION][/FOLDER]``.

    Returns:
        What was fetched; and of each picture its path in there, through the parquet file or zip that holds it, and its
        size in bytes (0 in a parquet file) and a checksum (in a parquet file that of the whole file).

    Raises:
        UserError: see ``ganfill.model_io.hub``; or it holds no pictures of a kind that is known, or a file of it is damaged.
    """
    snapshot = hub.fetch_data_set(name, lambda paths: choose(name, paths))
    files: dict[str, tuple[int, int]] = {}
    for file, content in snapshot.files.items():
        files.update(_list(name, snapshot.path, file, int(content, 16)))
    return snapshot, files


def choose(name: str, paths: Collection[str]) -> list[str]:
    """Which files of a data set are fetched: all parquet files; if there are none, all pictures and zips.

    Raises:
        UserError: there are none of either.
    """
    seen = {path: PurePosixPath(path).suffix.lower() for path in paths if not f"/{path}".count("/.")}
    if tables := [path for path, suffix in seen.items() if suffix == PARQUET]:
        _check_pyarrow(name)
        return tables
    known = {suffix for suffix, kind in Image.registered_extensions().items() if kind in Image.OPEN} | {ZIP}
    if pictures := [path for path, suffix in seen.items() if suffix in known]:
        return pictures
    kinds = ", ".join(sorted({suffix or "no ending" for suffix in seen.values()})) or "nothing"
    raise UserError(f"source={name} holds neither parquet files nor pictures nor zips of them, but {kinds}")


def _check_pyarrow(name: str) -> None:
    """Raises ``UserError`` if there is no pyarrow; asked before gigabytes are fetched in vain."""
    if find_spec("pyarrow") is None:
        raise UserError(f"source={name} needs pyarrow: pip install 'ganfill[hub]'")


def _list(name: str, folder: Path, file: str, content: int) -> Iterator[tuple[str, tuple[int, int]]]:
    """The pictures that one file is or holds."""
    path, suffix = folder / file, PurePosixPath(file).suffix.lower()
    if suffix == PARQUET:
        from ganfill.data.parquet import Pictures

        pictures = Pictures(path)
        yield from ((f"{file}/{row}", (0, content)) for row in pictures.names())
        pictures.close()
    elif suffix == ZIP:
        try:
            yield from ((f"{file}/{member}", told) for member, told in list_zip(path))
        except (zipfile.BadZipFile, OSError) as error:
            raise UserError(f"source={name}: {file} in it is no sound zip file ({error}): leave it out") from None
    else:
        yield file, (path.stat().st_size, content)
