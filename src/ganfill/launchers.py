"""Launchers of a sweep: its jobs run one after another, in several processes, on SLURM, or on a cluster of Ray."""

import os
import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from filelock import FileLock, Timeout

from ganfill.config import suggest
from ganfill.errors import UserError, require

# Names, and the plugins of Hydra behind them.
LAUNCHERS = {"basic": "basic", "joblib": "joblib", "submitit": "submitit_slurm", "ray": "ray"}
# The extra and the package that a launcher needs.
REQUIREMENTS = {"joblib": ("sweep", "joblib"), "submitit": ("sweep", "submitit"), "ray": ("ray", "ray")}


def split(words: list[str]) -> tuple[list[str], list[str]]:
    """Returns the words that do not set the launcher, and those that do, with the names of Hydra.

    ``launcher=joblib`` is ``hydra/launcher=joblib``, and ``launcher.n_jobs=4`` is ``hydra.launcher.n_jobs=4``.

    Raises:
        UserError: there is no such launcher, or its requirements are not installed.
    """
    others, settings = list[str](), list[str]()
    for word in words:
        key, _, value = word.partition("=")
        if key == "launcher":
            if value not in LAUNCHERS:
                raise UserError(f"launcher={value} is not known: {suggest(value, list(LAUNCHERS))}")
            settings.append(f"hydra/launcher={LAUNCHERS[value]}")
        elif key.startswith("launcher."):
            settings.append(f"hydra.{word}")
        else:
            (settings if key.startswith(("hydra/launcher", "hydra.launcher.")) else others).append(word)
    for name, requirement in REQUIREMENTS.items():
        if any(word.startswith(f"hydra/launcher={name}") for word in settings):
            require(f"launcher={name}", *requirement)
    if "hydra/launcher=submitit_slurm" in settings and not shutil.which("srun"):
        raise UserError("launcher=submitit needs SLURM, but srun is not found: use launcher=joblib or launcher=basic")
    return others, settings


def fitted(settings: list[str], jobs: int, device: str) -> list[str]:
    """Returns the settings of the launcher for a number of jobs: joblib starts a process for each GPU, or else each core.

    joblib gives each process cores / n_jobs threads. Jobs are handed out one by one, because joblib would put several
    into one batch after it has seen a few that were already finished.
    """
    if "hydra/launcher=joblib" not in settings:
        return settings
    if not any(word.startswith("hydra.launcher.n_jobs=") for word in settings):
        settings = [*settings, f"hydra.launcher.n_jobs={min(jobs, _gpus(device) or cores())}"]
    return [*settings, "hydra.launcher.batch_size=1"]


def cores() -> int:
    """Returns the number of processor cores that this process may use; of all cores where the system does not tell."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextmanager
def device_of_a_worker(device: str, directory: Path, number: int) -> Iterator[str]:
    """Gives a job a free GPU of this machine if ``device`` is ``auto`` or ``cuda``, and else ``device``.

    Args:
        device: as configured.
        directory: of the sweep; it contains a lock for each GPU in use.
        number: of the job; if no GPU is free, it shares GPU ``number`` modulo their number.
    """
    gpus = _gpus(device)
    for gpu in range(gpus):
        try:
            lock = FileLock(directory / f".gpu{gpu}.lock").acquire(timeout=0)
        except Timeout:
            continue
        with lock:
            yield f"cuda:{gpu}"
        return
    yield f"cuda:{number % gpus}" if gpus else device


def _gpus(device: str) -> int:
    """Returns the number of GPUs to choose from; 0 if ``device`` is the CPU or one GPU."""
    return torch.cuda.device_count() if device in ("auto", "cuda") else 0


def end_with_parent() -> None:
    """Ends this process soon after its parent has ended.

    Otherwise the processes of a killed sweep would go on training in the directories of the next attempt.
    """
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os._exit(1)

    if not any(thread.name == "end_with_parent" for thread in threading.enumerate()):
        threading.Thread(target=watch, name="end_with_parent", daemon=True).start()


@contextmanager
def submitted() -> Iterator[None]:
    """Waits for all jobs of submitit when one is lost, and cancels them when the sweep is interrupted.

    The launcher of Hydra does not expose its jobs, so they are recorded when they are submitted.
    """
    if not find_spec("submitit"):
        yield
        return
    import submitit

    jobs: list[Any] = []
    submit = submitit.AutoExecutor.map_array

    def recorded(*arguments: Any) -> list[Any]:
        jobs.extend(submit(*arguments))
        return jobs

    submitit.AutoExecutor.map_array = recorded  # pyright: ignore[reportAttributeAccessIssue]
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
