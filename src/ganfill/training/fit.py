"""One training from its parts to its last checkpoint."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.loggers import Logger

from ganfill import interrupts
from ganfill.errors import UserError
from ganfill.training import distributed
from ganfill.training.callbacks.bookkeeping import Checkpoint, Metrics, Progress
from ganfill.training.datamodule import FFHQDataModule
from ganfill.training.loggers import finish_wandb, log_config
from ganfill.training.run_directory import check_fits, is_over, read_checkpoint
from ganfill.training.trainer import make_trainer
from ganfill.training.training_module import GanfillModule

FAILED, INTERRUPTED = 1, 255  # wandb's own exit codes


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
    on_accepted: Callable[[], object] = lambda: None,
    checkpoint_kimg: float = 10,
    callbacks: Sequence[pl.Callback] = (),
) -> bool:
    """Trains ``module`` to ``kimg`` thousand images in the run directory ``out``, from ``out/last.ckpt`` if it exists.

    Every rank calls this. Rank 0 writes all files; every rank must see the run directory and the pictures.

    Args:
        module: with fresh weights.
        data: the pictures.
        out: the run directory.
        kimg: length of the training in thousand images seen.
        minutes: limit of the time spent on steps, in all runs together; None: no limit.
        device: device of this process.
        precision: Lightning's name of the precision.
        make_loggers: makes the loggers beside ``metrics.csv``; called only if there is anything to train.
        provenance: plain values for the checkpoint and for an exported model.
        on_accepted: called by rank 0 when pictures and networks are known to be those of ``out/last.ckpt``, before any
            file is written, and even if there is nothing to train.
        checkpoint_kimg: interval of the checkpoint in thousand images.
        callbacks: further callbacks; they run before the checkpoint is written.

    Returns:
        False if the training in ``out`` had already come as far, and nothing was done.

    Raises:
        UserError: the checkpoint is damaged or was trained on other pictures, or the loss became NaN or infinite.
    """
    last = out / "last.ckpt"
    distributed.local_slice(data.batch_size)  # raises before anything is written
    if distributed.rank() == 0:
        data.prepare_data()
    resuming = distributed.broadcast_flag(last.exists())
    data.setup()
    provenance = provenance | {"data_digest": data.digest, "pictures": len(data.rows)}
    checkpoint = read_checkpoint(last) if resuming else None
    if checkpoint is not None:
        if checkpoint["ganfill"]["data_digest"] != data.digest:
            raise UserError(f"{out} was trained on other pictures than those in {data.path}: choose another out")
        check_fits(checkpoint["state_dict"], module.state_dict(), last)
    if distributed.rank() == 0:
        on_accepted()
    if checkpoint is None:
        module.begin(data)
    elif is_over(checkpoint["images_seen"], checkpoint["seconds"], kimg, minutes):
        return False
    callbacks = [
        Metrics(out / "metrics.csv", module.MEASURES),
        *callbacks,
        Checkpoint(last, checkpoint_kimg, kimg, minutes, provenance),
        Progress(kimg, minutes),
    ]
    loggers = make_loggers() if distributed.rank() == 0 else []
    exit_code = FAILED
    try:
        log_config(loggers, provenance.get("config", {}) | {k: v for k, v in provenance.items() if k != "config"})
        trainer = make_trainer(device, precision, loggers, callbacks)
        weights = [*module.parameters(), *module.buffers()]
        distributed.broadcast_([tensor for tensor in weights if tensor.is_floating_point()])
        trainer.fit(module, datamodule=data, ckpt_path=last if resuming else None, weights_only=True)
        exit_code = 0
    except SystemExit:  # Lightning's answer to KeyboardInterrupt
        exit_code = INTERRUPTED
        interrupts.raise_swallowed()  # with the number of the signal
        raise KeyboardInterrupt from None
    finally:
        finish_wandb(loggers, exit_code)
    return True
