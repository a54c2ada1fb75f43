"""Sweeps: many trainings or evaluations by one command, which continues them when it is run again.

Hydra composes the cells twice: first only to look at them, so that mistakes are found before the first one starts and
finished ones are known, then to run them wherever its launcher does. A cell that fails leaves its reason in ``failed.txt``,
the one way back that works from any process.
"""

import gc
import os
import sys
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ganfill import launchers
from ganfill.commands import load
from ganfill.config import check, run_as_hydra_application, to_plain
from ganfill.errors import Incomplete, UserError
from ganfill.files import write_atomically
from ganfill.overrides import quote
from ganfill.runs.reader import PLANNED
from ganfill.training.run_directory import check_resumable, read_checkpoint
from ganfill.training.training_module import is_over


@dataclass(frozen=True)
class SweepJob:
    """One combination of a sweep: where it trains, its configuration, and what Hydra knows of it."""

    out: Path
    config: Any
    plain: dict[str, Any]
    hydra: Any


def sweep(command: str, words: list[str]) -> int:
    """Runs a command for every combination that ``words`` ask for; returns 1 if some of them failed.

    Raises:
        UserError: a mistake that can be seen before anything has started.
    """
    words, launcher = launchers.split(words)
    cells = plan(command, words)
    if str(cells[0].hydra.mode.name) == "RUN":  # -cn with a configuration that does not sweep
        print(load(command)(cells[0].config))
        return 0
    if command == "train":
        _tell_plan(cells)
    remaining = []
    for cell in cells:
        kimg = _finished(cell) if command == "train" else None
        if kimg is None:
            remaining.append(cell)
        else:
            _say(f"{cell.out} is already trained to {kimg:g} kimg: nothing to do")
    if not remaining:
        return 0
    launcher = launchers.fitted(launcher, len(remaining), str(remaining[0].plain.get("device")))
    # Its default holds the time of day, which has moved on.
    words = [word for word in words if not word.startswith("hydra.sweep.dir=")]
    words += [quote(f"hydra.sweep.dir={cells[0].hydra.sweep.dir}"), *launcher]
    gave_up = None
    try:
        with launchers.submitted():
            me = os.getpid()
            run_as_hydra_application(command, words, lambda config, hydra: run_cell(command, config, hydra, me))
    except UserError:
        raise
    except Exception as error:  # such as a process that the system has killed
        gave_up = f"the launcher gave up: {_line(error)}"
    failed = [(cell.out, reason) for cell in remaining if (reason := _failure(command, cell, gave_up))]
    if failed:
        _say(f"{len(failed)} of the sweep's {len(cells)} cells failed; the same command again continues them")
        for out, reason in failed:
            print(f"  {out}: {reason}", file=sys.stderr)
    return 1 if failed else 0


def plan(command: str, words: list[str]) -> list[SweepJob]:
    """The cells that ``words`` ask for, without running them.

    Raises:
        UserError: a cell's configuration is mistaken, uses several devices, or two trainings would share a directory.
    """
    cells, mistakes = list[SweepJob](), list[UserError]()

    def look(config: Any, hydra: Any) -> None:
        try:
            check(command, config)
        except UserError as error:
            mistakes.append(error)
            return
        cells.append(SweepJob(Path(str(config.out)), config, to_plain(config), hydra))

    quiet = [word for word in words if not word.startswith("hydra/hydra_logging=")]
    run_as_hydra_application(command, [*quiet, "hydra/hydra_logging=disabled", "hydra/launcher=basic"], look)
    if mistakes:
        raise mistakes[0]
    if cells[0].hydra.mode.name == "MULTIRUN":
        if any(cell.hydra.runtime.choices.get("trainer") == "ddp" for cell in cells):
            refuse_ddp()
        outs = [cell.out for cell in cells]
        if command == "train" and len(set(outs)) < len(outs):
            shared = next(out for out in outs if outs.count(out) > 1)
            raise UserError(
                f"out={shared} is the directory of several cells: put what differs into it, out='...${{seed}}'"
            )
    return cells


