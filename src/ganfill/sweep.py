"""Sweeps: many trainings or evaluations by one command. The same command again continues them.

Hydra composes the jobs twice: first to check them, so that mistakes are found before a job starts and finished jobs are
known, then to run them with its launcher. A job that fails writes the reason to ``failed.txt``, since that works from any
process.
"""

import gc
import os
import sys
import traceback
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

from ganfill import interrupts, launchers, optuna_sweeper
from ganfill.commands import load
from ganfill.config import to_plain
from ganfill.errors import Incomplete, UserError, explain, first_line, printable
from ganfill.files import write_atomically
from ganfill.hydra_application import run_as_hydra_application
from ganfill.locks import hold_directory
from ganfill.overrides import quote
from ganfill.runs.reader import PLANNED, PRUNED, read_lines
from ganfill.sweep_plan import SweepJob, finished_kimg, finished_of, plan
from ganfill.training.callbacks.pruning import Pruned


def sweep(command: str, words: list[str]) -> int:
    """Runs a command for every combination that ``words`` ask for; returns 1 if some of them failed.

    Raises:
        UserError: a mistake that is found before a job starts.
    """
    words, launcher = launchers.split(optuna_sweeper.split(command, words))
    jobs = plan(command, words)
    if str(jobs[0].hydra.mode.name) == "RUN":  # -cn with a configuration that does not sweep
        print(load(command)(jobs[0].config))
        return 0
    if optuna_sweeper.is_used(jobs[0].hydra):
        return _search(command, words, launcher, jobs[0])
    if command == "train":
        _write_plan(jobs)
    remaining = []
    for job in jobs:
        kimg = finished_of(job) if command == "train" else None
        if kimg is None:
            remaining.append(job)
        else:
            _print(f"{job.out} is already trained to {kimg:g} kimg: nothing to do")
    if not remaining:
        return 0
    gave_up = _launch(command, words, launcher, remaining[0], len(remaining))
    failed = [(job.out, reason) for job in remaining if (reason := _failure(command, job, gave_up))]
    if failed:
        _print(f"{len(failed)} of {len(jobs)} jobs failed; the same command again continues them")
        for out, reason in failed:
            print(printable(f"  {out}: {reason}"), file=sys.stderr)
    return 1 if failed else 0


def _launch(command: str, words: list[str], launcher: list[str], job: SweepJob, n: int) -> str | None:
    """Runs the jobs of a sweep, ``n`` of them like ``job``; returns the reason if the launcher gave up."""
    launcher = launchers.fitted(launcher, n, str(job.plain.get("device")))
    # The default contains the time of day, which has changed.
    words = [word for word in words if not word.startswith("hydra.sweep.dir=")]
    words += [quote(f"hydra.sweep.dir={job.hydra.sweep.dir}"), *launcher]
    try:
        with interrupts.not_swallowed(), launchers.submitted():
            sweeping = os.getpid()
            run_as_hydra_application(command, words, lambda config, hydra: run_job(command, config, hydra, sweeping))
    except UserError:
        raise
    except Exception as error:  # such as a process that the system has killed
        return f"the launcher gave up: {_describe(error)}"
    return None


def _search(command: str, words: list[str], launcher: list[str], example: SweepJob) -> int:
    """Runs the trials of a sweep by Optuna; returns 1 if some of them failed."""
    gave_up = _launch(command, words, launcher, example, example.hydra.sweeper.n_trials)
    failed = sorted(Path(example.hydra.sweep.dir).glob("*/failed.txt"))
    if gave_up:
        _print(f"{gave_up}; the same command again continues")
    for path in failed:
        print(printable(f"  {path.parent}: {read_lines(path)[0]}"), file=sys.stderr)
    return 1 if failed or gave_up else 0


def _write_plan(jobs: list[SweepJob]) -> None:
    """Writes the list of run directories, relative to that of the sweep, so that jobs that did not start are known too."""
    directory = Path(jobs[0].hydra.sweep.dir)
    directory.mkdir(parents=True, exist_ok=True)
    lines = [f"{Path(os.path.relpath(job.out, directory)).as_posix()}\n" for job in jobs]
    write_atomically(directory / PLANNED, "".join(lines))


def run_job(command: str, config: Any, hydra: Any, sweeping: int) -> None:
    """Runs one job in any process. A failure is written to ``failed.txt`` in its directory and does not stop other jobs.

    Args:
        command: ``train``, ``evaluate`` or ``complete``.
        config: of the job.
        hydra: settings of Hydra for the job.
        sweeping: id of the process that runs the sweep.
    """
    directory = _job_directory(command, config, hydra)
    optuna_sweeper.share_storage(hydra)
    if os.getppid() == sweeping:
        launchers.end_with_parent()
    if config.get("logger") and config.logger.get("group", "") is None:
        sweep, out = Path(hydra.sweep.dir).resolve(), directory.resolve()
        config.logger.group = (sweep if out.is_relative_to(sweep) else out.parent).name
    with ExitStack() as locks:
        try:
            locks.enter_context(hold_directory(directory))
        except UserError as error:  # it is in use, or cannot be created
            _print(str(error))
            return
        if command == "evaluate":  # two sweeps may share an out, and then take turns
            locks.enter_context(hold_directory(Path(str(config.out)), wait=True))
        (directory / "failed.txt").unlink(missing_ok=True)
        if (directory / PRUNED).exists():
            return
        try:
            if command == "train" and finished_kimg(directory, to_plain(config)) is not None:
                return
            with ExitStack() as running:
                running.enter_context(interrupts.not_swallowed())
                if "joblib" in hydra.launcher._target_:
                    device = launchers.device_of_a_worker(config.device, Path(hydra.sweep.dir), hydra.job.num)
                    config.device = running.enter_context(device)
                print(load(command)(config))
        except Pruned:
            pass
        except (UserError, Incomplete) as error:
            _fail(directory, str(error))
        except OSError as error:
            _fail(directory, _describe(error) if error.errno is None else explain(error), traceback.format_exc())
        except Exception as error:
            _fail(directory, _describe(error), traceback.format_exc())
    gc.collect()  # frees the memory of a failed job for the next one


def _job_directory(command: str, config: Any, hydra: Any) -> Path:
    # Evaluations of several sweeps may share their out.
    return Path(str(config.out)) if command == "train" else Path(hydra.runtime.output_dir)


def _failure(command: str, job: SweepJob, gave_up: str | None) -> str | None:
    """Returns the reason why a job failed; None if it did not."""
    directory = _job_directory(command, job.config, job.hydra)
    path = directory / "failed.txt"
    if directory.exists() and not directory.is_dir():
        return "it is not a directory: choose another out"
    if path.exists():
        return read_lines(path)[0]
    if command == "train":
        return None if finished_of(job) is not None else gave_up or "it did not finish"
    return gave_up


def _fail(directory: Path, reason: str, details: str = "") -> None:
    with suppress(OSError):  # on a full disk
        write_atomically(directory / "failed.txt", f"{reason}\n{details}")
    _print(f"{directory}: {reason}")


def _print(text: str) -> None:
    # Not logged, because Hydra changes the logging for each job.
    print(f"ganfill: {printable(text)}", file=sys.stderr, flush=True)


def _describe(error: Exception) -> str:
    return f"{type(error).__name__}: {first_line(error)}"
