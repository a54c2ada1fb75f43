"""Faces that are completed again and again while the training goes on, to see the generator grow."""

import copy
import csv
import logging
from pathlib import Path

import numpy as np
import pytorch_lightning as pl
from PIL import Image

from ganfill.completion.pipeline import Filled, fill
from ganfill.data.subsets import Pictures
from ganfill.files import write_atomically
from ganfill.images.blend import Paste
from ganfill.images.masks import center, draw
from ganfill.images.sheets import damaged, fit, grid
from ganfill.metrics.image import l1, psnr
from ganfill.models.model import Model
from ganfill.search.presets import from_pool
from ganfill.training.callbacks.periodic import PeriodicCallback, own_randomness
from ganfill.training.datamodule import FFHQDataModule
from ganfill.training.gan import GAN
from ganfill.training.loggers import log_pictures, log_row, log_table
from ganfill.training.run_directory import cut_back

log = logging.getLogger(__name__)

FACES, ANSWERS, SEED = 4, 2, 0
# A short search without refinement or blending, so that the answers show the generator itself.
SEARCH = from_pool(steps=48, starts=4, pool=256, cut_steps=0, blend=Paste())
FIGURES = ("psnr_hole", "l1_hole", "score")
COLUMNS = ("kimg", "picture", *FIGURES)


class Completions(PeriodicCallback):
    """Completes the same few pictures, which are not trained on, by a small search in the averaged generator.

    The hole is the middle half of each side. ``completions/kimg000120.png`` has a row for each picture: original, damaged,
    completed. A row of ``completions.csv`` is PSNR in dB and mean absolute error in levels over the hole's pixels, see
    ``ganfill.metrics.image``, and what the search ranked its answers by, see ``Selection``. The training is the same
    with and without: no random number of it is drawn, no state added to its checkpoint, and its clock stands still.

    Rows after the checkpoint that a training continues from are dropped, and come again. Without pictures that are not
    trained on there is nothing to be seen, and one line in the log.

    Args:
        out: the run directory.
        every_kimg, kimg, minutes: see ``PeriodicCallback``; the untrained generator is tried too.
    """

    def __init__(self, out: Path, every_kimg: float, kimg: float, minutes: float | None = None) -> None:
        super().__init__(every_kimg, kimg, minutes)
        self.table, self.directory = out / "completions.csv", out / "completions"
        self.pictures: Pictures | None = None  # of the first process alone

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Chooses the pictures, and continues the table."""
        if not self.every_kimg or not trainer.is_global_zero:
            return
        gan = self._gan(pl_module)
        data: FFHQDataModule = trainer.datamodule  # pyright: ignore[reportAttributeAccessIssue]
        self.pictures = data.held_out(FACES)
        if self.pictures is None:
            log.warning("no completions while training: %s has no pictures that are not trained on", data.path)
        elif not cut_back(self.table, COLUMNS, gan.images_seen or -1):  # a fresh training has no rows
            self.act_now(trainer, gan)

    def act(self, trainer: pl.Trainer, gan: GAN) -> None:
        """Writes the sheet, then its rows."""
        if self.pictures is None:
            return
        with own_randomness(gan.device):
            if not gan.sample(FACES).isfinite().all():
                kimg = gan.images_seen / 1000
                log.warning(
                    "no completions at %g kimg: the averaged generator draws pictures that are not finite", kimg
                )
                return
            holes = draw(center, self.pictures.ids, *self.pictures.images.shape[1:3])[:, 0].numpy()
            found = complete(gan, self.pictures.images, holes)
        self._write(trainer, gan.images_seen, holes, found)

    def _write(self, trainer: pl.Trainer, images_seen: int, holes: np.ndarray, found: list[Filled]) -> None:
        assert self.pictures is not None
        truth, ids = self.pictures.images, self.pictures.ids
        hidden = [damaged(picture, hole) for picture, hole in zip(truth, holes, strict=True)]
        best = np.stack([each.pictures[0] for each in found])
        scores = np.array([each.scores for each in found])
        figures = np.stack([psnr(best, truth, holes), l1(best, truth, holes), scores[:, 0]], 1)

        self.directory.mkdir(parents=True, exist_ok=True)
        sheet = grid(list(zip(truth, hidden, best, strict=True)), ("original", "damaged", "completed"))
        write_atomically(self.directory / f"kimg{images_seen // 1000:06d}.png", sheet.save)
        rows = zip(ids, figures, strict=True)
        with self.table.open("a", newline="") as file:
            csv.writer(file).writerows(
                [images_seen / 1000, name, *(f"{figure:.6g}" for figure in row)] for name, row in rows
            )

        means = dict(zip(FIGURES, figures.mean(0).tolist(), strict=True))
        log_row(trainer.loggers, {f"completions/{name}": value for name, value in means.items()}, images_seen)
        log_pictures(trainer.loggers, {"completions/sheet": sheet}, images_seen)
        answers = [
            [cell for answer, score in zip(each.pictures, each.scores, strict=True) for cell in (_show(answer), score)]
            for each in found
        ]
        cells = zip(ids, map(_show, truth), map(_show, hidden), answers, figures[:, :2].tolist(), strict=True)
        log_table(
            trainer.loggers,
            "completions/table",
            ["picture", "original", "damaged", *_answer_columns(), *FIGURES[:2]],
            [[name, original, hole, *answer, *row] for name, original, hole, answer, row in cells],
            images_seen,
        )


def complete(gan: GAN, images: np.ndarray, holes: np.ndarray) -> list[Filled]:
    """Completes pictures uint8 (N, R, R, 3) with holes bool (N, R, R) by the averaged generator as it is now."""
    model = Model(
        copy.deepcopy(gan.generator_ema),  # the pool of an object's pictures is kept as long as the object
        gan.discriminator,  # which this search never asks
        gan.latent,
        images.shape[1],
        float(gan.logit_centre),
        gan.mean_picture,
        {},
    )
    return fill(model, list(images), list(holes), SEARCH, answers=ANSWERS, seed=SEED)


def _answer_columns() -> list[str]:
    return [f"{what} {rank}" for rank in range(1, ANSWERS + 1) for what in ("answer", "score")]


def _show(picture: np.ndarray) -> Image.Image:
    return fit(picture, max(192, len(picture)))
