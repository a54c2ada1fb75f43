"""Fills the disk of a command's output, makes room again, and continues.

    python -m experiments.reliability.disks [sizes=20 commands=prepare,train,complete,evaluate,sweep seed=0 out=FILE.csv]

Needs root, for a file system in memory (tmpfs) of limited size; without it nothing is tried. Each size is tried with an
empty directory. The command must end with one line and exit code 1 or 2, leave no temporary file, and after the disk has
grown, the same command must finish with the results of an undisturbed run. The last try of each command is a read-only disk.
"""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from experiments.reliability.commands import Command, run_undisturbed, try_each
from experiments.reliability.compare import differences
from experiments.reliability.processes import Outcome, run
from experiments.reliability.tally import Tally, run_form

PICTURES = 100
ROOM = "size=200m"


def disks(settings: dict[str, str]) -> list[Tally]:
    """Tries each command on full disks of ``sizes`` sizes, and on a read-only one."""
    if os.geteuid():
        print("disks: skipped, only root can mount a file system")
        return []
    return try_each(settings, PICTURES, partial(fill_disk, count=int(settings["sizes"])))


def fill_disk(name: str, command: Command, directory: Path, count: int) -> Tally:
    """Tries one command on disks of ``count`` sizes below what it needs."""
    tally, disk, reference = Tally("disks", name), directory / "disk", directory / f"{name} reference"
    out = disk / name
    with mounted(disk, ROOM):
        run_undisturbed(command, out, disk / "reference")
        subprocess.run(["cp", "-a", disk / "reference", reference], check=True)
        needed = sum(path.stat().st_size for path in reference.rglob("*") if path.is_file())
    for number in range(count):
        kilobytes = max(8, round((number + 0.5) / count * needed / 1000))
        with mounted(disk, f"size={kilobytes}k"):
            stopped = run(command(out))
            problem = _stopped_badly(stopped, out)
            subprocess.run(["mount", "-o", f"remount,{ROOM}", disk], check=True)
            tally.add(f"{kilobytes} kB of {needed // 1000}", problem or _continue(command, out, reference))
    with mounted(disk, ROOM):
        subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
        stopped = run(command(out))
        problem = stopped.problem or (None if stopped.code in (1, 2) else f"exit code {stopped.code}")
        subprocess.run(["mount", "-o", "remount,rw", disk], check=True)
        tally.add("read-only", problem or _continue(command, out, reference))
    return tally


@contextmanager
def mounted(path: Path, options: str) -> Iterator[None]:
    """Mounts a file system in memory."""
    path.mkdir(exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", path], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", path], check=True)


def _stopped_badly(outcome: Outcome, out: Path) -> str | None:
    """Returns what is wrong with the end of a command on a full disk; it may also have found just enough room."""
    if outcome.problem:
        return outcome.problem
    partial = [path.name for path in out.rglob(".partial-*")] if out.is_dir() else []
    if partial:
        return f"left {', '.join(partial)}"
    return None if outcome.code == 0 or outcome.last_line else "ended without a message"


def _continue(command: Command, out: Path, reference: Path) -> str | None:
    outcome = run(command(out))
    if outcome.problem or outcome.code:
        return f"with room again: {outcome.problem or outcome.last_line}"
    return "; ".join(differences(out, reference)[:3]) or None


if __name__ == "__main__":
    run_form(disks, {"sizes": "20", "commands": "prepare,train,complete,evaluate,sweep"})
