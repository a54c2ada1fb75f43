"""Atomic file writing, the content of folders, and the identity of files: their hashes, and links."""

import hashlib
import os
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

LONGEST = 255 - len(".partial-")  # bytes of a name, on most file systems


def partial_path(path: Path) -> Path:
    """Returns the temporary name, beside ``path``, of a file that is being written."""
    name = path.name
    if len(name.encode("utf-8", "surrogateescape")) > LONGEST:
        name = f"{hashlib.sha256(name.encode('utf-8', 'surrogateescape')).hexdigest()}{path.suffix}"
    return path.with_name(f".partial-{name}")


def write_atomically(path: Path, content: str | bytes | Callable[[Path], object]) -> None:
    """Replaces a file as a whole; readers see either the old or the new content, never a part.

    Args:
        path: the file; its directory must exist.
        content: text, stored as UTF-8; bytes; or a function that writes a file to its argument.

    Raises:
        OSError: the file cannot be written. The old file is kept and no temporary file remains.
    """
    partial = partial_path(path)
    try:
        with naming(path):
            if callable(content):
                content(partial)
            else:
                partial.write_bytes(content.encode("utf-8", "replace") if isinstance(content, str) else content)
            partial.replace(path)
    except BaseException:
        with suppress(OSError):
            partial.unlink(missing_ok=True)
        raise


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Adds the name of a file to errors of the system within; a failed write, unlike a failed opening, names none."""
    try:
        yield
    except OSError as error:
        error.filename = str(path) if error.filename in (None, str(partial_path(path))) else error.filename
        raise


def sha256_of(path: Path) -> str:
    """Returns the SHA-256 of a file's content, 64 hex digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def identify(path: Path) -> Path:
    """Returns a file's real directory with the file's own name; a link does not get the name of its target."""
    path = Path(os.path.abspath(path))  # noqa: PTH100 (resolve would follow the link)
    return Path(os.path.realpath(path.parent), path.name)


def identities(paths: Collection[Path]) -> set[Path]:
    """Returns the identities of files and folders, and those of the targets of links."""
    return {identify(path) for path in paths} | {Path(os.path.realpath(path)) for path in paths}


def is_same(path: Path, other: Path) -> bool:
    """True if both paths name one existing file or folder."""
    return path.exists() and other.exists() and path.samefile(other)


def walk(folder: Path, leave_out: Collection[Path] = ()) -> Iterator[Path]:
    """Yields what is in a folder at any depth and is not a directory: files, links to files, and broken links.

    Links to directories are followed; a directory that is reached twice is visited once. Hidden files and directories, and
    those at or below ``leave_out``, are skipped; folders that contain ``folder`` itself are not left out.
    """
    excluded = identities(leave_out) - set(Path(os.path.realpath(folder)).parents)
    visited: set[str] = set()
    for directory, folders, names in os.walk(folder, followlinks=True):
        real = os.path.realpath(directory)
        if real in visited or not excluded.isdisjoint((Path(real), *Path(real).parents)):
            folders.clear()
            continue
        visited.add(real)
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            if not name.startswith(".") and Path(real, name) not in excluded:
                yield Path(directory, name)
