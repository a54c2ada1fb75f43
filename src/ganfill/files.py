"""Atomic file writing."""

from collections.abc import Callable
from pathlib import Path


def partial_path(path: Path) -> Path:
    """Returns the temporary name, beside ``path``, of a file that is being written."""
    return path.with_name(f".partial-{path.name}")


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
        if callable(content):
            content(partial)
        else:
            partial.write_bytes(content.encode("utf-8", "replace") if isinstance(content, str) else content)
        partial.replace(path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
