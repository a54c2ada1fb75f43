"""Data-parallel training in several processes: collective operations, and starting the processes.

Each process takes an equal slice of every batch, in the order of ranks, and averages its results with the others. With
one process all collective operations leave tensors as they are.
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

from ganfill.errors import UserError, explain

TIMEOUT = timedelta(minutes=30)  # the others wait while the first process measures and draws samples
GRACE = 10.0  # seconds for the others to end by themselves after one has failed

Job = Callable[..., Any]


def world() -> int:
    """Returns the number of processes that train together."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def rank() -> int:
    """Returns the number of this process; the first, 0, writes all files."""
    return dist.get_rank() if world() > 1 else 0


def local_slice(batch: int) -> slice:
    """Returns this process's rows of a batch.

    Raises:
        UserError: the batch cannot be divided equally, as an average of averages requires.
    """
    size, rest = divmod(batch, world())
    if rest or not size:
        raise UserError(
            f"batch_size={batch} cannot be divided equally among {world()} processes: give a multiple of {world()}"
        )
    return slice(rank() * size, (rank() + 1) * size)


@torch.no_grad()
def all_reduce_mean_(tensors: Sequence[torch.Tensor]) -> None:
    """Replaces floating-point tensors by their averages over the processes, bit-identical in all, in one transfer."""
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
    """Concatenates the rows of all processes, equally many of each, in the order of ranks; without gradients."""
    if world() == 1:
        return rows.detach()
    parts = [torch.empty_like(rows) for _ in range(world())]
    dist.all_gather(parts, rows.detach().contiguous())
    return torch.cat(parts)


def broadcast_flag(decision: bool) -> bool:
    """Returns the decision of the first process; no process waits for an accelerator."""
    if world() == 1:
        return decision
    decided = torch.tensor([decision], dtype=torch.uint8)
    dist.broadcast(decided, 0)
    return bool(decided)


def running_stats(networks: Iterable[nn.Module], penalty: nn.Module | None) -> list[torch.Tensor]:
    """Returns the buffers that differ between processes: of batch norm and of the penalty; none with one process."""
    if world() == 1:
        return []
    norms = [m for network in networks for m in network.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]
    buffers = [buffer for norm in norms for buffer in norm.buffers()] + list(penalty.buffers() if penalty else ())
    return [buffer for buffer in buffers if buffer.is_floating_point()]


def _flat(tensors: Sequence[torch.Tensor]) -> tuple[torch.Tensor, list[torch.Tensor]]:
    """Copies all tensors into one vector; returns it with views in the tensors' shapes."""
    flat = torch.cat([tensor.reshape(-1) for tensor in tensors])
    parts = flat.split([tensor.numel() for tensor in tensors])
    return flat, [part.view(tensor.shape) for tensor, part in zip(tensors, parts, strict=True)]


def is_launched() -> bool:
    """True if torchrun, or ``start``, has started this process as one of several."""
    return {"RANK", "LOCAL_RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE"} <= os.environ.keys()


@contextmanager
def joined(device: torch.device):
    """Makes this process a member of its group while the context lasts; gives its device.

    CPU tensors use gloo, so that decisions need no accelerator, and GPU tensors NCCL.
    """
    if device.type == "cuda":
        device = torch.device("cuda", int(os.environ["LOCAL_RANK"]))
        torch.cuda.set_device(device)
    backend, bound = ("cpu:gloo,cuda:nccl", device) if device.type == "cuda" else ("gloo", None)
    dist.init_process_group(backend, timeout=TIMEOUT, device_id=bound)
    if rank() > 0:
        logging.getLogger("ganfill").setLevel(logging.ERROR)  # the first process logs for all
    try:
        yield device
    finally:
        dist.destroy_process_group()


def start(size: int, device: torch.device, job: Job, *arguments: Any) -> None:
    """Runs ``job(device, *arguments)`` in ``size`` new processes on this machine, with torchrun's environment.

    Waits for them. If one fails, the others, which would wait for it forever, are ended after a few seconds; if this
    process is ended, so are they.

    Raises:
        UserError: one of them raised it, or was killed.
        KeyboardInterrupt: one of them was interrupted.
    """
    # The store keeps its port open, so that no other program can take it.
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
        # The first to end need not be the one with the error: the others fail when that one has gone.
        if not errors.empty():
            raise UserError(errors.get()) from None
        if not isinstance(failure, ProcessExitedException):
            raise
        if failure.exit_code == 130:
            raise KeyboardInterrupt from None
        raise UserError(
            f"process {failure.error_index + 1} of {size} was ended from outside ({failure.msg}), perhaps for lack of "
            "memory, and the others were stopped: the same command continues from the last checkpoint"
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
    except OSError as error:
        if error.errno is None:
            raise
        errors.put(explain(error))
        raise SystemExit(UserError.exit_code) from None
    except KeyboardInterrupt:
        raise SystemExit(130) from None
