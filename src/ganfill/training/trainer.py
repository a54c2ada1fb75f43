"""The Trainer: which device, which precision, and nothing of Lightning's own bookkeeping."""

import logging
import warnings

import pytorch_lightning as pl
import torch
from pytorch_lightning.loggers import Logger

from ganfill.devices import has_bfloat16
from ganfill.errors import UserError

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
