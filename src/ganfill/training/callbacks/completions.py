"""Completions of the same few pictures during training, which show the progress of the generator."""

import copy
import logging
from pathlib import Path

import numpy as np
import pytorch_lightning as pl
from PIL import Image

from ganfill.completion.pipeline import Filled, fill
from ganfill.data.subsets import Pictures
from ganfill.images.blend import Paste
from ganfill.images.masks import center, draw
from ganfill.images.sheets import damaged, fit, grid, save
from ganfill.metrics.image import l1, psnr
from ganfill.models.model import Model
from ganfill.search.presets import from_pool
from ganfill.search.result import SearchOptions
from ganfill.training import distributed
from ganfill.training.callbacks.csv_table import CsvTable
from ganfill.training.callbacks.periodic import PeriodicCallback, as_gan, own_randomness
from ganfill.training.callbacks.sheet_files import drop_later_sheets, sheet_path
from ganfill.training.datamodule import FFHQDataModule
from ganfill.training.gan import GAN
from ganfill.training.loggers import log_pictures, log_row, log_table

log = logging.getLogger(__name__)

PICTURES, ANSWERS, SEED = 4, 2, 0
# A short search without refinement or blending, so that the answers show the generator itself.
SEARCH = from_pool(steps=48, starts=4, pool=256, cut_steps=0, blend=Paste())
FIGURES = ("psnr_hole", "l1_hole", "score")


class Completions(PeriodicCallback):
    """Completes a few pictures that are not trained on by a small search in the averaged generator.

    The hole is the middle half of each side. ``completions/kimg000120.png`` has a row for each picture: original, damaged,
    completed. ``completions.csv`` has a row for each picture: PSNR in dB and mean absolute error in levels over the hole,
    see ``ganfill.metrics.image``, and the score by which the search ranks its answers, see ``Selection``. Completing does
    not change the training: neither its random numbers, its checkpoint nor its clock.

    A resumed training drops rows and sheets from after its checkpoint and writes them again. If all pictures are trained
    on, nothing is written, and one line of the log says so.

    Args:
        out: the run directory.
        every_kimg, kimg, minutes: see ``PeriodicCallback``; the untrained generator is tried too.
    """

    def __init__(self, out: str | Path, every_kimg: float, kimg: float, minutes: float | None = None) -> None:
        super().__init__(every_kimg, kimg, minutes)
        self.table = CsvTable(Path(out) / "completions.csv", ("kimg", "picture", *FIGURES))
        self.directory = Path(out) / "completions"
        self.pictures: Pictures | None = None  # None in all processes but the first

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Chooses the pictures, and continues table and sheets."""
        if distributed.rank() > 0:
            return
        gan = as_gan(pl_module)
        drop_later_sheets(self.directory, gan.images_seen)
        if not self.every_kimg:
            return
        data: FFHQDataModule = trainer.datamodule  # pyright: ignore[reportAttributeAccessIssue]
        self.pictures = data.held_out(PICTURES)
        if self.pictures is None:
            log.warning("no completions while training: %s has no pictures that are not trained on", data.path)
        elif not self.table.resume(gan.images_seen or -1):  # a new training has no rows
            self.act_now(trainer, gan)

    def act(self, trainer: pl.Trainer, gan: GAN) -> None:
        """Completes the pictures; writes and logs the sheet and the rows."""
        if self.pictures is None:
            return
        truth, ids, kimg = self.pictures.images, self.pictures.ids, gan.images_seen / 1000
        with own_randomness(gan.device):
            if not gan.sample(PICTURES).isfinite().all():
                message = "no completions at %g kimg: the averaged generator draws pictures that are not finite"
                log.warning(message, kimg)
                return
            holes = draw(center, ids, *truth.shape[1:3])[:, 0].numpy()
            results = complete(gan, truth, holes)
        best = np.stack([result.pictures[0] for result in results])
        scores = np.array([result.scores[0] for result in results])
        figures = np.stack([psnr(best, truth, holes), l1(best, truth, holes), scores], 1)
        hidden = [damaged(picture, hole) for picture, hole in zip(truth, holes, strict=True)]

        sheet = grid(list(zip(truth, hidden, best, strict=True)), ("original", "damaged", "completed"))
        save(sheet, sheet_path(self.directory, gan.images_seen))
        rows = zip(ids, figures, strict=True)
        self.table.append([kimg, name, *(f"{figure:.6g}" for figure in row)] for name, row in rows)

        means = zip(FIGURES, figures.mean(0).tolist(), strict=True)
        log_row(trainer.loggers, {f"completions/{name}": mean for name, mean in means}, gan.images_seen)
        log_pictures(trainer.loggers, {"completions/sheet": sheet}, gan.images_seen)
        columns = [f"{name} {rank}" for rank in range(1, ANSWERS + 1) for name in ("answer", "score")]
        cells = [
            [name, _enlarge(original), _enlarge(hole), *_answers(result), *row]
            for name, original, hole, result, row in zip(
                ids, truth, hidden, results, figures[:, :2].tolist(), strict=True
            )
        ]
        columns = ["picture", "original", "damaged", *columns, *FIGURES[:2]]
        log_table(trainer.loggers, "completions/table", columns, cells, gan.images_seen)


def complete(gan: GAN, images: np.ndarray, holes: np.ndarray) -> list[Filled]:
    """Completes pictures uint8 (N, R, R, 3) with holes bool (N, R, R) by the averaged generator in its present state."""
    # A copy of the generator, because the search caches the pool of its pictures for as long as the object lives.
    networks = copy.deepcopy(gan.generator_ema), gan.discriminator
    model = Model(*networks, gan.latent, images.shape[1], float(gan.logit_centre), gan.mean_picture, {})
    return fill(model, list(images), list(holes), SEARCH, options=SearchOptions(ANSWERS, SEED))


def _answers(result: Filled) -> list[Image.Image | float]:
    pairs = zip(result.pictures, result.scores, strict=True)
    return [cell for picture, score in pairs for cell in (_enlarge(picture), score)]


def _enlarge(picture: np.ndarray) -> Image.Image:
    return fit(picture, max(192, len(picture)))
