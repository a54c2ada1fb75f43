"""The temporary folder of a server's pictures, deleted when the server ends."""

import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from ganfill.app.errors import FolderFull

PREFIX = "ganfill-app-"
LOCK = "lock"  # held while the server lives; the system releases it if the server is killed
PICTURES = "pictures"
START_SECONDS = 60.0  # a new folder may have no lock file for this long
UPLOAD_SECONDS = 300.0  # since the last byte, in which an upload may go on; slower bodies are cut off earlier


@contextmanager
def temporary_folder() -> Iterator[Path]:
    """Creates an empty folder that only this user can enter, and deletes it at the end.

    Folders of this user's servers that were killed are deleted first.
    """
    for old in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        _remove_if_abandoned(old)
    folder, lock = _create()
    try:
        (folder / PICTURES).mkdir(0o700)
        yield (folder / PICTURES).resolve()
    finally:
        _remove(folder, lock)


def remove_unfinished(pictures: Path) -> None:
    """Deletes aborted uploads; Gradio writes them beside the folders of complete uploads."""
    for path in pictures.iterdir():
        with suppress(OSError):  # another request may have deleted it
            if path.is_file() and time.time() - path.stat().st_mtime > UPLOAD_SECONDS:
                path.unlink()


def check_room(pictures: Path, limit: int) -> None:
    """Raises ``FolderFull`` if the files in the folder have more than ``limit`` bytes together."""
    used = 0
    for path in pictures.rglob("*"):
        with suppress(OSError):  # it may have been deleted
            used += path.lstat().st_size
    if used > limit:
        raise FolderFull(
            f"the pictures of all visitors fill the {limit / 1e6:g} MB that they may: try again in some hours"
        )


def _create() -> tuple[Path, FileLock]:
    while True:
        folder = Path(tempfile.mkdtemp(prefix=PREFIX))  # with mode 0700
        lock = FileLock(folder / LOCK)
        try:
            lock.acquire(timeout=0)
        except Timeout:  # another server took it for abandoned in this moment and deletes it
            continue
        return folder, lock


def _remove_if_abandoned(folder: Path) -> None:
    try:
        status = folder.lstat()
        if folder.is_symlink() or (hasattr(os, "getuid") and status.st_uid != os.getuid()):
            return
        if not (folder / LOCK).exists() and time.time() - status.st_mtime < START_SECONDS:
            return
        lock = FileLock(folder / LOCK)
        lock.acquire(timeout=0)
    except (OSError, Timeout):  # it was deleted in the meantime, or its server is alive
        return
    _remove(folder, lock)


def _remove(folder: Path, lock: FileLock) -> None:
    shutil.rmtree(folder / PICTURES, ignore_errors=True)
    lock.release()  # some systems cannot delete an open file
    shutil.rmtree(folder, ignore_errors=True)
