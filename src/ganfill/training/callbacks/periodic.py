"""What is done every so many thousand images and at the end of a training, beside its steps."""

from abc import ABC, abstractmethod
from typing import Any

import pytorch_lightning as pl
import torch

from ganfill.training import distributed
from ganfill.training.gan import GAN
from ganfill.training.training_module import crossed, is_over


class PeriodicCallback(pl.Callback, ABC):
    """Acts at every multiple of an interval and at the end; the training's clock stands still meanwhile.

    Goes before ``Checkpoint``, so that nothing is missing after a kill: what was done after the checkpoint that a training
    continues from is done again.

    Args:
        every_kimg: how often. 0: never, at the end neither.
        kimg: the length of the training in thousand images.
        minutes: the most time for its steps; None: as long as it takes.
    """

    def __init__(self, every_kimg: float, kimg: float, minutes: float | None = None) -> None:
        self.every_kimg, self.kimg, self.minutes = every_kimg, kimg, minutes
        self.acted_at = -1

    @abstractmethod
    def act(self, trainer: pl.Trainer, gan: GAN) -> None:
        """Does it, in each process."""

    def act_now(self, trainer: pl.Trainer, gan: GAN) -> None:
        """Does it, in time that does not count."""
        self.acted_at = gan.images_seen
        with gan.paused():
            self.act(trainer, gan)

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Acts when it is due or the training is over."""
        gan = self._gan(pl_module)
        before = gan.images_seen - len(batch) * distributed.world()
        if self.every_kimg and (
            crossed(before, gan.images_seen, self.every_kimg)
            or is_over(gan.images_seen, gan.seconds, self.kimg, self.minutes)
        ):
            self.act_now(trainer, gan)

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Acts at an end that came by the clock after ``on_train_batch_end`` had looked at it."""
        gan = self._gan(pl_module)
        if self.every_kimg and self.acted_at != gan.images_seen:
            self.act_now(trainer, gan)

    @staticmethod
    def _gan(module: pl.LightningModule) -> GAN:
        assert isinstance(module, GAN)
        return module


def own_randomness(device: torch.device):
    """Gives the training its random state back, whatever is drawn within."""
    return torch.random.fork_rng(devices=[device] if device.type == "cuda" else [])
