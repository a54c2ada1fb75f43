"""Kill-safe file writing."""

from collections.abc import Callable
from pathlib import Path


def partial_path(path: Path) -> Path:
    """The temporary name, beside ``path``, of a file that is being written."""
    return path.with_name(f".partial-{path.name}")


def write_atomically(path: Path, content: str | bytes | Callable[[Path], object]) -> None:
    """Replaces a file as a whole: whoever reads it sees the old content or the new, never a part.

    Args:
        path: where to; its directory must exist.
        content: text, stored as UTF-8; bytes; or a function that writes a file to the path it is given.

    Raises:
        OSError: the file cannot be written. The old one is intact and nothing is left behind.
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
