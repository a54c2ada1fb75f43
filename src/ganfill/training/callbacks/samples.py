"""Pictures of the generator from z that never change."""

from pathlib import Path

import pytorch_lightning as pl
import torch
from PIL import Image
from torchvision.utils import make_grid

from ganfill import seeding
from ganfill.files import write_atomically
from ganfill.images.pixels import to_uint8
from ganfill.training.callbacks.periodic import PeriodicCallback
from ganfill.training.gan import GAN
from ganfill.training.loggers import log_pictures

COLUMNS = 8
WAYS = 4  # of the interpolation, one a row


class Samples(PeriodicCallback):
    """Grids of pictures: files, and to the loggers.

    ``kimg000120_ema.png`` and ``kimg000120_raw.png`` are by the averaged and by the raw generator;
    ``kimg000120_interpolation.png`` leads, by the averaged one, from one z to another in each row.

    Args:
        directory: where they go.
        every_kimg, kimg, minutes: see ``PeriodicCallback``; the untrained generator is drawn too.
        n: pictures of the first two, eight to a row.
    """

    def __init__(self, directory: Path, every_kimg: float, kimg: float, minutes: float | None = None, n: int = 64):
        super().__init__(every_kimg, kimg, minutes)
        self.directory, self.n = directory, n

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """The untrained generator, once."""
        gan = self._gan(pl_module)
        if self.every_kimg and not gan.images_seen:
            self.act_now(trainer, gan)

    def act(self, trainer: pl.Trainer, gan: GAN) -> None:
        """Writes the grids."""
        if not trainer.is_global_zero:
            return
        self.directory.mkdir(parents=True, exist_ok=True)
        grids = {
            "ema": _grid(gan.sample(self.n)),
            "raw": _grid(gan.sample(self.n, average=False)),
            "interpolation": _grid(interpolate(gan)),
        }
        for name, grid in grids.items():
            write_atomically(self.directory / f"kimg{gan.images_seen // 1000:06d}_{name}.png", grid.save)
        log_pictures(trainer.loggers, {f"samples/{name}": grid for name, grid in grids.items()}, gan.images_seen)


@torch.no_grad()
def interpolate(gan: GAN) -> torch.Tensor:
    """Pictures (32, 3, H, W) of the averaged generator along four ways of eight steps, that depend on the seed alone."""
    ends = gan.latent.sample(2 * WAYS, seeding.generator(gan.seed, "interpolation"))
    return gan.generator_ema(gan.latent.interpolate(ends[:WAYS], ends[WAYS:], COLUMNS).flatten(0, 1).to(gan.device))


def _grid(images: torch.Tensor) -> Image.Image:
    return Image.fromarray(to_uint8(make_grid(images.float(), nrow=COLUMNS, pad_value=1.0)).cpu().numpy())
