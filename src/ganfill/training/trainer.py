"""The Trainer: which devices, which precision, and nothing of Lightning's own bookkeeping."""

import logging
import os
import signal
import warnings
from typing import Any

import pytorch_lightning as pl
import torch
from lightning_fabric.plugins.environments.torchelastic import TorchElasticEnvironment
from pytorch_lightning.loggers import Logger
from pytorch_lightning.strategies import DDPStrategy

from ganfill.devices import has_bfloat16
from ganfill.errors import UserError
from ganfill.training import distributed

PRECISIONS = ("32-true", "bf16-mixed")


def choose_precision(precision: str, device: torch.device) -> str:
    """Turns ``auto`` into ``bf16-mixed`` where the processor multiplies bfloat16 itself, else into ``32-true``.

    Raises:
        UserError: it is none of these.
    """
    if precision in PRECISIONS:
        return precision
    if precision != "auto":
        raise UserError(f"precision={precision} is not known: use auto, {' or '.join(PRECISIONS)}")
    return "bf16-mixed" if has_bfloat16(device) else "32-true"


class Single:
    """One process on one device."""

    def launch(self, device: torch.device, job: distributed.Job, *arguments: Any) -> None:
        """Runs ``job(device, *arguments)``.

        Raises:
            UserError: this process is one of several that would all do the same.
        """
        if distributed.started_by_others() and os.environ["WORLD_SIZE"] != "1":
            raise UserError(f"{os.environ['WORLD_SIZE']} processes were started: add trainer=ddp, or start only one")
        job(device, *arguments)


class DDP:
    """A process for each device, all with the same weights, each with its share of every batch.

    Started by itself it starts the others; started by torchrun, on one machine or on several, it is one of them.

    Args:
        devices: how many on this machine; None: all GPUs.
    """

    def __init__(self, devices: int | None = None) -> None:
        self.devices = devices

    def launch(self, device: torch.device, job: distributed.Job, *arguments: Any) -> None:
        """Runs ``job(device, *arguments)`` in each of the processes, with the device of each.

        Raises:
            UserError: there are not so many devices, or ``job`` has raised it.
        """
        if distributed.started_by_others():
            here = int(os.environ["LOCAL_WORLD_SIZE"])
            self._count(device, here)
            with distributed.joined(device) as own:
                job(own, *arguments)
            if os.environ["RANK"] != "0":
                raise SystemExit(0)  # the first process tells what has been done
        else:
            distributed.start(self._count(device), device, job, *arguments)

    def _count(self, device: torch.device, started: int | None = None) -> int:
        if device.index is not None:
            raise UserError(f"device={device} is one device: trainer=ddp takes device={device.type}")
        count = self.devices if self.devices is not None else started
        if started is not None and count != started:
            raise UserError(f"trainer.devices={count}, but {started} processes were started here: leave it out")
        present = torch.cuda.device_count() if device.type == "cuda" else None
        count = present if count is None else count
        if count is None:
            raise UserError("trainer=ddp on the CPU needs a number of processes: give trainer.devices=2")
        if not isinstance(count, int) or count < 1 or count > (present or count):
            at_most = f" to {present}, the GPUs of this machine" if present else " or more"
            raise UserError(f"trainer.devices={count} is no number of devices: give 1{at_most}")
        return count


class ManualDDPStrategy(DDPStrategy):
    """Lightning's strategy for several processes, without its wrapper around the module.

    ``DistributedDataParallel`` waits for the gradients of all parameters, but a step of this game has those of one
    network. The module averages them itself, see ``distributed.all_reduce_mean_``.
    """

    def configure_ddp(self) -> None:
        """Gives all processes the weights of the first, instead of wrapping the module."""
        assert self.model is not None
        tensors = [*self.model.parameters(), *self.model.buffers()]
        distributed.broadcast_([tensor for tensor in tensors if tensor.is_floating_point()])

    def on_train_start(self) -> None:
        """Lets SIGTERM end the process, as files are whole at any time.

        Lightning has all processes agree on having received it: at every step, for which the CPU waits for the GPU.
        """
        super().on_train_start()
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        assert self.lightning_module is not None
        loop: Any = self.lightning_module.trainer.fit_loop.epoch_loop
        loop._broadcast_sigterm_tensor = lambda: None


def make_trainer(device: torch.device, precision: str, loggers: list[Logger], callbacks: list[pl.Callback]):
    """A Trainer that runs until a callback stops it and leaves checkpoints, logging and progress to ``callbacks``."""
    logging.getLogger("pytorch_lightning").setLevel(logging.WARNING)
    # The averaged generator is in eval mode on purpose; the other warning is Lightning's own use of torch.
    warnings.filterwarnings("ignore", message=r"Found \d+ module\(s\) in eval mode")
    warnings.filterwarnings("ignore", message=r".*isinstance\(treespec, LeafSpec\).* is deprecated")
    return pl.Trainer(
        accelerator="gpu" if device.type == "cuda" else "cpu",
        **_processes(device),
        precision=precision,  # pyright: ignore[reportArgumentType]
        max_epochs=-1,
        logger=loggers or False,
        callbacks=callbacks,
        num_sanity_val_steps=0,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        use_distributed_sampler=False,
    )


def _processes(device: torch.device) -> dict[str, Any]:
    if distributed.world() == 1:
        return {"devices": [device.index or 0] if device.type == "cuda" else 1}
    here = int(os.environ["LOCAL_WORLD_SIZE"])
    strategy = ManualDDPStrategy(cluster_environment=TorchElasticEnvironment())
    return {"devices": here, "num_nodes": distributed.world() // here, "strategy": strategy}
