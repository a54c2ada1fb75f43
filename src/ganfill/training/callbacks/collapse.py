"""An early warning when the game is lost: the generator no longer learns, or draws ever the same."""

import logging
import math
from typing import Any

import numpy as np
import pytorch_lightning as pl

from ganfill.images.pixels import to_uint8
from ganfill.metrics.collapse import IN_A_ROW, diversity_warning, has_stalled, lacks_diversity, stall_warning
from ganfill.metrics.diversity import spread
from ganfill.training import distributed
from ganfill.training.datamodule import FFHQDataModule
from ganfill.training.gan import GAN
from ganfill.training.training_module import crossed

log = logging.getLogger(__name__)

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
        before = pl_module.images_seen - len(batch) * distributed.world()
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
            self._warn(stall_warning(kimg, logit_real, logit_fake, gradient_g), "stalled")

    def judge_diversity(self, kimg: float, diversity: float) -> None:
        """Warns if the samples have been much alike for long."""
        self.diversity.append((kimg, diversity))
        if lacks_diversity(self.diversity):
            self._warn(diversity_warning(kimg, diversity), "diversity")

    def _warn(self, message: str, cause: str) -> None:
        if cause not in self.told:
            self.told.add(cause)
            log.warning(message)
