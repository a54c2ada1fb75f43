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
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ganfill import launchers, optuna_sweeper
from ganfill.commands import load
from ganfill.config import as_yaml, check, to_plain
from ganfill.errors import Incomplete, UserError, explain, first_line
from ganfill.files import write_atomically
from ganfill.hydra_application import run_as_hydra_application
from ganfill.locks import hold_directory
from ganfill.overrides import quote, take_config_dir
from ganfill.runs.reader import PLANNED, PRUNED
from ganfill.training.callbacks.pruning import Pruned
from ganfill.training.run_directory import check_resumable, is_over, read_checkpoint


@dataclass(frozen=True)
class SweepJob:
    """One combination of a sweep: run directory, configuration, resolved configuration, and settings of Hydra."""

    out: Path
    config: Any
    plain: dict[str, Any]
    hydra: Any


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
        kimg = _finished(job) if command == "train" else None
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
            print(f"  {out}: {reason}", file=sys.stderr)
    return 1 if failed else 0


def _launch(command: str, words: list[str], launcher: list[str], job: SweepJob, n: int) -> str | None:
    """Runs the jobs of a sweep, ``n`` of them like ``job``; returns the reason if the launcher gave up."""
    launcher = launchers.fitted(launcher, n, str(job.plain.get("device")))
    # The default contains the time of day, which has changed.
    words = [word for word in words if not word.startswith("hydra.sweep.dir=")]
    words += [quote(f"hydra.sweep.dir={job.hydra.sweep.dir}"), *launcher]
    try:
        with launchers.submitted():
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
        print(f"  {path.parent}: {path.read_text('utf-8', 'replace').partition(chr(10))[0]}", file=sys.stderr)
    return 1 if failed or gave_up else 0


def describe_plan(command: str, words: list[str], shown: dict[str, str]) -> str:
    """Returns the jobs of a sweep in place of running them: directories and settings, or with ``--cfg`` their YAML."""
    words, _ = launchers.split(optuna_sweeper.split(command, words))
    jobs = plan(command, [*words, "hydra.output_subdir=null"])
    _clear_up([Path(job.hydra.runtime.output_dir) for job in jobs], Path(jobs[0].hydra.sweep.dir))
    if "--cfg" in shown:
        return "---\n".join(f"# {job.out}\n{as_yaml(job.config, '--resolve' in shown)}" for job in jobs).rstrip()
    width = max(len(str(job.out)) for job in jobs)
    shared = [word for word in jobs[0].hydra.overrides.task if all(word in job.hydra.overrides.task for job in jobs)]
    lines = [f"{len(jobs)} jobs" if len(jobs) > 1 else "1 job"]
    if optuna_sweeper.is_used(jobs[0].hydra):
        lines = [f"{jobs[0].hydra.sweeper.n_trials} trials in {jobs[0].hydra.sweep.dir}, with values such as"]
    for job in jobs:
        settings = " ".join(word for word in job.hydra.overrides.task if word not in shared)
        finished = "  finished" if command == "train" and _finished(job) is not None else ""
        lines.append(f"  {job.out!s:<{width}}  {settings}{finished}".rstrip())
    return "\n".join(lines)


def _clear_up(directories: list[Path], sweep_directory: Path) -> None:
    """Removes what Hydra has written for a plan, and directories that are empty then."""
    for directory in directories:
        for log in directory.glob("*.log"):
            if not log.stat().st_size:
                log.unlink()
    (sweep_directory / "multirun.yaml").unlink(missing_ok=True)
    parents = [] if sweep_directory.is_absolute() else sweep_directory.parents
    for directory in [*directories, sweep_directory, *parents]:
        with suppress(OSError):  # it holds something else
            directory.rmdir()


