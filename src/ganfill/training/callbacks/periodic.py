"""Callbacks that run after every step, or every N kimg and at the end of training."""

from abc import ABC, abstractmethod
from typing import Any

import pytorch_lightning as pl
import torch

from ganfill.training import distributed
from ganfill.training.gan import GAN
from ganfill.training.run_directory import is_over
from ganfill.training.training_module import GanfillModule, crossed


class StepCallback(pl.Callback, ABC):
    """Runs after every step, in each process."""

    @abstractmethod
    def after_step(self, trainer: pl.Trainer, module: GanfillModule, before: int) -> None:
        """Runs after the step that began at ``before`` images seen."""

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Calls ``after_step``."""
        assert isinstance(pl_module, GanfillModule)
        self.after_step(trainer, pl_module, pl_module.images_seen - len(batch) * distributed.world())


class PeriodicCallback(StepCallback):
    """Acts at every multiple of an interval and at the end of training, while the training's clock is stopped.

    It must precede ``Checkpoint``, so that nothing is missing after a kill: a resumed training repeats all actions since
    its checkpoint.

    Args:
        every_kimg: interval in thousand images; 0: never, not even at the end.
        kimg: length of the training in thousand images.
        minutes: limit of the time spent on steps; None: no limit.
    """

    def __init__(self, every_kimg: float, kimg: float, minutes: float | None = None) -> None:
        self.every_kimg, self.kimg, self.minutes = every_kimg, kimg, minutes
        self.acted_at = -1

    @abstractmethod
    def act(self, trainer: pl.Trainer, gan: GAN) -> None:
        """Acts, in each process."""

    def act_now(self, trainer: pl.Trainer, gan: GAN) -> None:
        """Acts while the clock is stopped."""
        self.acted_at = gan.images_seen
        with gan.paused():
            self.act(trainer, gan)

    def after_step(self, trainer: pl.Trainer, module: GanfillModule, before: int) -> None:
        """Acts if the interval or the training is over."""
        seen = module.images_seen
        if self.every_kimg and (
            crossed(before, seen, self.every_kimg) or is_over(seen, module.seconds, self.kimg, self.minutes)
        ):
            self.act_now(trainer, as_gan(module))

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Acts if time ran out after ``after_step`` had checked it."""
        gan = as_gan(pl_module)
        if self.every_kimg and self.acted_at != gan.images_seen:
            self.act_now(trainer, gan)


def as_gan(module: pl.LightningModule) -> GAN:
    """Returns the module, typed as a GAN."""
    assert isinstance(module, GAN)
    return module


def own_randomness(device: torch.device):
    """Context that restores the training's random state, whatever is drawn within."""
    return torch.random.fork_rng(devices=[device] if device.type == "cuda" else [])
