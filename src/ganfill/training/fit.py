"""One training from its parts to its last checkpoint."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.loggers import Logger

from ganfill.errors import UserError
from ganfill.training import distributed
from ganfill.training.callbacks.bookkeeping import Checkpoint, Metrics, Progress
from ganfill.training.datamodule import FFHQDataModule
from ganfill.training.loggers import finish_wandb, log_config
from ganfill.training.run_directory import read_checkpoint
from ganfill.training.trainer import make_trainer
from ganfill.training.training_module import GanfillModule, is_over

FAILED, INTERRUPTED = 1, 255  # as wandb itself tells them apart


def fit(
    module: GanfillModule,
    data: FFHQDataModule,
    out: Path,
    *,
    kimg: float,
    minutes: float | None = None,
    device: torch.device,
    precision: str,
    make_loggers: Callable[[], list[Logger]],
    provenance: dict[str, Any],
    checkpoint_kimg: float = 10,
    callbacks: Sequence[pl.Callback] = (),
) -> bool:
    """Trains ``module`` to ``kimg`` thousand images in the run directory ``out``, from ``out/last.ckpt`` if there is one.

    Args:
        module: with fresh weights.
        data: its pictures.
        out: the run directory.
        kimg: the length of the training in thousand images seen.
        minutes: the most time for its steps, in all runs together; None: as long as it takes.
        device: where to train.
        precision: Lightning's word for it.
        make_loggers: makes the loggers beside ``metrics.csv``, if there is anything to log.
        provenance: plain values that go into the checkpoint, and from there into an exported model.
        checkpoint_kimg: how often the checkpoint is written.
        callbacks: what else happens besides the steps.

    Every rank calls this. Rank 0 writes all files; every rank must see the run directory and the pictures.

    Returns:
        False if the training in ``out`` had already come so far, and nothing was done.

    Raises:
        UserError: the checkpoint is damaged, was trained on other pictures, or the loss became NaN or infinite.
    """
    last = out / "last.ckpt"
    distributed.local_slice(data.batch_size)  # or an error, before anything is done
    if distributed.rank() == 0:
        data.prepare_data()
    resuming = distributed.broadcast_flag(last.exists())
    data.setup()
    provenance = provenance | {"data_digest": data.digest, "pictures": len(data.rows)}
    if resuming:
        checkpoint = read_checkpoint(last)
        if checkpoint["ganfill"]["data_digest"] != data.digest:
            raise UserError(f"{out} was trained on other pictures than those in {data.path}: choose another out")
        if is_over(checkpoint["images_seen"], checkpoint["seconds"], kimg, minutes):
            return False
    else:
        module.begin(data)
    callbacks = [
        Metrics(out / "metrics.csv", module.MEASURES),
        *callbacks,
        Checkpoint(last, checkpoint_kimg, kimg, minutes, provenance),
        Progress(kimg),
    ]
    loggers = make_loggers() if distributed.rank() == 0 else []
    exit_code = FAILED
    try:
        log_config(loggers, provenance.get("config", {}) | {k: v for k, v in provenance.items() if k != "config"})
        trainer = make_trainer(device, precision, loggers, callbacks)
        trainer.fit(module, datamodule=data, ckpt_path=last if resuming else None, weights_only=True)
        exit_code = 0
    except SystemExit:  # Lightning's answer to Ctrl-C
        exit_code = INTERRUPTED
        raise KeyboardInterrupt from None
    finally:
        finish_wandb(loggers, exit_code)
    return True
