"""Several processes that train as one: what they share, and how they are started.

Each takes an equal share of every batch, in the order of ranks, and averages what it found with the others. With one
process all functions here leave things as they are.
"""

import logging
import os
from collections.abc import Callable, Iterable, Sequence
from contextlib import contextmanager
from datetime import timedelta
from multiprocessing import get_context
from typing import Any

import torch
import torch.distributed as dist
from torch import nn
from torch.distributed import TCPStore  # pyright: ignore[reportPrivateImportUsage]
from torch.multiprocessing.spawn import ProcessException, ProcessExitedException, spawn

from ganfill.errors import UserError

TIMEOUT = timedelta(minutes=30)  # the first process measures and draws samples while the others wait for it
GRACE = 10.0  # seconds for the others to end by themselves when one has failed

Job = Callable[..., Any]


def world() -> int:
    """How many processes train together."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def rank() -> int:
    """Which of them this one is; the first writes all files."""
    return dist.get_rank() if world() > 1 else 0


def local_slice(batch: int) -> slice:
    """The rows of a batch that are this process's.

    Raises:
        UserError: the batch cannot be divided equally, which an average of averages needs.
    """
    size, rest = divmod(batch, world())
    if rest or not size:
        raise UserError(
            f"batch_size={batch} cannot be divided equally among {world()} processes: give a multiple of {world()}"
        )
    return slice(rank() * size, (rank() + 1) * size)


@torch.no_grad()
def all_reduce_mean_(tensors: Sequence[torch.Tensor]) -> None:
    """Replaces floating-point tensors by their averages over the processes, bit for bit the same in all, at one go."""
    if world() > 1:
        flat, parts = _flat(tensors)
        dist.all_reduce(flat)
        flat /= world()
        torch._foreach_copy_(list(tensors), parts)  # pyright: ignore[reportPrivateImportUsage]


@torch.no_grad()
def broadcast_(tensors: Sequence[torch.Tensor]) -> None:
    """Replaces floating-point tensors by those of the first process."""
    if world() > 1:
        flat, parts = _flat(tensors)
        dist.broadcast(flat, 0)
        torch._foreach_copy_(list(tensors), parts)  # pyright: ignore[reportPrivateImportUsage]


def gather(rows: torch.Tensor) -> torch.Tensor:
    """The rows of all processes, as many of each, in the order of ranks; without gradients."""
    if world() == 1:
        return rows.detach()
    parts = [torch.empty_like(rows) for _ in range(world())]
    dist.all_gather(parts, rows.detach().contiguous())
    return torch.cat(parts)


def broadcast_flag(decision: bool) -> bool:
    """What the first process decides. The others wait for it, but none for its accelerator."""
    if world() == 1:
        return decision
    decided = torch.tensor([decision], dtype=torch.uint8)
    dist.broadcast(decided, 0)
    return bool(decided)


def running_stats(networks: Iterable[nn.Module], penalty: nn.Module | None) -> list[torch.Tensor]:
    """Buffers that each process moves by what it sees: those of batch norm, and a penalty's. None with one process."""
    if world() == 1:
        return []
    norms = [m for network in networks for m in network.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]
    buffers = [buffer for norm in norms for buffer in norm.buffers()] + list(penalty.buffers() if penalty else ())
    return [buffer for buffer in buffers if buffer.is_floating_point()]


def _flat(tensors: Sequence[torch.Tensor]) -> tuple[torch.Tensor, list[torch.Tensor]]:
    """A copy of all in one row, so that they travel together; and views of it in their shapes."""
    flat = torch.cat([tensor.reshape(-1) for tensor in tensors])
    parts = flat.split([tensor.numel() for tensor in tensors])
    return flat, [part.view(tensor.shape) for tensor, part in zip(tensors, parts, strict=True)]


def started_by_others() -> bool:
    """Whether torchrun, or ``start``, has started this process as one of several."""
    return {"RANK", "LOCAL_RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE"} <= os.environ.keys()


@contextmanager
def joined(device: torch.device):
    """Within, this process is one of those that were started together; gives it its device.

    Tensors on the CPU travel by gloo, so that a decision needs no accelerator, those on a GPU by NCCL.
    """
    if device.type == "cuda":
        device = torch.device("cuda", int(os.environ["LOCAL_RANK"]))
        torch.cuda.set_device(device)
    backend, bound = ("cpu:gloo,cuda:nccl", device) if device.type == "cuda" else ("gloo", None)
    dist.init_process_group(backend, timeout=TIMEOUT, device_id=bound)
    if rank() > 0:
        logging.getLogger("ganfill").setLevel(logging.ERROR)  # the first process tells all
    try:
        yield device
    finally:
        dist.destroy_process_group()


def start(size: int, device: torch.device, job: Job, *arguments: Any) -> None:
    """Runs ``job(device, *arguments)`` in ``size`` new processes on this machine and waits for them.

    They get the environment that torchrun would give them. If one of them fails, the others, which would wait for it in
    vain, are ended after a few seconds; if this process is ended, so are they.

    Raises:
        UserError: one of them raised it, or was killed.
        KeyboardInterrupt: one of them was interrupted.
    """
    # The meeting point is held open here, so that no other program can take its port.
    store = TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)
    environment = {
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(store.port),
        "TORCHELASTIC_USE_AGENT_STORE": "True",
        "TORCHELASTIC_RESTART_COUNT": "0",
        "WORLD_SIZE": str(size),
        "LOCAL_WORLD_SIZE": str(size),
    }
    errors = get_context("spawn").SimpleQueue()
    context: Any = spawn(_run, (environment, errors, device, job, arguments), size, join=False)
    try:
        while not context.join(grace_period=GRACE):
            pass
    except ProcessException as failure:
        # Whichever ended first: one that waits for the others fails when the one with the error has gone.
        if not errors.empty():
            raise UserError(errors.get()) from None
        if not isinstance(failure, ProcessExitedException):
            raise
        if failure.exit_code == 130:
            raise KeyboardInterrupt from None
        raise UserError(
            f"process {failure.error_index + 1} of {size} was ended ({failure.msg}; out of memory?) and the others with "
            "it: the same command continues from the last checkpoint"
        ) from None
    finally:
        for process in context.processes:
            process.join(GRACE)
            process.kill()


def _run(
    index: int, environment: dict[str, str], errors: Any, device: torch.device, job: Job, arguments: tuple[Any, ...]
) -> None:
    os.environ.update(environment, RANK=str(index), LOCAL_RANK=str(index))
    try:
        with joined(device) as own:
            job(own, *arguments)
    except UserError as error:
        errors.put(str(error))
        raise SystemExit(error.exit_code) from None
    except KeyboardInterrupt:
        raise SystemExit(130) from None
