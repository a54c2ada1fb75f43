"""Where visitors' pictures lie: a folder for each server, which is gone when the server is."""

import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

PREFIX = "ganfill-app-"
LOCK = "lock"  # in the folder; held as long as its server lives, and released by the system if it is killed
PICTURES = "pictures"
YOUNG = 60.0  # seconds in which a folder may have no lock yet
UNFINISHED = 300.0  # seconds after its last byte in which an upload may still go on; bodies that halt end before


@contextmanager
def folder() -> Iterator[Path]:
    """A new empty folder for pictures, which nobody else may enter; removed at the end.

    Folders of this user's servers that were killed are removed before.
    """
    for left in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        _remove_if_left(left)
    home, lock = _locked()
    try:
        (home / PICTURES).mkdir(0o700)
        yield (home / PICTURES).resolve()
    finally:
        _remove(home, lock)


def remove_unfinished(pictures: Path) -> None:
    """Removes uploads whose clients left in between: Gradio writes them beside the folders of the complete ones."""
    for path in pictures.iterdir():
        with suppress(OSError):  # another request was faster
            if path.is_file() and time.time() - path.stat().st_mtime > UNFINISHED:
                path.unlink()


def _locked() -> tuple[Path, FileLock]:
    """A new folder and its lock."""
    while True:
        home = Path(tempfile.mkdtemp(prefix=PREFIX))  # of mode 0700
        lock = FileLock(home / LOCK)
        try:
            lock.acquire(timeout=0)
        except Timeout:  # another server looked at it in the moment between, and removes it
            continue
        return home, lock


def _remove_if_left(home: Path) -> None:
    """Removes the folder of a server that is no more."""
    try:
        found = home.lstat()
        if home.is_symlink() or (hasattr(os, "getuid") and found.st_uid != os.getuid()):
            return
        if not (home / LOCK).exists():
            if time.time() - found.st_mtime > YOUNG:
                shutil.rmtree(home, ignore_errors=True)
            return
        lock = FileLock(home / LOCK)
        lock.acquire(timeout=0)
    except (OSError, Timeout):  # gone by now, or its server lives
        return
    _remove(home, lock)


def _remove(home: Path, lock: FileLock) -> None:
    shutil.rmtree(home / PICTURES, ignore_errors=True)
    lock.release()  # some systems remove no file that is open
    shutil.rmtree(home, ignore_errors=True)
