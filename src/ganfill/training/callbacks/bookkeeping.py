"""Metrics, checkpoints, progress bar and end of every training, timed by images seen."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from tqdm import tqdm

from ganfill import interrupts
from ganfill.progress import progress_bar
from ganfill.training import distributed
from ganfill.training.callbacks.csv_table import CsvTable
from ganfill.training.callbacks.periodic import StepCallback
from ganfill.training.loggers import key, log_row
from ganfill.training.run_directory import is_over
from ganfill.training.training_module import GanfillModule, crossed


class Metrics(StepCallback):
    """Appends each measurement of the module to ``metrics.csv`` and passes it to the loggers.

    A training that was killed after its last checkpoint repeats some steps. Their old rows are dropped at the start, so
    no row appears twice.
    """

    def __init__(self, path: Path, measures: Sequence[str]) -> None:
        self.table = CsvTable(path, ("kimg", *measures, "seconds", "images_per_second"))
        self.last = (0, 0.0)

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Continues the table."""
        assert isinstance(pl_module, GanfillModule)
        if distributed.rank() == 0:
            self.table.resume(pl_module.images_seen)
            self.last = (pl_module.images_seen, pl_module.seconds)

    def after_step(self, trainer: pl.Trainer, module: GanfillModule, before: int) -> None:
        """Writes one row if the step was measured."""
        if not module.measured or distributed.rank() > 0:
            return
        row = {name: float(value) for name, value in module.measured.items()}
        row["seconds"] = now = module.seconds
        row["images_per_second"] = (module.images_seen - self.last[0]) / (now - self.last[1])
        self.last = (module.images_seen, now)
        self.table.append([[module.images_seen / 1000, *(f"{row[name]:.6g}" for name in self.table.columns[1:])]])
        log_row(trainer.loggers, {key(name): value for name, value in row.items()}, module.images_seen)


class Checkpoint(StepCallback):
    """Keeps the state of the training in one file and ends the training at ``kimg``.

    Args:
        path: the checkpoint, which is replaced as a whole.
        every_kimg: interval in thousand images; the end of training is always saved.
        kimg: length of the training in thousand images.
        minutes: limit of the time spent on steps; None: no limit.
        extra: further content of the checkpoint; plain values only, so that it loads with ``weights_only=True``.
    """

    def __init__(self, path: Path, every_kimg: float, kimg: float, minutes: float | None, extra: dict[str, Any]):
        self.path, self.every_kimg, self.kimg, self.minutes, self.extra = path, every_kimg, kimg, minutes, extra

    def on_save_checkpoint(self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]):
        """Adds ``extra``."""
        checkpoint["ganfill"] = self.extra

    def after_step(self, trainer: pl.Trainer, module: GanfillModule, before: int) -> None:
        """Saves when it is due or the training is over, which another callback may have decided.

        Raises:
            UserError: a loss or a weight is not finite; the last checkpoint is kept.
        """
        over = is_over(module.images_seen, module.seconds, self.kimg, self.minutes) or trainer.should_stop
        if module.measured or over:
            module.check_finite()
        if over or crossed(before, module.images_seen, self.every_kimg):
            module.check_finite(weights=True)
            with module.paused():
                trainer.save_checkpoint(self.path)
        trainer.should_stop = over


class Progress(StepCallback):
    """Progress bar of images seen, up to the end that comes first.

    Args:
        kimg: length of the training in thousand images.
        minutes: limit of the time spent on steps; None: no limit.
    """

    def __init__(self, kimg: float, minutes: float | None = None) -> None:
        self.kimg, self.minutes = kimg, minutes
        self.start = (0, 0.0)  # images seen and seconds
        self.bar: tqdm | None = None

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Starts the bar where the training starts."""
        assert isinstance(pl_module, GanfillModule)
        if distributed.rank() == 0:
            total, seen = round(self.kimg * 1000), pl_module.images_seen
            self.start = (seen, pl_module.seconds)
            self.bar = progress_bar(desc="training", total=total, initial=seen, unit="img", unit_scale=True)

    def after_step(self, trainer: pl.Trainer, module: GanfillModule, before: int) -> None:
        """Moves the bar.

        Raises:
            KeyboardInterrupt: the step has swallowed one.
        """
        interrupts.raise_swallowed()
        if self.bar is not None:
            if module.measured:
                losses = {k: f"{float(v):.2f}" for k, v in module.measured.items() if k.startswith("loss")}
                self.bar.set_postfix(losses, refresh=False)
            self.bar.total = self._expected_end(module)
            self.bar.update(module.images_seen - before)

    def _expected_end(self, module: GanfillModule) -> int:
        """Returns the images seen at the end, if the training goes on as fast as it has since it started."""
        end, (seen, seconds) = round(self.kimg * 1000), (module.images_seen, module.seconds)
        if self.minutes is None or seconds <= self.start[1]:
            return end
        speed = (seen - self.start[0]) / (seconds - self.start[1])
        return min(end, seen + round(speed * max(0.0, self.minutes * 60 - seconds)))

    def on_exception(self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException) -> None:
        """Closes the bar, so that the message has a line of its own."""
        self.on_train_end(trainer, pl_module)

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Closes the bar."""
        if self.bar is not None:
            self.bar.close()
