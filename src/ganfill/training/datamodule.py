"""Batches of real pictures as a function of (seed, images seen): exact, resumable, on the training device."""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch

from ganfill import seeding
from ganfill.data.prepare import prepare
from ganfill.data.store import ImageStore
from ganfill.data.subsets import Pictures, choose
from ganfill.data.synthetic import draw_faces
from ganfill.devices import send
from ganfill.errors import UserError
from ganfill.training import distributed


class Batches:
    """An endless sequence of uint8 batches (batch_size, H, W, 3).

    The k-th picture of a training is the k-th of a permutation of the set drawn anew for every epoch from
    (seed, epoch), so a batch depends on nothing but the images seen before it, and batches run across epoch borders.

    Args:
        pictures: uint8 (N, H, W, 3), a memmap or a tensor on the training device.
        rows: int64 (M,), the rows of ``pictures`` to train on.
        batch_size: pictures a batch.
        seed: of order and mirroring.
        mirror: turn every picture round with probability 1/2, each time anew.
        images_seen: where to start.
        share: the rows of every batch to give, those of one process of several.
    """

    def __init__(
        self,
        pictures: np.ndarray | torch.Tensor,
        rows: np.ndarray,
        batch_size: int,
        seed: int,
        mirror: bool,
        images_seen: int = 0,
        share: slice = slice(None),
    ) -> None:
        self.pictures, self.rows, self.batch_size = pictures, torch.from_numpy(np.asarray(rows)), batch_size
        self.seed, self.mirror, self.images_seen, self.share = seed, mirror, images_seen, share
        self._epoch, self._order = -1, torch.empty(0, dtype=torch.int64)

    def __iter__(self) -> Iterator[torch.Tensor]:
        position = self.images_seen
        while True:
            yield self.at(position)
            position += self.batch_size

    def at(self, position: int) -> torch.Tensor:
        """The batch that follows ``position`` images."""
        batch = self._gather(self._rows(position)[self.share])
        if self.mirror:
            generator = seeding.generator(self.seed, "mirror", position)
            turned = torch.rand(self.batch_size, generator=generator)[self.share] < 0.5
            turned = send(turned, batch.device)[:, None, None, None]
            batch = torch.where(turned, batch.flip(2), batch)
        return batch

    def _rows(self, position: int) -> torch.Tensor:
        parts, missing = [], self.batch_size
        while missing:
            epoch, offset = divmod(position, len(self.rows))
            if epoch != self._epoch:
                generator = seeding.generator(self.seed, "epoch", epoch)
                self._epoch, self._order = epoch, torch.randperm(len(self.rows), generator=generator)
            part = self._order[offset : offset + missing]
            parts.append(part)
            position, missing = position + len(part), missing - len(part)
        return self.rows[torch.cat(parts)]

    def _gather(self, rows: torch.Tensor) -> torch.Tensor:
        if isinstance(self.pictures, torch.Tensor):
            return self.pictures[send(rows, self.pictures.device)]
        return torch.from_numpy(self.pictures[rows.numpy()])

    # Lightning asks these of a loader that it resumes in the middle of an epoch; the position is the module's clock.
    def state_dict(self) -> dict[str, Any]:
        """Nothing: the clock is saved with the module."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Nothing to load."""


