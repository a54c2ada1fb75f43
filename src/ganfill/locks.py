"""Locks of outputs: one process writes, and any other is told which one does."""

import errno
import json
import logging
import os
import shlex
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path

from filelock import FileLock, Timeout

from ganfill.errors import UserError

log = logging.getLogger(__name__)

LOCK = ".lock"
PATIENCE = 0.2  # seconds; a holder that has just begun has not named itself yet
FILES = (
    ".apng", ".avif", ".avifs", ".bmp", ".ckpt", ".csv", ".dib", ".gif", ".heic", ".heics", ".heif", ".heifs", ".hif",
    ".htm", ".html", ".j2c", ".j2k", ".jfif", ".jp2", ".jpc", ".jpe", ".jpeg", ".jpf", ".jpg", ".jpx", ".json",
    ".jsonl", ".md", ".mp4", ".mpo", ".npy", ".npz", ".onnx", ".parquet", ".pbm", ".pdf", ".pfm", ".pgm", ".pkl",
    ".png", ".pnm", ".ppm", ".pt", ".pth", ".qoi", ".safetensors", ".svg", ".tar", ".tif", ".tiff", ".txt", ".webp",
    ".yaml", ".yml", ".zip",
)  # fmt: skip
LONGEST = 200  # characters of a command in a message
UNSUPPORTED = (errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOLCK)  # by some network file systems


class InUse(UserError):
    """Another process writes the same output; the message names it."""


@contextmanager
def hold_directory(out: Path, wait: bool = False) -> Iterator[None]:
    """Reserves a directory for this process. Creates it if needed, and then deletes it if nothing was written into it.

    The lock ends with the process, however that ends. A thread may hold a lock several times.

    Args:
        out: the directory.
        wait: wait for the other process instead of raising ``InUse``.

    Raises:
        InUse: another process is at work there.
        UserError: the directory cannot be created.
    """
    exists = out.is_dir()
    _create(out)
    with _hold(out / LOCK, out, wait):
        try:
            yield
        finally:
            if not exists:
                _delete_unused(out)


@contextmanager
def hold_file(path: Path) -> Iterator[None]:
    """Reserves a file, and files beside it that are written together with it, for this process; see ``hold_directory``."""
    _create(path.parent)
    with _hold(path.with_name(f".{path.name}{LOCK}"), path, wait=False):
        yield


@contextmanager
def _hold(file: Path, what: Path, wait: bool) -> Iterator[None]:
    # A lock that is held twice must be one object, known by its path.
    file = Path(os.path.realpath(file.parent), file.name)
    lock = FileLock(file, is_singleton=True, fallback_to_soft=False)
    try:
        lock.acquire(timeout=PATIENCE)
    except Timeout:
        if not wait:
            raise InUse(
                f"{what} is in use by {_read_holder(file)}: wait until it ends, or choose another out"
            ) from None
        log.warning("%s is in use by %s: waiting until it ends", what, _read_holder(file))
        lock.acquire()
    except OSError as error:
        if error.errno not in UNSUPPORTED:
            raise OSError(error.errno, error.strerror, str(what)) from None
        log.warning("%s: this file system cannot lock files, so make sure that no other process writes there", what)
        yield
        return
    try:
        if lock.lock_counter == 1:
            with suppress(OSError):  # on a full disk the holder has no name
                file.write_text(json.dumps(_describe_this_process()))
        yield
    finally:
        if lock.lock_counter == 1:
            with suppress(OSError):  # some systems cannot delete an open file
                file.unlink(missing_ok=True)
        lock.release()


def _describe_this_process() -> dict[str, str | int]:
    return {
        "pid": os.getpid(),
        "host": socket.gethostname(),
        "command": shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]]),
        "since": datetime.now().isoformat(" ", "seconds"),
    }


def _read_holder(file: Path) -> str:
    try:
        holder = json.loads(file.read_text())
        command = str(holder["command"])
        command = command if len(command) <= LONGEST else f"{command[:LONGEST]}..."
        return f"process {holder['pid']} on {holder['host']} ({command}) since {holder['since']}"
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return "another process"


def _create(directory: Path) -> None:
    if directory.suffix.lower() in FILES and not directory.exists():
        bare = directory.with_suffix("")
        raise UserError(f"out={directory} is the name of a file, and the results are a folder: give out={bare}")
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"out={directory} cannot be created ({error.strerror}): choose another out") from None


def _delete_unused(directory: Path) -> None:
    """Deletes a directory that contains only its lock."""
    with suppress(OSError):
        if [path.name for path in directory.iterdir()] == [LOCK]:
            (directory / LOCK).unlink()
            directory.rmdir()
