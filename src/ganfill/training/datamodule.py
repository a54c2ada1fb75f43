"""Batches of real pictures as a function of (seed, images seen): exact, resumable, on the training device."""

import math
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch

from ganfill import seeding
from ganfill.data.prepare import log_contents, prepare
from ganfill.data.store import INDEX, UNFINISHED, ImageStore
from ganfill.data.subsets import Pictures, choose
from ganfill.data.synthetic import draw_faces
from ganfill.devices import send
from ganfill.errors import UserError
from ganfill.locks import hold_directory
from ganfill.training import distributed

DEVICE_SHARE = 0.5  # of the device's free memory that the pictures may take
# Keys in messages of ``ganfill prepare``, and those of a folder of pictures.
KEYS = {"source=": "data.path=", "out=": "data.store=", "another out": "another data.store"}


@dataclass
class Batches:
    """An endless sequence of uint8 batches (batch_size, H, W, 3).

    Every epoch is a permutation of the pictures drawn from (seed, epoch). A batch depends on nothing but the images seen
    before it, and may extend from one epoch into the next.
    """

    pictures: np.ndarray | torch.Tensor  # uint8 (N, H, W, 3), on the host or a tensor on the training device
    rows: np.ndarray  # int64 (M,), the rows of ``pictures`` to train on
    batch_size: int
    seed: int  # of order and mirroring
    mirror: bool  # every picture with probability 1/2, drawn anew each time
    images_seen: int = 0  # where iteration starts
    part: slice = field(default_factory=lambda: slice(None))  # rows of every batch for this process
    device: torch.device | str = "cpu"  # where batches of an array go

    def __post_init__(self) -> None:
        self._epoch, self._order = -1, torch.empty(0, dtype=torch.int64)

    def __iter__(self) -> Iterator[torch.Tensor]:
        position = self.images_seen
        while True:
            yield self.at(position)
            position += self.batch_size

    def at(self, position: int) -> torch.Tensor:
        """Returns the batch that follows ``position`` images."""
        rows = self._rows(position)[self.part]
        if isinstance(self.pictures, torch.Tensor):
            batch = self.pictures[send(rows, self.pictures.device)]
        else:
            batch = send(torch.from_numpy(self.pictures[rows.numpy()]), self.device)
        if self.mirror:
            generator = seeding.generator(self.seed, "mirror", position)
            mirrored = torch.rand(self.batch_size, generator=generator)[self.part] < 0.5
            batch = torch.where(send(mirrored, batch.device)[:, None, None, None], batch.flip(2), batch)
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
        return torch.from_numpy(self.rows)[torch.cat(parts)]

    # Lightning requires both of a loader that it resumes within an epoch. The position is the module's clock.
    def state_dict(self) -> dict[str, Any]:
        """Returns nothing."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Does nothing."""