class FFHQDataModule(pl.LightningDataModule):
    """Feeds a training from an image store: a memmap on the CPU, one tensor on a GPU.

    Args:
        path: the store's directory, as ``ganfill prepare`` makes it.
        batch_size: pictures a batch.
        resolution: side of the pictures that the networks expect.
        seed: of order and mirroring.
        mirror: turn pictures round at random.

    Raises:
        UserError: the batch size is none; or, from ``setup``, there is no store, or its pictures have another size, or
            none are for training.
    """

    def __init__(self, path: str, batch_size: int, resolution: int = 64, seed: int = 0, mirror: bool = False) -> None:
        super().__init__()
        if not isinstance(batch_size, int) or batch_size < 1:
            raise UserError(f"batch_size={batch_size} is no number of pictures: give 1 or more")
        self.path, self.batch_size, self.resolution = path, batch_size, resolution
        self.seed, self.mirror = seed, mirror
        self.pictures: np.ndarray = np.empty((0, resolution, resolution, 3), np.uint8)
        self.rows: np.ndarray = np.empty(0, np.int64)
        self.digest = ""

    def setup(self, stage: str | None = None) -> None:
        """Opens the store; called twice, it opens it once."""
        if self.digest:
            return
        store = ImageStore.open(Path(self.path))
        if store.resolution != self.resolution:
            raise UserError(
                f"{self.path} holds pictures of {store.resolution} pixels, the networks expect {self.resolution}: "
                f"give resolution={store.resolution} or prepare the pictures again with resolution={self.resolution}"
            )
        self.pictures, self.rows, self.digest = store.images, store.rows("train"), store.digest
        if not len(self.rows):
            raise UserError(f"{self.path} has no training pictures: prepare it with split=auto or split=hash")

    def train_dataloader(self) -> Batches:
        """This process's share of the batches that follow the module's images seen."""
        trainer: Any = self.trainer
        pictures, rows = self.pictures, self.rows
        if trainer.strategy.root_device.type == "cuda":
            pictures = torch.from_numpy(np.asarray(pictures[rows])).to(trainer.strategy.root_device)
            rows = np.arange(len(rows))
        seen, share = trainer.lightning_module.images_seen, distributed.local_slice(self.batch_size)
        return Batches(pictures, rows, self.batch_size, self.seed, self.mirror, seen, share)

    def held_out(self, n: int) -> Pictures | None:
        """Up to ``n`` pictures that are not trained on, the same for every training; None if there are none."""
        store = ImageStore.open(Path(self.path))
        return choose(store, "test", (), n, seed=0) if len(store.rows("test")) else None

    def mean_picture(self, chunk: int = 4096) -> torch.Tensor:
        """The mean of the training pictures, float32 (3, H, W) in [-1, 1]."""
        total = np.zeros(self.pictures.shape[1:], np.int64)
        for rows in np.array_split(self.rows, math.ceil(len(self.rows) / chunk)):
            total += self.pictures[rows].sum(0, dtype=np.int64)
        return torch.from_numpy(total / len(self.rows) / 127.5 - 1).float().movedim(-1, 0)


class SyntheticDataModule(FFHQDataModule):
    """Simple drawn faces, made in memory: for tests and first tries without any data.

    Args:
        batch_size, resolution, seed, mirror: as for ``FFHQDataModule``.
        n: how many pictures to draw.
    """

    def __init__(
        self, batch_size: int, resolution: int = 64, seed: int = 0, mirror: bool = False, n: int = 2048
    ) -> None:
        super().__init__("", batch_size, resolution, seed, mirror)
        if not isinstance(n, int) or n < 1:
            raise UserError(f"data.n={n} is no number of pictures: give 1 or more")
        self.n = n

    def setup(self, stage: str | None = None) -> None:
        """Draws the pictures; called twice, it draws them once."""
        if not self.digest:
            self.pictures = draw_faces(self.n, self.resolution, seeding.generator(self.seed, "synthetic"))
            self.rows = np.arange(self.n)
            self.digest = f"synthetic-{self.n}-{self.resolution}-{self.seed}"

    def held_out(self, n: int) -> Pictures:
        """As ``FFHQDataModule``; there always are some."""
        drawn = draw_faces(n, self.resolution, seeding.generator(0, "synthetic, held out"))
        return Pictures([f"drawn/{i}" for i in range(n)], drawn, np.zeros(0, np.int64))


class FolderDataModule(FFHQDataModule):
    """Pictures as they are, in folders or zips: prepared once into an image store, then fed from it.

    Args:
        path: folder or zip of pictures, or several.
        store: where the image store goes.
        batch_size, resolution, seed, mirror: as for ``FFHQDataModule``.
    """

    def __init__(
        self,
        path: str | list[str],
        store: str,
        batch_size: int,
        resolution: int = 64,
        seed: int = 0,
        mirror: bool = False,
    ) -> None:
        super().__init__(store, batch_size, resolution, seed, mirror)
        self.source = [path] if isinstance(path, str) else path

    def prepare_data(self) -> None:
        """Prepares the store, or finds it prepared."""
        prepare([Path(source) for source in self.source], Path(self.path), resolution=self.resolution)
