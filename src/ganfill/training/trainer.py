"""Launchers of one or several processes, precision, and the Lightning Trainer without its own bookkeeping."""

import logging
import os
import warnings
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.loggers import Logger
from pytorch_lightning.plugins.io import TorchCheckpointIO
from pytorch_lightning.utilities import rank_zero_only

from ganfill.devices import has_bfloat16
from ganfill.errors import UserError
from ganfill.files import write_atomically
from ganfill.training import distributed

PRECISIONS = ("32-true", "bf16-mixed")


def choose_precision(precision: str, device: torch.device) -> str:
    """Resolves ``auto`` to ``bf16-mixed`` where bfloat16 is native, else to ``32-true``; refuses unknown precisions."""
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
            UserError: this process is one of several, which would all do the same.
        """
        if distributed.is_launched() and os.environ["WORLD_SIZE"] != "1":
            raise UserError(f"{os.environ['WORLD_SIZE']} processes were started: add trainer=ddp, or start only one")
        job(device, *arguments)


class DDP:
    """A process for each device, all with the same weights, each with its share of every batch.

    Launched by torchrun, on one machine or several, this process is one of them; otherwise it starts them.

    Args:
        devices: number of devices on this machine; None: all GPUs.
    """

    def __init__(self, devices: int | None = None) -> None:
        self.devices = devices

    def launch(self, device: torch.device, job: distributed.Job, *arguments: Any) -> None:
        """Runs ``job(device, *arguments)`` in each process, with its own device.

        Raises:
            UserError: there are not as many devices, or ``job`` has raised it.
        """
        if distributed.is_launched():
            self._count(device, int(os.environ["LOCAL_WORLD_SIZE"]))
            with distributed.joined(device) as own:
                job(own, *arguments)
            if os.environ["RANK"] != "0":
                raise SystemExit(0)  # the first process prints the result
        else:
            distributed.start(self._count(device), device, job, *arguments)

    def _count(self, device: torch.device, started: int | None = None) -> int:
        """Returns the number of processes on this machine, of which ``started`` already run."""
        if device.index is not None:
            raise UserError(f"device={device} is one device: trainer=ddp takes device={device.type}")
        if started is not None and self.devices not in (None, started):
            raise UserError(f"trainer.devices={self.devices}, but {started} processes were started here: leave it out")
        present = torch.cuda.device_count() if device.type == "cuda" else None
        count = next((n for n in (self.devices, started, present) if n is not None), None)
        if count is None:
            raise UserError("trainer=ddp on the CPU needs a number of processes: give trainer.devices=2")
        if not isinstance(count, int) or count < 1 or count > (present or count):
            allowed = f"from 1 to {present}, the GPUs of this machine" if present else "at least 1"
            raise UserError(f"trainer.devices must be {allowed}, got {count}")
        return count


class CheckpointFile(TorchCheckpointIO):
    """Writes checkpoints into their own directory; Lightning's writer needs room in the system's temporary directory."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None) -> None:
        """Replaces the checkpoint at ``path`` as a whole; the first process does so for all."""
        if distributed.rank() == 0:
            write_atomically(Path(path), lambda partial: _save(checkpoint, partial))


def _save(checkpoint: dict[str, Any], path: Path) -> None:
    with path.open("wb") as file:
        try:
            torch.save(checkpoint, file)
        except RuntimeError as error:  # hides the system's reason, such as a full disk
            raise error.__context__ if isinstance(error.__context__, OSError) else error from None


def make_trainer(device: torch.device, precision: str, loggers: list[Logger], callbacks: list[pl.Callback]):
    """Makes a Trainer of this process alone that runs until a callback stops it.

    Lightning does not manage several processes, because its ``DistributedDataParallel`` expects gradients of all
    parameters at every backward pass and a step of a GAN has those of one network. The module averages them itself.
    """
    rank_zero_only.rank = distributed.rank()  # pyright: ignore[reportFunctionMemberAccess]  # only the first warns
    logging.getLogger("pytorch_lightning").setLevel(logging.WARNING)
    # The averaged generator is in eval mode on purpose; the other warning is about Lightning's own use of torch.
    warnings.filterwarnings("ignore", message=r"Found \d+ module\(s\) in eval mode")
    warnings.filterwarnings("ignore", message=r".*isinstance\(treespec, LeafSpec\).* is deprecated")
    return pl.Trainer(
        accelerator="gpu" if device.type == "cuda" else "cpu",
        devices=[device.index or 0] if device.type == "cuda" else 1,
        precision=precision,  # pyright: ignore[reportArgumentType]
        plugins=[CheckpointFile()],
        max_epochs=-1,
        logger=loggers or False,
        callbacks=callbacks,
        num_sanity_val_steps=0,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        use_distributed_sampler=False,
    )
