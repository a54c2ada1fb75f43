"""How far the averaged generator is from real pictures, measured while it trains; and the best checkpoint so far."""

import csv
import json
import logging
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
from torch.nn.functional import adaptive_avg_pool2d

from ganfill import seeding
from ganfill.errors import UserError
from ganfill.files import write_atomically
from ganfill.images.pixels import to_uint8
from ganfill.metrics.distances import SUBSET_SIZE, frechet, kernel
from ganfill.metrics.diversity import CHUNK, spread
from ganfill.metrics.features import PIXELS, FeatureNetwork, extract
from ganfill.training.callbacks.periodic import PeriodicCallback, own_randomness
from ganfill.training.datamodule import FFHQDataModule
from ganfill.training.gan import GAN
from ganfill.training.loggers import key, log_row
from ganfill.training.run_directory import cut_back, read_checkpoint, save_checkpoint

log = logging.getLogger(__name__)

FEWEST = 4  # training pictures: two in each of two sets
THUMBNAIL = 8


class Distances(PeriodicCallback):
    """Appends Frechet and kernel distances to training pictures to ``distances.csv`` and keeps ``best.ckpt``.

    The samples are of the averaged generator in float32, as in ``ganfill evaluate``, from z that never change; the real
    ones are as many random training pictures. Columns are kimg, seconds (of training), ``fd_NAME`` and ``kd_NAME`` of
    each network, and diversity (see ``spread``) relative to the real pictures'. The same distances between two disjoint
    real sets, the floor, are in ``distances_floor.json``. The checkpoint with the lowest Frechet distance in the first
    network is ``best.ckpt``. The training itself is the same with and without: no random number of it is drawn, no
    state added to its checkpoint, and its clock stands still.

    Rows after the checkpoint that a training continues from are dropped, and so is a ``best.ckpt`` from after it; all
    rows are if they were measured by other networks or another number of pictures. Goes before ``Checkpoint``, so that
    no row is missing after a kill.

    Args:
        out: the run directory.
        networks: what pictures are compared by; none: by their thumbnails (see ``thumbnails``).
        every_kimg: how often; the end of the training always is measured. 0: never.
        n: samples and real pictures; fewer if there are less than twice as many training pictures.
        kimg: the length of the training in thousand images.
        minutes: the most time for its steps; None: as long as it takes.

    Raises:
        UserError: ``n`` is below 2; or, at the start, there are too few training pictures, or a network fails on them.
    """

    def __init__(
        self,
        out: Path,
        networks: Sequence[FeatureNetwork],
        every_kimg: float,
        n: int,
        kimg: float,
        minutes: float | None = None,
    ) -> None:
        if not isinstance(n, int) or n < FEWEST // 2:
            raise UserError(f"fd_samples={n} is no number of pictures: give {FEWEST // 2} or more, such as 2000")
        self.table, self.floor, self.best_path = (
            out / name for name in ("distances.csv", "distances_floor.json", "best.ckpt")
        )
        self.networks = list(networks) or [FeatureNetwork(PIXELS, thumbnails, "")]
        super().__init__(every_kimg, kimg, minutes)
        self.n = n
        self.names = [name for network in self.networks for name in network.distance_names]
        self.columns = ("kimg", "seconds", *self.names, "diversity")
        self.real: list[np.ndarray] = []
        self.real_spread = 0.0
        self.best = math.inf

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Takes the real pictures' features, and continues the table."""
        gan = self._gan(pl_module)
        if self.every_kimg and trainer.is_global_zero:
            with gan.paused(), own_randomness(gan.device):
                self._begin(trainer.datamodule, gan)  # pyright: ignore[reportAttributeAccessIssue]

    def act(self, trainer: pl.Trainer, gan: GAN) -> None:
        """Writes one row, and the best checkpoint if this is it."""
        row = self._row(gan) if trainer.is_global_zero else None
        if trainer.strategy.broadcast(row is not None and row[self.names[0]] < self.best):
            gan.check_finite(weights=True)
            # Before its row: a kill between the two repeats both.
            save_checkpoint(trainer, self.best_path)
        if row is None:
            return
        self.best = min(self.best, row[self.names[0]])
        with self.table.open("a", newline="") as file:
            csv.writer(file).writerow([row[name] for name in self.columns])
        log_row(trainer.loggers, {key(name): row[name] for name in self.columns[2:]}, gan.images_seen)

    def _begin(self, data: FFHQDataModule, gan: GAN) -> None:
        n = min(self.n, len(data.rows) // 2)
        if n < FEWEST // 2:
            raise UserError(
                f"there are {len(data.rows)} training pictures, too few to measure distances: give fd_kimg=0, or "
                f"{FEWEST} pictures or more"
            )
        self.n = n
        order = torch.randperm(len(data.rows), generator=seeding.generator(gan.seed, "distances, real")).numpy()
        pictures, others = (data.pictures[np.sort(data.rows[part])] for part in (order[:n], order[n : 2 * n]))
        self.real = [extract(network, pictures, gan.device) for network in self.networks]
        self.real_spread = spread(pictures)

        facts = {"samples": n, "networks": {network.name: network.digest for network in self.networks}}
        rows: list[list[str]] = []
        if facts.items() <= _read(self.floor).items():
            rows = cut_back(self.table, self.columns, gan.images_seen)
        else:
            if self.table.exists():
                log.warning("%s begins anew: it was measured by other networks or numbers of pictures", self.table)
            floor = self._compare([extract(network, others, gan.device) for network in self.networks])
            content = json.dumps(facts | {"floor": floor}, indent=1)
            cut_back(self.table, self.columns, -1)
            write_atomically(self.floor, content)
        self.best = self._best_so_far(rows, gan.images_seen)

    def _best_so_far(self, rows: list[list[str]], images_seen: int) -> float:
        """What the row of ``best.ckpt`` says; infinite without one. Deletes it if the training now stands before it."""
        if not self.best_path.exists():
            return math.inf
        best_seen = read_checkpoint(self.best_path)["images_seen"]
        if best_seen > images_seen:
            self.best_path.unlink()
        column = self.columns.index(self.names[0])
        return next((float(row[column]) for row in rows if round(float(row[0]) * 1000) == best_seen), math.inf)

    def _row(self, gan: GAN) -> dict[str, float] | None:
        """What there is to write, rounded; nothing, and a line in the log, if it cannot be measured."""
        try:
            with own_randomness(gan.device):
                samples = draw(gan, self.n)
                figures = self._compare([extract(network, samples, gan.device) for network in self.networks])
        except UserError as error:
            log.warning("no distances at %g kimg: %s", gan.images_seen / 1000, error)
            return None
        diversity = spread(samples) / self.real_spread if self.real_spread else math.nan
        row = {"seconds": gan.seconds} | figures | {"diversity": diversity}
        return {"kimg": gan.images_seen / 1000} | {name: float(f"{value:.6g}") for name, value in row.items()}

    def _compare(self, features: list[np.ndarray]) -> dict[str, float]:
        """All distances of a set, (n, F) in each network, from the real pictures."""
        pairs = zip(self.real, features, strict=True)
        values = [distance(real, fake) for real, fake in pairs for distance in (frechet, _kernel)]
        return dict(zip(self.names, values, strict=True))


def thumbnails(pictures: torch.Tensor) -> torch.Tensor:
    """Means over an 8 x 8 grid of pictures uint8 (N, 3, H, W), float (N, 192) in [-1, 1].

    The built-in features called ``pixels``, which know colour and layout only: they rank trainings that draw no faces
    yet, and tell nothing of sharpness or detail.
    """
    return adaptive_avg_pool2d(pictures.float() / 127.5 - 1, THUMBNAIL).flatten(1)


@torch.no_grad()
def draw(gan: GAN, n: int) -> np.ndarray:
    """Pictures of the averaged generator, uint8 (n, R, R, 3), from z that depend on the seed alone.

    Raises:
        UserError: they are not finite.
    """
    parts = []
    for z in gan.latent.sample(n, seeding.generator(gan.seed, "distances"), gan.device).split(CHUNK):
        images = gan.generator_ema(z)
        if not images.isfinite().all():
            raise UserError("the averaged generator draws pictures that are not finite")
        parts.append(to_uint8(images).cpu().numpy())
    return np.concatenate(parts)


def _kernel(real: np.ndarray, fake: np.ndarray) -> float:
    """The kernel distance over disjoint parts of at most 1,000: a fiftieth of the usual 100 subsets' time for 2,000."""
    parts = math.ceil(len(real) / SUBSET_SIZE)
    pairs = zip(np.array_split(real, parts), np.array_split(fake, parts), strict=True)
    return float(np.mean([kernel(a, b) for a, b in pairs]))


def _read(path: Path) -> dict[str, Any]:
    """The content of a JSON file; nothing if there is none, or it is damaged."""
    try:
        return json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
