"""Sources of pictures: folders at any depth, zip files and data sets on Hugging Face."""

import hashlib
import logging
import stat
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, count
from pathlib import Path

from ganfill.data.archives import list_zip
from ganfill.errors import UserError
from ganfill.files import identify, walk

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Source:
    """A folder, zip file or data set, and the files in it.

    Attributes:
        path: of the folder or zip file.
        name: file name, such as ``thumbnails128x128`` or ``faces.zip``; of a data set ``OWNER/NAME``.
        label: the name without owner or ``.zip``, numbered if an earlier source has the same label.
        files: sorted paths inside the source and their sizes in bytes, 0 for rows of a parquet file.
        digest: SHA-256 of paths, sizes and checksums (except in folders); changes if the files change.
    """

    path: Path
    name: str
    label: str
    files: dict[str, int]
    digest: str


def open_sources(sources: Sequence[Path | str], leave_out: Path) -> list[Source]:
    """Lists the files of folders, zip files and data sets, except hidden files and those below ``leave_out``.

    Raises:
        UserError: a path does not exist, or is neither a folder nor a zip file; or as in ``ganfill.data.hub_source``.
    """
    opened: list[Source] = []
    for source in sources:
        if str(source).startswith("hf://"):
            from ganfill.data.hub_source import open_data_set  # needs huggingface_hub, which is optional

            snapshot, files = open_data_set(str(source))
            path, name, label = snapshot.path, snapshot.name, snapshot.name.split("/")[1]
        else:
            path, files = Path(source), _list_path(Path(source), leave_out)
            name = identify(path).name
            label = name.removesuffix(".zip")
        taken = {other.label for other in opened}
        numbered = chain([label], (f"{label}-{number}" for number in count(2)))
        lines = sorted(f"{file}\t{size}\t{checksum}\n" for file, (size, checksum) in files.items())
        digest = hashlib.sha256("".join(lines).encode("utf-8", "surrogateescape")).hexdigest()
        sizes = {file: files[file][0] for file in sorted(files)}
        opened.append(Source(path, name, next(word for word in numbered if word not in taken), sizes, digest))
    return opened


def _list_path(path: Path, leave_out: Path) -> dict[str, tuple[int, int]]:
    """Size in bytes and checksum of each file."""
    if not path.exists():
        raise UserError(f"source={path} does not exist: give a folder of pictures or a zip file")
    if not (path.is_dir() or path.is_file()):  # a device or a pipe might be read without end
        raise UserError(
            f"source={path} is neither a folder nor a regular file: give a folder of pictures or a zip file"
        )
    try:
        return dict(_list_folder(path, leave_out) if path.is_dir() else list_zip(path))
    except (zipfile.BadZipFile, OSError) as error:
        raise UserError(f"source={path} is neither a folder nor an intact zip file: {error}") from None


def _list_folder(folder: Path, leave_out: Path) -> Iterator[tuple[str, tuple[int, int]]]:
    others = []
    for path in walk(folder, [leave_out]):
        if (size := _file_size(path)) is not None:
            yield path.relative_to(folder).as_posix(), (size, 0)
        else:
            others.append(path)
    if others:
        log.warning("skipped %d broken links or special files, such as %s", len(others), others[0])


def _file_size(path: Path) -> int | None:
    """Size in bytes; None if the path is not a file, such as a broken link."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_size if stat.S_ISREG(status.st_mode) else None
