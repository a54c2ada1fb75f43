"""Completes pictures on a Ray cluster: actors hold the model and write the files, this process records the outcomes."""

import logging
import os
import platform
import re
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout, suppress
from functools import cached_property
from importlib import import_module
from logging.handlers import QueueHandler
from pathlib import Path
from queue import SimpleQueue
from textwrap import shorten
from typing import Any

from omegaconf import DictConfig, OmegaConf

from ganfill.commands.completers import build_completers
from ganfill.completion.completer import Completer, Outcome
from ganfill.completion.read_ahead import PICTURES_AT_ONCE
from ganfill.completion.result_folder import Job
from ganfill.config import to_plain
from ganfill.errors import UserError, require
from ganfill.interrupts import Terminated

CONNECT_SECONDS = 10
LONGEST_REASON = 300
# Ray reads these variables when it is imported. By default, it looks for a lost cluster for a quarter of an hour.
ENVIRONMENT = {
    "RAY_BACKEND_LOG_LEVEL": "fatal",
    "RAY_DATA_LOG_LEVEL": "CRITICAL",
    "RAY_NUM_REDIS_GET_RETRIES": "3",
    "RAY_py_gcs_connect_timeout_s": str(CONNECT_SECONDS),
}


def check_ray(config: DictConfig) -> None:
    """Raises ``UserError`` if Ray is not installed, or if a setting cannot hold on a cluster."""
    require("engine=ray", "ray", "ray")
    if str(config.device).startswith("cuda:"):
        raise UserError(
            f"device={config.device} is a GPU of one machine: use device=auto or device=cuda with engine=ray"
        )
    name, address = _address(config)
    if address and not re.fullmatch(r"auto|[^/]+:\d{1,5}", address):
        raise UserError(f"{name}={address} is not HOST:PORT or auto: start the command on a machine of the cluster")


def complete_on_cluster(
    config: DictConfig, label: str, jobs: list[Job], begin: Callable[[Job], object]
) -> Iterator[Outcome]:
    """Completes jobs and yields their outcomes in any order.

    Pictures that a lost machine had not returned are completed again elsewhere, with the same bits. This process stays
    connected until it ends, so that all masks share one connection. The actors see the pictures, the masks, the model and
    the folder of results by the same paths as this process.

    Args:
        config: of ``ganfill complete``.
        label: of the mask.
        jobs: the pictures.
        begin: called for every picture before the first one is sent.

    Raises:
        UserError: there is no such cluster, or one of its machines lacks the model or a GPU.
        OSError: the disk is full or cannot be written at all.
    """
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    ray, data = import_module("ray"), import_module("ray.data")
    with Path(os.devnull).open("w") as nowhere, redirect_stdout(nowhere):  # Ray prints tracebacks of lost machines
        try:
            if not ray.is_initialized():
                _connect(ray, *_address(config))
            for job in jobs:
                begin(job)
            for row in _dataset(config, label, jobs, data, ray.cluster_resources()).iter_rows():
                result = row["result"]
                if isinstance(result, Exception):
                    raise result
                if isinstance(result, logging.LogRecord):
                    logging.getLogger(result.name).handle(result)
                else:
                    yield result
        except ray.exceptions.ActorDiedError as error:
            reason = str(error).strip().splitlines()[-1]
            raise UserError(f"no actor starts ({reason}): install the same ganfill on every machine") from error


def _dataset(config: DictConfig, label: str, jobs: list[Job], data: Any, resources: dict[str, float]) -> Any:
    """Returns the lazy results of actors: one for each GPU of a cluster, or else each core, but no more than batches."""
    data.DataContext.get_current().enable_progress_bars = False
    gpus = 0 if config.device == "cpu" else int(resources.get("GPU", 0))
    batches = -(-len(jobs) // PICTURES_AT_ONCE)
    actors = min(gpus or max(int(resources.get("CPU", 0)), 1), batches)
    plain = to_plain(config) | ({"device": "cuda"} if gpus else {})
    rows = data.from_items([{"job": job} for job in jobs], override_num_blocks=batches)
    return rows.map_batches(
        _Actor,
        fn_constructor_args=(plain, label, Path.cwd()),
        batch_size=PICTURES_AT_ONCE,
        compute=data.ActorPoolStrategy(min_size=1, initial_size=actors, max_size=actors),
        num_cpus=0 if gpus else 1,
        num_gpus=1 if gpus else 0,
    )


def _address(config: DictConfig) -> tuple[str, str]:
    """Returns the address of the cluster and the name of its setting; both are empty if there is none."""
    named = {"ray.address": config.ray.address, "RAY_ADDRESS": os.environ.get("RAY_ADDRESS")}
    return next(((name, str(address)) for name, address in named.items() if address), ("", ""))


def _connect(ray: Any, name: str, address: str) -> None:
    """Connects this process to a cluster, or starts Ray on this machine, without messages of Ray.

    Raises:
        UserError: there is no such cluster, or Ray does not start.
    """
    handler = signal.getsignal(signal.SIGTERM)
    try:
        if ":" in address:
            host, _, port = address.rpartition(":")
            socket.create_connection((host.strip("[]"), int(port)), CONNECT_SECONDS).close()
        with _silence():
            ray.init(address or "local", include_dashboard=False, log_to_driver=False, logging_level=logging.CRITICAL)
    except SystemExit:  # Ray's answer to SIGTERM
        raise Terminated(signal.SIGTERM) from None
    except Exception as error:
        reason = shorten(str(error), LONGEST_REASON)
        if not name:
            raise UserError(f"engine=ray: Ray does not start here ({reason})") from error
        remedy = "give the address of a cluster that runs, and set RAY_AUTH_MODE=token if it asks for a token"
        raise UserError(f"{name}={address}: no connection to a Ray cluster ({reason}): {remedy}") from error
    finally:
        signal.signal(signal.SIGTERM, handler)


@contextmanager
def _silence() -> Iterator[None]:
    """Drops whatever a block writes to the standard error, also what code in C++ writes."""
    kept = os.dup(2)
    try:
        with Path(os.devnull).open("w") as nowhere:
            os.dup2(nowhere.fileno(), 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


class _Actor:
    """Completes batches of jobs, in a process that has a GPU or a core of its own."""

    def __init__(self, config: dict[str, Any], label: str, directory: Path) -> None:
        self.config, self.label, self.messages = config, label, SimpleQueue[logging.LogRecord]()
        logging.getLogger("ganfill").addHandler(QueueHandler(self.messages))
        with suppress(OSError):  # paths need not be relative to a folder that all machines have
            os.chdir(directory)

    @cached_property
    def completer(self) -> Completer:
        return build_completers(OmegaConf.create(self.config))[self.label]

    def __call__(self, batch: dict[str, Any]) -> dict[str, list[Any]]:
        """Returns messages for the user, then outcomes or the error that ends the command."""
        try:
            results: list[Any] = list(self.completer(batch["job"], begin=lambda job: None))
        except UserError as error:
            results = [UserError(f"on {platform.node()}: {error}")]
        except OSError as error:
            results = [error]
        messages = [self.messages.get() for _ in range(self.messages.qsize())]
        return {"result": messages + results}
