"""An early warning when the game is lost: the generator no longer learns, or draws ever the same."""

import logging
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytorch_lightning as pl

from ganfill.pixels import to_uint8
from ganfill.training import parallel
from ganfill.training.clock import crossed
from ganfill.training.datamodule import FFHQDataModule
from ganfill.training.distances import spread
from ganfill.training.gan import GAN

log = logging.getLogger(__name__)

IN_A_ROW = 5  # measurements that are averaged
GAP = 5.0  # between real and fake logits
GRADIENT = 1e-3  # norm of the generator's; healthy trainings of ours stay above 1, stalled ones below 1e-4
DIVERSITY = 0.4  # relative to real pictures
PATIENCE_KIMG = 20.0  # a healthy DCGAN passes 0.4 at 20 kimg
RISING = 1.1
SAMPLES, REALS = 64, 1000


class Collapse(pl.Callback):
    """Warns in one line of the log, once for each cause.

    - The discriminator is sure of every fake while the generator's gradient vanishes (``has_stalled``), judged by what
      the module measures. A loss near chance is none: equal players are what the game is about.
    - The generator's pictures are all much alike (``lacks_diversity``), judged by 64 samples of the averaged generator
      that have the same z each time. It sees a generator that draws one picture, not one that draws a hundred.

    Args:
        every_kimg: how often the samples are looked at; 0: never.
    """

    def __init__(self, every_kimg: float) -> None:
        self.every_kimg = every_kimg
        self.real_spread = 0.0
        self.game: list[tuple[float, float, float]] = []
        self.diversity: list[tuple[float, float]] = []
        self.told: set[str] = set()

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Takes the diversity of real pictures."""
        data: FFHQDataModule = trainer.datamodule  # pyright: ignore[reportAttributeAccessIssue]
        some = data.rows[:: math.ceil(len(data.rows) / REALS)]
        self.real_spread = spread(np.asarray(data.pictures[some]))

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Judges what the step measured, and the samples when they are due."""
        assert isinstance(pl_module, GAN)
        if not trainer.is_global_zero:
            return
        kimg = pl_module.images_seen / 1000
        if pl_module.measured:
            self.judge_game(kimg, **{name: float(value) for name, value in pl_module.measured.items()})
        before = pl_module.images_seen - len(batch) * parallel.world()
        if crossed(before, pl_module.images_seen, self.every_kimg) and self.real_spread:
            with pl_module.paused():
                samples = pl_module.sample(SAMPLES)
                if samples.isfinite().all():
                    self.judge_diversity(kimg, spread(to_uint8(samples).cpu().numpy()) / self.real_spread)

    def judge_game(self, kimg: float, logit_real: float, logit_fake: float, gradient_g: float, **_: float) -> None:
        """Warns if this measurement and those before it make the generator's cause a lost one."""
        if all(map(math.isfinite, (logit_real, logit_fake, gradient_g))):
            self.game = [*self.game[1 - IN_A_ROW :], (logit_real, logit_fake, gradient_g)]
        if has_stalled(self.game):
            self._warn(
                f"at {kimg:g} kimg the discriminator is sure of every fake (logits {logit_real:.3g} for real and "
                f"{logit_fake:.3g} for generated pictures) and the generator's gradient has vanished "
                f"({gradient_g:.1g}), so it no longer learns: train in another out with loss=non_saturating, with "
                "regularizer=r1 or with a lower optimizer.discriminator.lr",
                "stalled",
            )

    def judge_diversity(self, kimg: float, diversity: float) -> None:
        """Warns if the samples have been much alike for long."""
        self.diversity.append((kimg, diversity))
        if lacks_diversity(self.diversity):
            self._warn(
                f"at {kimg:g} kimg the generator draws much the same picture from every z (its pictures vary "
                f"{diversity:.2f} times as much as real ones): look at samples, and train in another out with "
                "regularizer=r1, augment=diffaugment or lower learning rates (optimizer.generator.lr, "
                "optimizer.discriminator.lr)",
                "diversity",
            )

    def _warn(self, message: str, cause: str) -> None:
        if cause not in self.told:
            self.told.add(cause)
            log.warning(message)


def has_stalled(game: Sequence[tuple[float, float, float]]) -> bool:
    """Whether the generator is left without a gradient by a discriminator that is sure.

    Args:
        game: logit_real, logit_fake and gradient_g of the last measurements. Their mean gap, and the geometric mean of
            the gradient's norm, decide, so that one quiet batch does not.
    """
    if len(game) < IN_A_ROW:
        return False
    last = np.array(game[-IN_A_ROW:])
    gradient = np.exp(np.log(np.maximum(last[:, 2], 1e-30)).mean())
    return bool((last[:, 0] - last[:, 1]).mean() > GAP and gradient < GRADIENT)


def lacks_diversity(diversity: Sequence[tuple[float, float]]) -> bool:
    """Whether diversity has been low for 20 kimg without rising by a tenth.

    Args:
        diversity: kimg and diversity relative to real pictures, of all measurements.
    """
    kimg, now = diversity[-1]
    earlier = [(at, value) for at, value in diversity if at <= kimg - PATIENCE_KIMG]
    since = [value for at, value in diversity if at >= earlier[-1][0]] if earlier else []
    return bool(since) and max(since) < DIVERSITY and now <= RISING * since[0]
