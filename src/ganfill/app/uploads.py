"""Files that a client names. A name is trusted only as far as a regular file of the pictures' folder stands behind it."""

import math
import os
import stat
from pathlib import Path
from typing import Any

from ganfill.app.errors import TooLarge, Unusable

# Not known everywhere: neither follow a link that took the file's place, nor wait for a pipe's other end.
CAREFULLY = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
NOT_UPLOADED = "this is no file that was uploaded here: choose it again"
DEPTH = 16  # of lists and dicts in one another; the page sends 3


def locate(upload: object, folder: Path) -> Path:
    """Where an upload lies.

    Args:
        upload: what the client sent, ``{"path": ...}`` if it is honest.
        folder: of the uploads.

    Returns:
        The resolved path of a regular file below ``folder``.

    Raises:
        Unusable: it is anything else.
    """
    path = upload.get("path") if isinstance(upload, dict) else None
    if not isinstance(path, str):
        raise Unusable(NOT_UPLOADED)
    try:
        found = Path(path).resolve(strict=True)
        if folder.resolve() in found.parents and stat.S_ISREG(found.stat().st_mode):
            return found
    except (OSError, RuntimeError, ValueError):  # not there; links in a circle; a NUL byte
        pass
    raise Unusable(NOT_UPLOADED)  # the same for all, or it would tell which files exist


def read(upload: object, folder: Path, megabytes: float) -> bytes:
    """The content of an upload, see ``locate``.

    Args:
        upload: what the client sent.
        folder: of the uploads.
        megabytes: that are read at most.

    Raises:
        Unusable: it is no file below ``folder``.
        TooLarge: it is larger than that.
    """
    path = locate(upload, folder)
    try:
        with os.fdopen(os.open(path, os.O_RDONLY | CAREFULLY), "rb") as file:
            found = os.fstat(file.fileno())
            if not stat.S_ISREG(found.st_mode):
                raise Unusable(NOT_UPLOADED)
            size, content = found.st_size, file.read(int(megabytes * 1e6) + 1)
    except OSError:
        raise Unusable(NOT_UPLOADED) from None
    if len(content) > megabytes * 1e6:
        raise TooLarge(f"{path.name} is {size / 1e6:.3g} MB: at most {megabytes:g} MB are taken, shrink it")
    return content


def cleaned(value: Any, folder: Path, depth: int = DEPTH) -> Any:
    """What a client sent for an event, its files reduced to paths of uploads.

    Gradio copies every path and fetches every address that it finds in there, at any depth, before an event begins.

    Args:
        value: as JSON gives it.
        folder: of the uploads.
        depth: of lists and dicts in one another that is taken.

    Raises:
        Unusable: a file is none that was uploaded, a number is not finite, or it is nested too deep.
    """
    if depth < 0:
        raise Unusable("the values are nested too deep: reload the page")
    if isinstance(value, float) and not math.isfinite(value):
        raise Unusable(f"{value} is no number: give one")
    if isinstance(value, list):
        return [cleaned(each, folder, depth - 1) for each in value]
    if not isinstance(value, dict):
        return value
    if "path" in value:
        return {"path": str(locate(value, folder)), "meta": {"_type": "gradio.FileData"}}
    return {key: cleaned(each, folder, depth - 1) for key, each in value.items()}
