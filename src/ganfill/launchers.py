"""Where the cells of a sweep run: one after another, in several processes, or as jobs of SLURM."""

import fcntl
import os
import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any, TextIO

import torch

from ganfill.config import nearest
from ganfill.errors import UserError

# One word for each, and the Hydra plugin behind it.
LAUNCHERS = {"basic": "basic", "joblib": "joblib", "submitit": "submitit_slurm"}


def split(words: list[str]) -> tuple[list[str], list[str]]:
    """Takes the words about the launcher out, in Hydra's names; returns the other words and these.

    ``launcher=joblib`` is ``hydra/launcher=joblib``, and ``launcher.n_jobs=4`` is ``hydra.launcher.n_jobs=4``.

    Raises:
        UserError: there is no such launcher, or what it needs is not here.
    """
    others, about = list[str](), list[str]()
    for word in words:
        key, _, value = word.partition("=")
        if key == "launcher":
            if value not in LAUNCHERS:
                raise UserError(f"launcher={value} is not known: {nearest(value, list(LAUNCHERS))}")
            about.append(f"hydra/launcher={LAUNCHERS[value]}")
        elif key.startswith("launcher."):
            about.append(f"hydra.{word}")
        else:
            (about if key.startswith(("hydra/launcher", "hydra.launcher.")) else others).append(word)
    for package in ("joblib", "submitit"):
        if any(word.startswith(f"hydra/launcher={package}") for word in about) and not find_spec(package):
            raise UserError(f"launcher={package} needs more packages: pip install 'ganfill[sweep]'")
    if "hydra/launcher=submitit_slurm" in about and not shutil.which("srun"):
        raise UserError(
            "launcher=submitit needs SLURM, and there is no srun here: use launcher=joblib or launcher=basic"
        )
    return others, about


def fitted(about: list[str], cells: int, device: str) -> list[str]:
    """The words about the launcher for so many cells: joblib takes a process a GPU, or else a process a core.

    A process gets cores / n_jobs threads by joblib itself. Cells are handed out one by one: joblib would put several
    into one parcel once it has seen a few that were finished already.
    """
    if "hydra/launcher=joblib" not in about:
        return about
    if not any(word.startswith("hydra.launcher.n_jobs=") for word in about):
        gpus = _gpus(device)
        about = [*about, f"hydra.launcher.n_jobs={min(cells, gpus or len(os.sched_getaffinity(0)))}"]
    return [*about, "hydra.launcher.batch_size=1"]


@contextmanager
def device_of_a_worker(device: str, directory: Path, number: int) -> Iterator[str]:
    """The GPU of its own that a cell gets among the processes of this machine, if ``device`` is ``auto`` or ``cuda``.

    Args:
        device: as configured.
        directory: of the sweep; locks there tell the processes which GPUs are taken.
        number: of the cell; if all GPUs are taken, it shares the ``number``-th, counted round.
    """
    gpus = _gpus(device)
    for gpu in range(gpus):
        if lock := take(directory / f".gpu{gpu}.lock"):
            with lock:
                yield f"cuda:{gpu}"
            return
    yield f"cuda:{number % gpus}" if gpus else device


def _gpus(device: str) -> int:
    """How many GPUs there are to choose from; 0 if ``device`` is a certain one or the CPU."""
    return torch.cuda.device_count() if device in ("auto", "cuda") else 0


def take(path: Path) -> TextIO | None:
    """A lock that lasts until the file is closed or the process ends, however it ends; None if another has it."""
    file = path.open("a")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.close()
        return None
    return file


def end_with_parent(every: float = 0.5) -> None:
    """Ends this process soon after its parent has ended.

    Without it the processes of a sweep that was killed would train on, in the same directories as the next attempt's.
    """
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(every)
        os._exit(1)

    if not any(thread.name == "end_with_parent" for thread in threading.enumerate()):
        threading.Thread(target=watch, name="end_with_parent", daemon=True).start()


@contextmanager
def submitted() -> Iterator[None]:
    """Waits for all of submitit's jobs when one is lost, and cancels them when the sweep is interrupted.

    Hydra's launcher keeps the jobs to itself and reads their results in turn, so they are noted as they are submitted.
    """
    if not find_spec("submitit"):
        yield
        return
    import submitit

    jobs: list[Any] = []
    submit = submitit.AutoExecutor.map_array

    def noting(*arguments: Any) -> list[Any]:
        jobs.extend(submit(*arguments))
        return jobs

    submitit.AutoExecutor.map_array = noting  # pyright: ignore[reportAttributeAccessIssue]
    try:
        yield
    except KeyboardInterrupt:
        for job in jobs:
            job.cancel(check=False)
        raise
    except Exception:
        for job in jobs:
            job.wait()
        raise
    finally:
        submitit.AutoExecutor.map_array = submit
