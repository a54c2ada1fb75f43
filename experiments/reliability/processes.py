"""Runs ganfill commands in forked processes that can be killed at any file operation.

A fork starts in milliseconds, because torch is imported once. The parent must not compute with torch before, so that no
threads are lost in a fork: it only makes inputs with one thread and no gradients.
"""

import mmap
import os
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from ganfill import cli
from ganfill.commands import load

torch.set_num_threads(1)
for command in ("complete", "evaluate", "prepare", "train"):
    load(command)  # imports its module

WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
CHANGES = ("os.rename", "os.remove", "os.rmdir", "os.mkdir", "os.link", "os.symlink", "os.truncate", "os.utime")
SECONDS = 300.0  # until a process counts as hanging


@dataclass(frozen=True)
class Outcome:
    """How a process ended.

    Attributes:
        code: exit code; negative if a signal ended the process.
        output: standard output and error.
        operations: file operations below the watched directory that it began.
        hung: True if it was killed because it ran too long.
    """

    code: int
    output: str
    operations: int
    hung: bool

    @property
    def problem(self) -> str | None:
        """What a user must not see: a traceback, a crash, a process that hangs; None if there is nothing of it."""
        if self.hung:
            return "hangs"
        if "Traceback (most recent call last)" in self.output:
            return f"traceback: {self.output.strip().splitlines()[-1]}"
        return None if self.code in (0, 1, 2) else f"exit code {self.code}"

    @property
    def last_line(self) -> str:
        """The last line of the output."""
        return next(iter(reversed(self.output.strip().splitlines())), "")


class Process:
    """A ganfill command in a process of its own.

    Args:
        words: of the command line.
        watched: directory whose file operations are counted.
        kill_at: number of the file operation before which the process kills itself; 0 for none.
        in_process: called in the process before the command, for example to limit its memory.
    """

    def __init__(
        self,
        words: Sequence[str],
        watched: Path | None = None,
        kill_at: int = 0,
        in_process: Callable[[], object] | None = None,
    ) -> None:
        self._operations = mmap.mmap(-1, 8)  # shared with the process
        self._log, log = tempfile.mkstemp(prefix="reliability-")
        self._path = Path(log)
        self.pid = os.fork()
        if self.pid:
            return
        code = 70
        try:
            os.dup2(self._log, 1)
            os.dup2(self._log, 2)
            if in_process is not None:
                in_process()
            if watched is not None:
                sys.addaudithook(_Watch(watched.resolve(), kill_at, self._operations))
            sys.argv = ["ganfill", *words]
            cli.main()
        except SystemExit as ending:
            code = ending.code if isinstance(ending.code, int) else 1
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)

    def kill(self) -> None:
        """Kills the process, as a power cut would."""
        os.kill(self.pid, signal.SIGKILL)

    def wait(self, seconds: float = SECONDS) -> Outcome:
        """Waits for the end of the process, which is killed after ``seconds``."""
        deadline, status = time.monotonic() + seconds, self._poll()
        while status is None and time.monotonic() < deadline:
            time.sleep(0.01)
            status = self._poll()
        hung = status is None
        if status is None:
            self.kill()
            status = os.waitpid(self.pid, 0)[1]
        os.close(self._log)
        output = self._path.read_text("utf-8", "replace")
        self._path.unlink()
        operations = int.from_bytes(self._operations[:8], "little")
        return Outcome(os.waitstatus_to_exitcode(status), output, operations, hung)

    def _poll(self) -> int | None:
        """Returns the status of the process if it has ended."""
        pid, status = os.waitpid(self.pid, os.WNOHANG)
        return status if pid else None


def run(
    words: Sequence[str], watched: Path | None = None, kill_at: int = 0, in_process: Callable[[], object] | None = None
) -> Outcome:
    """Runs a command to its end, see ``Process``."""
    return Process(words, watched, kill_at, in_process).wait()


class _Watch:
    """Audit hook that counts operations which change files below a directory, and kills the process before one of them.

    Content that is written to an open file causes no event, so a kill never tears a line; killing at random moments does.
    """

    def __init__(self, directory: Path, kill_at: int, operations: mmap.mmap) -> None:
        self.directory, self.kill_at, self.operations, self.count = directory, kill_at, operations, 0

    def __call__(self, event: str, arguments: tuple[object, ...]) -> None:
        writes = event == "open" and isinstance(arguments[2], int) and arguments[2] & WRITING
        if not (writes or event in CHANGES):
            return
        if not self._is_inside(arguments[0], -1 if event == "open" else arguments[-1]):
            return
        self.count += 1
        self.operations[:8] = self.count.to_bytes(8, "little")
        if self.count == self.kill_at:
            os.kill(os.getpid(), signal.SIGKILL)

    def _is_inside(self, path: object, directory_fd: object) -> bool:
        if not isinstance(path, str | bytes | os.PathLike):
            return False  # an open file
        full = Path(os.fsdecode(path))
        if isinstance(directory_fd, int) and directory_fd >= 0 and not full.is_absolute():
            full = Path(f"/proc/self/fd/{directory_fd}").readlink() / full  # shutil.rmtree deletes so
        return self.directory in (full := full.absolute(), *full.parents)