def plan(command: str, words: list[str]) -> list[SweepJob]:
    """Returns the jobs that ``words`` ask for, without running them.

    Raises:
        UserError: a configuration is mistaken or uses several devices, or two trainings would share a directory.
    """
    composed: list[tuple[Any, Any]] = []
    quiet = [word for word in words if not word.startswith("hydra/hydra_logging=")]
    with optuna_sweeper.preview():
        run_as_hydra_application(
            command, [*quiet, "hydra/hydra_logging=disabled", "hydra/launcher=basic"], lambda *job: composed.append(job)
        )
    if optuna_sweeper.is_used(composed[0][1]):
        _clear_up([Path(hydra.runtime.output_dir) for _, hydra in composed], Path(composed[0][1].sweep.dir))
    for config, hydra in composed:
        check(command, config, words, hydra.runtime.choices, take_config_dir(words)[1])
    jobs = [SweepJob(Path(str(config.out)), config, to_plain(config), hydra) for config, hydra in composed]
    if jobs[0].hydra.mode.name == "MULTIRUN":
        if any(job.hydra.runtime.choices.get("trainer") == "ddp" for job in jobs):
            raise UserError(
                "trainer=ddp is refused in a sweep, because every job would start processes on the devices of other jobs: "
                "use launcher=joblib for one job on each GPU, or trainer=ddp without -m"
            )
        outs = [job.out for job in jobs]
        if files := [part for out in outs for part in (out, *out.parents) if part.exists() and not part.is_dir()]:
            raise UserError(f"out={files[0]} is a file: choose another out for the run directories")
        if command == "train" and len(set(outs)) < len(outs):
            shared = next(out for out in outs if outs.count(out) > 1)
            raise UserError(
                f"out={shared} is the directory of several jobs: put the settings that differ into it, out='...${{seed}}'"
            )
    return jobs


def _write_plan(jobs: list[SweepJob]) -> None:
    """Writes the list of run directories, relative to that of the sweep, so that jobs that did not start are known too."""
    directory = Path(jobs[0].hydra.sweep.dir)
    directory.mkdir(parents=True, exist_ok=True)
    lines = [f"{Path(os.path.relpath(job.out, directory)).as_posix()}\n" for job in jobs]
    write_atomically(directory / PLANNED, "".join(lines))


def run_job(command: str, config: Any, hydra: Any, sweeping: int) -> None:
    """Runs one job in any process. A failure is written to ``failed.txt`` in its directory and does not stop other jobs.

    Args:
        command: ``train`` or ``evaluate``.
        config: of the job.
        hydra: settings of Hydra for the job.
        sweeping: id of the process that runs the sweep.
    """
    directory = _job_directory(command, config, hydra)
    optuna_sweeper.share_storage(hydra)
    if os.getppid() == sweeping:
        launchers.end_with_parent()
    if config.get("logger") and config.logger.get("group", "") is None:
        config.logger.group = Path(hydra.sweep.dir).name
    with ExitStack() as locks:
        try:
            locks.enter_context(hold_directory(directory))
        except UserError as error:  # it is in use, or cannot be created
            _print(str(error))
            return
        if command == "evaluate":  # jobs may share their out, and then take turns
            locks.enter_context(hold_directory(Path(str(config.out)), wait=True))
        (directory / "failed.txt").unlink(missing_ok=True)
        if (directory / PRUNED).exists():
            return
        try:
            if command == "train" and finished_kimg(directory, to_plain(config)) is not None:
                return
            if "joblib" in hydra.launcher._target_:
                with launchers.device_of_a_worker(config.device, Path(hydra.sweep.dir), hydra.job.num) as config.device:
                    print(load(command)(config))
            else:
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


def finished_kimg(out: Path, plain: dict[str, Any]) -> float | None:
    """Returns the thousand images of the training in ``out`` if it is finished, else None; reads only.

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


def _job_directory(command: str, config: Any, hydra: Any) -> Path:
    # Evaluations may share their out.
    return Path(str(config.out)) if command == "train" else Path(hydra.runtime.output_dir)


def _finished(job: SweepJob) -> float | None:
    try:
        return finished_kimg(job.out, job.plain)
    except UserError:  # the job itself reports it
        return None


def _failure(command: str, job: SweepJob, gave_up: str | None) -> str | None:
    """Returns the reason why a job failed; None if it did not."""
    directory = _job_directory(command, job.config, job.hydra)
    path = directory / "failed.txt"
    if directory.exists() and not directory.is_dir():
        return "it is not a directory: choose another out"
    if path.exists():
        return path.read_text().splitlines()[0]
    if command == "train":
        return None if _finished(job) is not None else gave_up or "it did not finish"
    return gave_up


def _fail(directory: Path, reason: str, details: str = "") -> None:
    with suppress(OSError):  # on a full disk
        write_atomically(directory / "failed.txt", f"{reason}\n{details}")
    _print(f"{directory}: {reason}")


def _print(text: str) -> None:
    # Not logged, because Hydra changes the logging for each job.
    print(f"ganfill: {text}", file=sys.stderr, flush=True)


def _describe(error: Exception) -> str:
    return f"{type(error).__name__}: {first_line(error)}"
