"""Grids of generated pictures from z that never change."""

from pathlib import Path

import pytorch_lightning as pl
import torch
from PIL import Image
from torchvision.utils import make_grid

from ganfill import seeding
from ganfill.images.pixels import to_uint8
from ganfill.images.sheets import save
from ganfill.training import distributed
from ganfill.training.callbacks.periodic import PeriodicCallback, as_gan
from ganfill.training.callbacks.sheet_files import drop_later_sheets, sheet_path
from ganfill.training.gan import GAN
from ganfill.training.loggers import log_pictures

COLUMNS = 8
INTERPOLATIONS = 4  # one a row


class Samples(PeriodicCallback):
    """Writes grids of pictures to ``samples/`` and to the loggers.

    ``kimg000120_ema.png`` and ``kimg000120_raw.png`` are drawn by the averaged and by the raw generator. Each row of
    ``kimg000120_interpolation.png`` leads from one z to another, drawn by the averaged generator.

    A resumed training deletes grids from after its checkpoint and draws them again; a new one deletes all.

    Args:
        out: the run directory.
        every_kimg, kimg, minutes: see ``PeriodicCallback``; the untrained generator is drawn too.
        n: pictures of the first two grids, eight to a row.
    """

    def __init__(
        self, out: str | Path, every_kimg: float, kimg: float, minutes: float | None = None, n: int = 64
    ) -> None:
        super().__init__(every_kimg, kimg, minutes)
        self.directory, self.n = Path(out) / "samples", n

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Deletes grids that the training will draw again; draws the untrained generator, once."""
        gan = as_gan(pl_module)
        if distributed.rank() == 0:
            drop_later_sheets(self.directory, gan.images_seen)
        if self.every_kimg and not gan.images_seen:
            self.act_now(trainer, gan)

    def act(self, trainer: pl.Trainer, gan: GAN) -> None:
        """Writes the grids."""
        if distributed.rank() > 0:
            return
        pictures = {
            "ema": gan.sample(self.n),
            "raw": gan.sample(self.n, average=False),
            "interpolation": interpolate(gan),
        }
        grids = {name: _grid(images) for name, images in pictures.items()}
        for name, grid in grids.items():
            save(grid, sheet_path(self.directory, gan.images_seen, name))
        log_pictures(trainer.loggers, {f"samples/{name}": grid for name, grid in grids.items()}, gan.images_seen)


@torch.no_grad()
def interpolate(gan: GAN) -> torch.Tensor:
    """Draws four interpolations of eight pictures, (32, 3, H, W), by the averaged generator; they depend on the seed."""
    start, end = gan.latent.sample(2 * INTERPOLATIONS, seeding.generator(gan.seed, "interpolation")).chunk(2)
    return gan.generator_ema(gan.latent.interpolate(start, end, COLUMNS).flatten(0, 1).to(gan.device))


def _grid(images: torch.Tensor) -> Image.Image:
    return Image.fromarray(to_uint8(make_grid(images.float(), nrow=COLUMNS, pad_value=1.0)).cpu().numpy())
