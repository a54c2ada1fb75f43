"""Distances of the averaged generator from real pictures during training, and the best checkpoint so far."""

import json
import logging
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch

from ganfill import seeding
from ganfill.data.subsets import draw
from ganfill.errors import UserError
from ganfill.files import write_atomically
from ganfill.metrics.distances import SUBSET_SIZE, frechet, kernel
from ganfill.metrics.diversity import spread
from ganfill.metrics.feature_names import PYRAMID, describe
from ganfill.metrics.features import FeatureNetwork, extract, load_networks
from ganfill.metrics.pyramid import pyramid
from ganfill.runs.reader import read_table
from ganfill.training import distributed
from ganfill.training.callbacks.csv_table import CsvTable
from ganfill.training.callbacks.periodic import PeriodicCallback, as_gan, own_randomness
from ganfill.training.datamodule import FFHQDataModule
from ganfill.training.gan import GAN
from ganfill.training.loggers import key, log_row
from ganfill.training.run_directory import read_checkpoint

log = logging.getLogger(__name__)

FEWEST = 4  # training pictures: two in each of two sets


class Distances(PeriodicCallback):
    """Appends Frechet and kernel distances to training pictures to ``distances.csv`` and keeps ``best.ckpt``.

    The samples are drawn by the averaged generator in float32, as in ``ganfill evaluate``, from z that never change; the
    real ones are as many random training pictures. Columns are kimg, seconds (of training), ``fd_NAME`` and ``kd_NAME``
    of each feature network, and diversity (see ``spread``) relative to real pictures. ``distances_floor.json`` has the
    same distances between two disjoint real sets. ``best.ckpt`` is the checkpoint with the lowest Frechet distance in the
    first network. Measuring does not change the training: neither its random numbers, its checkpoint nor its clock.

    A resumed training drops rows, and a ``best.ckpt``, from after its checkpoint. The table begins anew if feature
    networks or the number of pictures have changed.

    Args:
        out: the run directory.
        every_kimg, kimg, minutes: see ``PeriodicCallback``.
        features: feature networks, each ``NAME=FILE.py:CLASS:WEIGHTS``, or several with commas; None: built-in features,
            see ``ganfill.metrics.pyramid``.
        n: number of samples and of real pictures; at most half of the training pictures are used.

    Raises:
        UserError: ``n`` is below 2 or a network cannot be loaded; or, at the start of training, there are too few
            training pictures, or a network fails on them.
    """

    def __init__(
        self,
        out: str | Path,
        every_kimg: float,
        kimg: float,
        minutes: float | None = None,
        features: str | Sequence[str] | None = None,
        n: int = 2000,
    ) -> None:
        super().__init__(every_kimg, kimg, minutes)
        if not isinstance(n, int) or n < FEWEST // 2:
            raise UserError(f"fd_samples must be at least {FEWEST // 2}, got {n}: use 2000 or so")
        words = features.split(",") if isinstance(features, str) else features or ()
        self.networks = load_networks(words) or [FeatureNetwork(PYRAMID, pyramid, "")]
        self.names = [name for network in self.networks for name in network.distance_names]
        self.table = CsvTable(Path(out) / "distances.csv", ("kimg", "seconds", *self.names, "diversity"))
        self.floor, self.best_path, self.n = Path(out) / "distances_floor.json", Path(out) / "best.ckpt", n
        self.real: list[np.ndarray] = []
        self.real_spread = 0.0
        self.best = math.inf
        self.measured: dict[str, float] = {}  # the last row

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Computes the features of real pictures and continues the table."""
        gan = as_gan(pl_module)
        if self.every_kimg and distributed.rank() == 0:
            with gan.paused(), own_randomness(gan.device):
                self._begin(trainer.datamodule, gan)  # pyright: ignore[reportAttributeAccessIssue]

    def act(self, trainer: pl.Trainer, gan: GAN) -> None:
        """Writes one row, and the checkpoint if it is the best."""
        row = self._row(gan) if distributed.rank() == 0 else None
        if distributed.broadcast_flag(row is not None and row[self.names[0]] < self.best):
            gan.check_finite(weights=True)
            # Before its row: after a kill between the two, both are repeated.
            trainer.save_checkpoint(self.best_path)
        if row is None:
            return
        self.best, self.measured = min(self.best, row[self.names[0]]), row
        self.table.append([[row[name] for name in self.table.columns]])
        log_row(trainer.loggers, {key(name): row[name] for name in self.table.columns[2:]}, gan.images_seen)

    @property
    def figures(self) -> dict[str, Any]:
        """The distance that chose ``best.ckpt``, its value, and the features it compares; empty without that file.

        They are read from the files if nothing was trained.
        """
        best, name = self.best, self.names[0]
        if best == math.inf and self.every_kimg and self.best_path.exists():  # the training was over, so nothing began
            seen, (_, rows) = read_checkpoint(self.best_path)["images_seen"], read_table(self.table.path, [])
            best = next((row.get(name, math.inf) for row in rows if round(row["kimg"] * 1000) == seen), math.inf)
        if not math.isfinite(best):
            return {}
        return {"best_checkpoint": {"distance": name, "value": best, "features": describe(name)}}

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Measures the end; warns if the best checkpoint was chosen by built-in features."""
        super().on_train_end(trainer, pl_module)
        if self.best < math.inf and self.networks[0].name == PYRAMID:
            name = self.names[0]
            log.warning("best.ckpt has the lowest %s (%g): %s; features=... takes one", name, self.best, describe(name))

    def _begin(self, data: FFHQDataModule, gan: GAN) -> None:
        self.n = n = min(self.n, len(data.rows) // 2)
        if n < FEWEST // 2:
            raise UserError(
                f"there are {len(data.rows)} training pictures, too few to measure distances: give fd_kimg=0, or "
                f"{FEWEST} pictures or more"
            )
        order = torch.randperm(len(data.rows), generator=seeding.generator(gan.seed, "distances, real")).numpy()
        pictures, others = (data.pictures[np.sort(data.rows[part])] for part in (order[:n], order[n : 2 * n]))
        self.real = [extract(network, pictures, gan.device) for network in self.networks]
        self.real_spread = spread(pictures)
        method = {"samples": n, "networks": {network.name: network.digest for network in self.networks}}
        change = _describe_change(_read(self.floor), method)
        rows = self.table.resume(gan.images_seen, change)
        if change:
            floor = self._compare([extract(network, others, gan.device) for network in self.networks])
            write_atomically(self.floor, json.dumps(method | {"floor": floor}, indent=1))
        self.best = self._best_so_far(rows, gan.images_seen)

    def _best_so_far(self, rows: list[list[str]], images_seen: int) -> float:
        """Returns the distance of ``best.ckpt``, or infinity; deletes a file from after ``images_seen``."""
        if not self.best_path.exists():
            return math.inf
        best_seen = read_checkpoint(self.best_path)["images_seen"]
        if best_seen > images_seen:
            self.best_path.unlink()
        column = self.table.columns.index(self.names[0])
        return next((float(row[column]) for row in rows if round(float(row[0]) * 1000) == best_seen), math.inf)

    def _row(self, gan: GAN) -> dict[str, float] | None:
        """Returns the rounded row; None, with a warning, if it cannot be measured."""
        try:
            with own_randomness(gan.device):
                z = gan.latent.sample(self.n, seeding.generator(gan.seed, "distances"), gan.device)
                samples = draw(gan.generator_ema, z)
                figures = self._compare([extract(network, samples, gan.device) for network in self.networks])
        except UserError as error:
            log.warning("no distances at %g kimg: %s", gan.images_seen / 1000, error)
            return None
        diversity = spread(samples) / self.real_spread if self.real_spread else math.nan
        row = {"seconds": gan.seconds} | figures | {"diversity": diversity}
        return {"kimg": gan.images_seen / 1000} | {name: float(f"{value:.6g}") for name, value in row.items()}

    def _compare(self, features: list[np.ndarray]) -> dict[str, float]:
        """Returns all distances of a set, with features (n, F) in each network, from the real pictures."""
        pairs = zip(self.real, features, strict=True)
        values = [distance(real, fake) for real, fake in pairs for distance in (frechet, _kernel)]
        return dict(zip(self.names, values, strict=True))


def _kernel(real: np.ndarray, fake: np.ndarray) -> float:
    """Kernel distance over disjoint parts of at most 1,000; for 2,000 a fiftieth of the time of the usual 100 subsets."""
    parts = math.ceil(len(real) / SUBSET_SIZE)
    pairs = zip(np.array_split(real, parts), np.array_split(fake, parts), strict=True)
    return float(np.mean([kernel(a, b) for a, b in pairs]))


def _describe_change(old: dict[str, Any], new: dict[str, Any]) -> str:
    """Returns how the method of measuring has changed; an empty string if it has not."""
    if not {"samples", "networks", "floor"} <= old.keys():
        return "distances_floor.json, which records how it was measured, is missing or damaged"
    if list(old["networks"]) != list(new["networks"]):
        return f"it was measured by {', '.join(old['networks'])}, now by {', '.join(new['networks'])}"
    if changed := [name for name, digest in new["networks"].items() if old["networks"][name] != digest]:
        return f"the feature network {changed[0]} has changed"
    if old["samples"] != new["samples"]:
        return f"it was measured on {old['samples']} samples, now on {new['samples']}"
    return ""


def _read(path: Path) -> dict[str, Any]:
    """Returns the content of a JSON file; nothing if it is missing or damaged."""
    try:
        return json.loads(path.read_text())
    except (OSError, ValueError, RecursionError):
        return {}