def _tell_plan(cells: list[SweepJob]) -> None:
    """Writes which cells there will be, relative to the sweep's directory, so that those not started are known too."""
    directory = Path(cells[0].hydra.sweep.dir)
    directory.mkdir(parents=True, exist_ok=True)
    lines = [f"{Path(os.path.relpath(cell.out, directory)).as_posix()}\n" for cell in cells]
    write_atomically(directory / PLANNED, "".join(lines))


def refuse_ddp() -> None:
    """Raises ``UserError``: a sweep gives every cell one device."""
    raise UserError(
        "trainer=ddp is refused in a sweep: every cell would start processes of its own on devices that other cells use; "
        "a sweep runs one cell a GPU with launcher=joblib, a single training takes trainer=ddp"
    )


def run_cell(command: str, config: Any, hydra: Any, sweeping: int) -> None:
    """Runs one cell, in whatever process; its failure goes to ``failed.txt`` in its directory and stops no other.

    Args:
        command: ``train`` or ``evaluate``.
        config: of the cell.
        hydra: what Hydra knows of it.
        sweeping: the process that runs the sweep.
    """
    place = _place(command, config, hydra)
    place.mkdir(parents=True, exist_ok=True)
    if os.getppid() == sweeping:
        launchers.end_with_parent()
    if config.get("logger") and config.logger.get("group", "") is None:
        config.logger.group = Path(hydra.sweep.dir).name
    lock = launchers.take(place / ".lock")
    if not lock:
        _say(f"another process is at work in {place}")
        return
    with lock:
        (place / "failed.txt").unlink(missing_ok=True)
        try:
            if command == "train" and finished_kimg(place, to_plain(config)) is not None:
                return
            if "joblib" in hydra.launcher._target_:
                with launchers.device_of_a_worker(config.device, Path(hydra.sweep.dir), hydra.job.num) as config.device:
                    print(load(command)(config))
            else:
                print(load(command)(config))
        except (UserError, Incomplete) as error:
            _fail(place, str(error))
        except Exception as error:
            _fail(place, _line(error), traceback.format_exc())
    gc.collect()  # what a failed cell still held, before the next one asks for memory


def finished_kimg(out: Path, plain: dict[str, Any]) -> float | None:
    """How far the training in ``out`` has come, if it has come to its end; looks at files alone.

    Raises:
        UserError: another configuration was trained there.
    """
    if not ((out / "summary.json").exists() and (out / "last.ckpt").exists()):
        return None
    check_resumable(out, plain)
    checkpoint = read_checkpoint(out / "last.ckpt")
    same_pictures = checkpoint["ganfill"]["config"]["data"] == plain["data"]  # otherwise the training compares them
    over = is_over(checkpoint["images_seen"], checkpoint["seconds"], plain["kimg"], plain["minutes"])
    return checkpoint["images_seen"] / 1000 if over and same_pictures else None


def _place(command: str, config: Any, hydra: Any) -> Path:
    """A cell's own directory: evaluations may share their ``out``."""
    return Path(str(config.out)) if command == "train" else Path(hydra.runtime.output_dir)


def _finished(cell: SweepJob) -> float | None:
    try:
        return finished_kimg(cell.out, cell.plain)
    except UserError:  # the cell itself will tell
        return None


def _failure(command: str, cell: SweepJob, gave_up: str | None) -> str | None:
    """Why a cell failed; None if it did not."""
    told = _place(command, cell.config, cell.hydra) / "failed.txt"
    if told.exists():
        return told.read_text().splitlines()[0]
    if command == "train":
        return None if _finished(cell) is not None else gave_up or "it has not come to its end"
    return gave_up


def _fail(place: Path, reason: str, details: str = "") -> None:
    write_atomically(place / "failed.txt", f"{reason}\n{details}")
    _say(f"{place}: {reason}")


def _say(text: str) -> None:
    # Not logged: Hydra changes the logging for each of its jobs.
    print(f"ganfill: {text}", file=sys.stderr, flush=True)


def _line(error: Exception) -> str:
    return f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else 'no reason was given'}"
