"""Safe access to uploaded files: a client's path counts only if it is a regular file in the upload folder."""

import math
import os
import stat
from pathlib import Path
from typing import Any

from ganfill.app.errors import RequestError, TooLarge

# Neither follow a link that replaced the file, nor wait for the other end of a pipe; some flags are unknown on Windows.
FLAGS = os.O_RDONLY | sum(getattr(os, name, 0) for name in ("O_NOFOLLOW", "O_NONBLOCK", "O_BINARY"))
NOT_UPLOADED = "the file was not uploaded here: choose it again"
MAX_DEPTH = 16  # of nested lists and dicts; the page sends 3


def locate(upload: object, folder: Path) -> Path:
    """Returns the resolved path of an upload.

    Args:
        upload: as the client sent it; ``{"path": ...}`` if it is valid.
        folder: the upload folder.

    Raises:
        RequestError: it is not a regular file below ``folder``. The message is the same in all cases, so that it does not
            reveal which files exist.
    """
    path = upload.get("path") if isinstance(upload, dict) else None
    if isinstance(path, str):
        try:
            resolved = Path(path).resolve(strict=True)
            if folder.resolve() in resolved.parents and stat.S_ISREG(resolved.stat().st_mode):
                return resolved
        except (OSError, RuntimeError, ValueError):  # it does not exist, is a circular link, or holds a NUL byte
            pass
    raise RequestError(NOT_UPLOADED)


def read(upload: object, folder: Path, megabytes: float) -> bytes:
    """Returns the content of an upload, see ``locate``.

    Raises:
        RequestError: it is not a file below ``folder``.
        TooLarge: it is larger than ``megabytes``.
    """
    path = locate(upload, folder)
    try:
        with os.fdopen(os.open(path, FLAGS), "rb") as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise RequestError(NOT_UPLOADED)
            content = file.read(int(megabytes * 1e6) + 1)
    except OSError:
        raise RequestError(NOT_UPLOADED) from None
    if len(content) > megabytes * 1e6:
        raise TooLarge(
            f"“{path.name}” is {status.st_size / 1e6:.3g} MB, the limit is {megabytes:g} MB: shrink the picture"
        )
    return content


def sanitize(value: Any, folder: Path, depth: int = MAX_DEPTH) -> Any:
    """Returns an event's values with every file reduced to the path of an upload.

    Gradio copies every path and downloads every URL that it finds in the values, at any depth, before it handles an event.

    Args:
        value: decoded JSON.
        folder: the upload folder.
        depth: nesting of lists and dicts that is accepted.

    Raises:
        RequestError: a file was not uploaded, a number is not finite, or the nesting is too deep.
    """
    if depth < 0:
        raise RequestError("the values are nested too deeply: reload the page")
    if isinstance(value, float) and not math.isfinite(value):
        raise RequestError(f"numbers must be finite, got {value}")
    if isinstance(value, list):
        return [sanitize(item, folder, depth - 1) for item in value]
    if not isinstance(value, dict):
        return value
    if "path" in value:
        return {"path": str(locate(value, folder)), "meta": {"_type": "gradio.FileData"}}
    return {key: sanitize(item, folder, depth - 1) for key, item in value.items()}