class FFHQDataModule(pl.LightningDataModule):
    """Feeds a training from an image store.

    The pictures are copied to a GPU once if they take at most half of its free memory; otherwise each batch is read from
    the store and copied from pinned memory.

    Args:
        path: directory of the store, as made by ``ganfill prepare``.
        batch_size: pictures a batch.
        resolution: side of the pictures that the networks expect.
        seed: seed of order and mirroring.
        mirror: mirror pictures at random.

    Raises:
        UserError: the batch size is below 1; or, from ``setup``, there is no store, its pictures have another size, or
            none of them is for training.
    """

    def __init__(self, path: str, batch_size: int, resolution: int = 64, seed: int = 0, mirror: bool = False) -> None:
        super().__init__()
        if not isinstance(batch_size, int) or batch_size < 1:
            raise UserError(f"batch_size must be at least 1, got {batch_size}")
        self.path, self.batch_size, self.resolution = path, batch_size, resolution
        self.seed, self.mirror = seed, mirror
        self.pictures: np.ndarray = np.empty((0, resolution, resolution, 3), np.uint8)
        self.rows: np.ndarray = np.empty(0, np.int64)
        self.digest = ""

    def setup(self, stage: str | None = None) -> None:
        """Opens the store, once."""
        if self.digest:
            return
        store = ImageStore.open(Path(self.path))
        if store.resolution != self.resolution:
            raise UserError(
                f"{self.path} holds pictures of {store.resolution} pixels, the networks expect {self.resolution}: "
                f"prepare the pictures again with resolution={self.resolution}, or train all networks with "
                f"resolution={store.resolution}"
            )
        self.pictures, self.rows, self.digest = store.images, store.rows("train"), store.digest
        if not len(self.rows):
            raise UserError(f"{self.path} has no training pictures: prepare it with split=auto or split=hash")

    def train_dataloader(self) -> Batches:
        """Returns this process's part of the batches that follow the module's images seen."""
        trainer: Any = self.trainer
        device, seen = trainer.strategy.root_device, trainer.lightning_module.images_seen
        pictures, rows = self.pictures, self.rows
        if device.type == "cuda" and fits(len(rows) * pictures[:1].nbytes, device):
            pictures, rows = torch.from_numpy(np.asarray(pictures[rows])).to(device), np.arange(len(rows))
        part = distributed.local_slice(self.batch_size)
        return Batches(pictures, rows, self.batch_size, self.seed, self.mirror, seen, part, device)

    def held_out(self, n: int) -> Pictures | None:
        """Returns up to ``n`` pictures that are not trained on, the same for every training; None if there are none."""
        store = ImageStore.open(Path(self.path))
        return choose(store, "test", (), n, seed=0) if len(store.rows("test")) else None

    def mean_picture(self, chunk: int = 4096) -> torch.Tensor:
        """Returns the mean of the training pictures, float32 (3, H, W) in [-1, 1]."""
        total = np.zeros(self.pictures.shape[1:], np.int64)
        for rows in np.array_split(self.rows, math.ceil(len(self.rows) / chunk)):
            total += self.pictures[rows].sum(0, dtype=np.int64)
        return torch.from_numpy(total / len(self.rows) / 127.5 - 1).float().movedim(-1, 0)


def fits(size: int, device: torch.device) -> bool:
    """True if ``size`` bytes take at most half of the free memory of a GPU."""
    free, _ = torch.cuda.mem_get_info(device)
    return size <= DEVICE_SHARE * free


class SyntheticDataModule(FFHQDataModule):
    """Simple drawn faces, made in memory, for tests and first trials without data.

    Args:
        batch_size, resolution, seed, mirror: see ``FFHQDataModule``.
        n: number of pictures.
    """

    def __init__(
        self, batch_size: int, resolution: int = 64, seed: int = 0, mirror: bool = False, n: int = 2048
    ) -> None:
        super().__init__("", batch_size, resolution, seed, mirror)
        if not isinstance(n, int) or n < 1:
            raise UserError(f"data.n must be at least 1, got {n}")
        self.n = n

    def setup(self, stage: str | None = None) -> None:
        """Draws the pictures, once."""
        if not self.digest:
            self.pictures = draw_faces(self.n, self.resolution, seeding.generator(self.seed, "synthetic"))
            self.rows = np.arange(self.n)
            self.digest = f"synthetic-{self.n}-{self.resolution}-{self.seed}"

    def held_out(self, n: int) -> Pictures:
        """Draws ``n`` pictures that are not trained on, the same for every training."""
        drawn = draw_faces(n, self.resolution, seeding.generator(0, "synthetic, held out"))
        return Pictures([f"drawn/{i}" for i in range(n)], drawn, np.zeros(0, np.int64))


class FolderDataModule(FFHQDataModule):
    """Pictures in folders or archives, prepared once into an image store.

    Args:
        path: folder or archive of pictures, or several.
        store: directory of the image store.
        batch_size, resolution, seed, mirror: see ``FFHQDataModule``.
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
        """Prepares the store unless it is complete, and then says what it holds; does nothing once the store is open.

        If another process prepares it, this one waits.
        """
        if self.digest:  # Lightning calls this again, in every process
            return
        path = Path(self.path)
        complete = (path / INDEX).exists() and not (path / UNFINISHED).exists()
        try:
            # A complete store may lie where no lock can be written.
            with nullcontext() if complete else hold_directory(path, wait=True):
                made = (path / INDEX).exists()
                store = prepare(self.source, path, resolution=self.resolution)
        except UserError as error:
            message = str(error)
            for word, own in KEYS.items():
                message = message.replace(word, own)
            raise UserError(message) from None
        if not made:
            log_contents(store)
