"""What happens besides the steps: metrics, checkpoints, progress, the end. All by images seen."""

import csv
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from tqdm import tqdm

from ganfill.training import distributed
from ganfill.training.loggers import key, log_row
from ganfill.training.run_directory import cut_back, save_checkpoint
from ganfill.training.training_module import GanfillModule, crossed, is_over


class Metrics(pl.Callback):
    """Appends what the module measured to ``metrics.csv`` and hands it to the loggers, with images seen as the step.

    A training that was killed after its last checkpoint repeats some steps; their old rows are dropped at the start,
    so every row stands in the file once.
    """

    def __init__(self, path: Path, measures: Sequence[str]) -> None:
        self.path = path
        self.columns = ("kimg", *measures, "seconds", "images_per_second")
        self.last = (0, 0.0)

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Keeps the rows up to the checkpoint that the training continues from."""
        if not trainer.is_global_zero:
            return
        module = _clocked(pl_module)
        cut_back(self.path, self.columns, module.images_seen)
        self.last = (module.images_seen, module.seconds)

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Writes one row if the step was measured."""
        module = _clocked(pl_module)
        if not module.measured or not trainer.is_global_zero:
            return
        row = {name: float(value) for name, value in module.measured.items()}
        now = module.seconds
        row["images_per_second"] = (module.images_seen - self.last[0]) / (now - self.last[1])
        row |= {"kimg": module.images_seen / 1000, "seconds": now}
        self.last = (module.images_seen, now)
        with self.path.open("a", newline="") as file:
            csv.writer(file).writerow([f"{row[name]:.6g}" if name != "kimg" else row[name] for name in self.columns])
        shown = {key(name): value for name, value in row.items() if name != "kimg"}
        log_row(trainer.loggers, shown, module.images_seen)


class Checkpoint(pl.Callback):
    """Keeps the state of the training in one file, replaced as a whole, and ends the training at ``kimg``.

    Args:
        path: the checkpoint.
        every_kimg: how often it is written; the end always is.
        kimg: the length of the training in thousand images.
        minutes: the training ends earlier if its steps have taken so long; None: it does not.
        extra: what else to put in, plain values only, so that it loads with ``weights_only=True``.
    """

    def __init__(self, path: Path, every_kimg: float, kimg: float, minutes: float | None, extra: dict[str, Any]):
        self.path, self.every_kimg, self.kimg, self.minutes, self.extra = path, every_kimg, kimg, minutes, extra

    def on_save_checkpoint(self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]):
        """Adds ``extra``."""
        checkpoint["ganfill"] = self.extra

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Saves when it is due or the training is over; refuses to save weights that a non-finite loss has spoilt."""
        module = _clocked(pl_module)
        over = is_over(module.images_seen, module.seconds, self.kimg, self.minutes)
        if module.measured or over:
            module.check_finite()
        before = module.images_seen - len(batch) * distributed.world()
        if over or crossed(before, module.images_seen, self.every_kimg):
            module.check_finite(weights=True)
            with module.paused():
                save_checkpoint(trainer, self.path)
        trainer.should_stop = over


class Progress(pl.Callback):
    """A bar of images seen."""

    def __init__(self, kimg: float) -> None:
        self.kimg = kimg
        self.bar: tqdm | None = None

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Starts the bar where the training starts."""
        if not trainer.is_global_zero:
            return
        every = 0.5 if sys.stderr.isatty() else 60
        self.bar = tqdm(
            *(None, "training", round(self.kimg * 1000)),
            initial=_clocked(pl_module).images_seen,
            unit="img",
            unit_scale=True,
            mininterval=every,
        )

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Moves the bar."""
        module = _clocked(pl_module)
        if self.bar is not None:
            if module.measured:
                losses = {k: f"{float(v):.2f}" for k, v in module.measured.items() if k.startswith("loss")}
                self.bar.set_postfix(losses, refresh=False)
            self.bar.update(len(batch) * distributed.world())

    def on_exception(self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException) -> None:
        """Closes the bar, so that the message has a line of its own."""
        self.on_train_end(trainer, pl_module)

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Closes the bar."""
        if self.bar is not None:
            self.bar.close()


def _clocked(module: pl.LightningModule) -> GanfillModule:
    assert isinstance(module, GanfillModule)
    return module
