"""Atomic file writing."""

import hashlib
from collections.abc import Callable, Iterator
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
