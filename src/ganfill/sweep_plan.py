"""Jobs of a sweep, before they run: composed, checked, shown, and found to be finished already."""

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ganfill import launchers, optuna_sweeper
from ganfill.commands.summary import refuse_others
from ganfill.config import as_yaml, check, to_plain
from ganfill.errors import UserError
from ganfill.hydra_application import run_as_hydra_application
from ganfill.overrides import take_config_dir
from ganfill.training.run_directory import check_resumable, is_over, read_checkpoint


@dataclass(frozen=True)
class SweepJob:
    """One combination of a sweep: run directory, configuration, resolved configuration, and settings of Hydra."""

    out: Path
    config: Any
    plain: dict[str, Any]
    hydra: Any


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
        finished = "  finished" if command == "train" and finished_of(job) is not None else ""
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
        UserError: a configuration is mistaken or uses several devices, two trainings or two evaluations would share a
            directory, or a directory holds the results of another command.
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
    for job in jobs:
        refuse_others(job.out, command)
    if jobs[0].hydra.mode.name == "MULTIRUN":
        if any(job.hydra.runtime.choices.get("trainer") == "ddp" for job in jobs):
            raise UserError(
                "trainer=ddp is refused in a sweep, because every job would start processes on the devices of other jobs: "
                "use launcher=joblib for one job on each GPU, or trainer=ddp without -m"
            )
        outs = [job.out for job in jobs]
        if files := [part for out in outs for part in (out, *out.parents) if part.exists() and not part.is_dir()]:
            raise UserError(f"out={files[0]} is a file: choose another out for the run directories")
        if command in ("train", "evaluate") and len(set(outs)) < len(outs):
            shared = next(out for out in outs if outs.count(out) > 1)
            without = ", or give mask=A,B search=C,D without -m, which compares them all in one table"
            raise UserError(
                f"out={shared} is the directory of several jobs: put the settings that differ into it, out='...${{seed}}'"
                f"{without if command == 'evaluate' else ''}"
            )
    return jobs


def finished_kimg(out: Path, plain: dict[str, Any]) -> float | None:
    """Returns the thousand images of the training in ``out`` if it is finished, else None; reads only.

    Raises:
        UserError: another configuration was trained there.
    """
    if not ((out / "summary.json").exists() and (out / "last.ckpt").exists()):
        return None
    check_resumable(out, plain)
    checkpoint = read_checkpoint(out / "last.ckpt")
    pictures = checkpoint["ganfill"].get("config", {}).get("data")
    same_pictures = pictures == plain["data"]  # otherwise the training compares them
    over = is_over(checkpoint["images_seen"], checkpoint["seconds"], plain["kimg"], plain["minutes"])
    return checkpoint["images_seen"] / 1000 if over and same_pictures else None


def finished_of(job: SweepJob) -> float | None:
    """Returns the thousand images of a job that is finished, else None."""
    try:
        return finished_kimg(job.out, job.plain)
    except UserError:  # the job itself reports it
        return None
