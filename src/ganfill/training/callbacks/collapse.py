"""Early warning of a failed training: the generator no longer learns, or always draws the same picture."""

import logging
import math

import numpy as np
import pytorch_lightning as pl

from ganfill.images.pixels import to_uint8
from ganfill.metrics.collapse import IN_A_ROW, diversity_warning, has_stalled, lacks_diversity, stall_warning
from ganfill.metrics.diversity import spread
from ganfill.training import distributed
from ganfill.training.callbacks.periodic import StepCallback, as_gan
from ganfill.training.datamodule import FFHQDataModule
from ganfill.training.training_module import GanfillModule, crossed

log = logging.getLogger(__name__)

SAMPLES, REALS = 64, 1000


class Collapse(StepCallback):
    """Warns in one line of the log, once for each cause.

    - The discriminator rejects every fake while the generator's gradient vanishes (see ``has_stalled``), by the module's
      measurements. A loss near chance is normal: then both networks are equally strong.
    - The generator's pictures are nearly the same (see ``lacks_diversity``), by 64 samples of the averaged generator from
      z that never change. This detects a generator that draws one picture, but not one that draws a hundred.

    Args:
        every_kimg: interval at which the samples are checked, in thousand images; 0: never.
    """

    def __init__(self, every_kimg: float) -> None:
        self.every_kimg = every_kimg
        self.real_spread = 0.0
        self.game: list[tuple[float, float, float]] = []
        self.diversity: list[tuple[float, float]] = []
        self.warned: set[str] = set()

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Measures the diversity of real pictures."""
        data: FFHQDataModule = trainer.datamodule  # pyright: ignore[reportAttributeAccessIssue]
        self.real_spread = spread(np.asarray(data.pictures[data.rows[:: math.ceil(len(data.rows) / REALS)]]))

    def after_step(self, trainer: pl.Trainer, module: GanfillModule, before: int) -> None:
        """Checks the measurements of the step, and the samples when they are due."""
        if distributed.rank() > 0:
            return
        kimg = module.images_seen / 1000
        if module.measured:
            self.judge_game(kimg, **{name: float(value) for name, value in module.measured.items()})
        if crossed(before, module.images_seen, self.every_kimg) and self.real_spread:
            with module.paused():
                samples = as_gan(module).sample(SAMPLES)
                if samples.isfinite().all():
                    self.judge_diversity(kimg, spread(to_uint8(samples).cpu().numpy()) / self.real_spread)

    def judge_game(self, kimg: float, logit_real: float, logit_fake: float, gradient_g: float, **_: float) -> None:
        """Warns if this measurement and those before it show a stalled generator."""
        if all(map(math.isfinite, (logit_real, logit_fake, gradient_g))):
            self.game = [*self.game[1 - IN_A_ROW :], (logit_real, logit_fake, gradient_g)]
        if has_stalled(self.game):
            self._warn(stall_warning(kimg, logit_real, logit_fake, gradient_g), "stalled")

    def judge_diversity(self, kimg: float, diversity: float) -> None:
        """Warns if the samples have lacked diversity for long."""
        self.diversity.append((kimg, diversity))
        if lacks_diversity(self.diversity):
            self._warn(diversity_warning(kimg, diversity), "diversity")

    def _warn(self, message: str, cause: str) -> None:
        if cause not in self.warned:
            self.warned.add(cause)
            log.warning(message)
