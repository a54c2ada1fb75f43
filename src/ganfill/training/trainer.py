"""The Trainer: which device, which precision, and nothing of Lightning's own bookkeeping."""

import logging
import warnings

import pytorch_lightning as pl
import torch
from pytorch_lightning.loggers import Logger

from ganfill.errors import UserError


def choose_device(device: str) -> torch.device:
    """Turns ``auto``, ``cpu``, ``cuda`` or ``cuda:1`` into a device that is there.

    Raises:
        UserError: it is not.
    """
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        chosen = torch.device(device)
    except RuntimeError:
        raise UserError(f"device={device} is not a device: use auto, cpu, cuda or cuda:1") from None
    if chosen.type == "cuda" and not torch.cuda.is_available():
        raise UserError(f"device={device}, but this machine has no usable GPU: use device=cpu or device=auto")
    return chosen


def choose_precision(precision: str, device: torch.device) -> str:
    """Turns ``auto`` into ``bf16-mixed`` where the processor multiplies bfloat16 itself, else into ``32-true``."""
    if precision != "auto":
        return precision
    if device.type == "cuda":
        fast = torch.cuda.is_bf16_supported(including_emulation=False)
    else:
        fast = torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    return "bf16-mixed" if fast else "32-true"


def make_trainer(device: torch.device, precision: str, loggers: list[Logger], callbacks: list[pl.Callback]):
    """A Trainer that runs until a callback stops it and leaves checkpoints, logging and progress to ``callbacks``."""
    logging.getLogger("pytorch_lightning").setLevel(logging.WARNING)
    # The averaged generator is in eval mode on purpose; the other warning is Lightning's own use of torch.
    warnings.filterwarnings("ignore", message=r"Found \d+ module\(s\) in eval mode")
    warnings.filterwarnings("ignore", message=r".*isinstance\(treespec, LeafSpec\).* is deprecated")
    return pl.Trainer(
        accelerator="gpu" if device.type == "cuda" else "cpu",
        devices=[device.index or 0] if device.type == "cuda" else 1,
        precision=precision,  # pyright: ignore[reportArgumentType]
        max_epochs=-1,
        logger=loggers or False,
        callbacks=callbacks,
        num_sanity_val_steps=0,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
