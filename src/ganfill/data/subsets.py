"""Fixed subsets of pictures: those to complete, and reference pictures for distances."""

import hashlib
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from ganfill import seeding
from ganfill.data.store import ImageStore
from ganfill.errors import UserError
from ganfill.images import pixels
from ganfill.models.model import Model

GENERATOR = "generator"
REFERENCE = 5000
BATCH = 64


@dataclass(frozen=True)
class Pictures:
    """A fixed list of pictures.

    Attributes:
        ids: names of the pictures.
        images: uint8 (N, R, R, 3).
        rows: rows in the store; empty for generated pictures.
    """

    ids: list[str]
    images: np.ndarray
    rows: np.ndarray

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def digests(self) -> dict[str, str]:
        """SHA-256 of the ids, one on each line, and of the pixels."""
        return {"ids": sha256("\n".join(self.ids).encode()), "pixels": sha256(self.images)}


def sha256(content: bytes | np.ndarray) -> str:
    """Returns 64 hex digits."""
    data = np.ascontiguousarray(content).data if isinstance(content, np.ndarray) else content
    return hashlib.sha256(data).hexdigest()


def choose(store: ImageStore, split: str, prefixes: Sequence[str], n: int, seed: int) -> Pictures:
    """Chooses up to ``n`` pictures: by id prefix, in the order of the prefixes, or at random without prefixes.

    Args:
        store: image store.
        split: ``test`` or ``train``.
        prefixes: prefixes of ids; empty for all pictures in random order.
        n: maximum number of pictures.
        seed: seed of the random order.

    Raises:
        UserError: no picture matches.
    """
    rows = store.rows(split)
    if prefixes:
        starts = [[row for row in rows if store.ids[row].startswith(prefix)] for prefix in prefixes]
        chosen = list(dict.fromkeys(row for part in starts for row in part))[:n]
    else:
        order = np.random.default_rng(seeding.derive_seed(seed, "pictures")).permutation(len(rows))
        chosen = list(rows[order[:n]])
    if not chosen:
        choice = f"pictures={','.join(prefixes)}" if prefixes else f"split={split}"
        raise UserError(f"{choice}: {store.path} has no such picture in split={split}: see the ids in its index.json")
    return _take(store, np.array(chosen))


@torch.no_grad()
def draw(generator: nn.Module, z: torch.Tensor, advance: Callable[[int], object] | None = None) -> np.ndarray:
    """Draws a picture for each z (N, d), uint8 (N, R, R, 3), in batches.

    Args:
        generator: maps z to pictures in [-1, 1].
        z: on the generator's device.
        advance: called with the size of each batch.

    Raises:
        UserError: the pictures are not finite.
    """
    batches = []
    for part in z.split(BATCH):
        images = generator(part)
        if not images.isfinite().all():
            raise UserError("the generator draws pictures that are not finite: train it anew with lower learning rates")
        batches.append(pixels.to_uint8(images).cpu().numpy())
        if advance is not None:
            advance(len(part))
    return np.concatenate(batches)


def generated(model: Model, n: int, seed: int) -> Pictures:
    """Draws pictures from the model itself; a perfect search fills their holes exactly."""
    z = model.latent.sample(n, seeding.generator(seed, "recovery")).to(model.device)
    return Pictures([f"generated/{i}" for i in range(n)], draw(model.generator, z), np.zeros(0, np.int64))


def training_rows(store: ImageStore, without: Pictures) -> np.ndarray:
    """Returns the training rows of the store, without the pictures to complete."""
    return np.setdiff1d(store.rows("train"), without.rows)


def reference(store: ImageStore, like: Pictures, seed: int) -> Pictures | None:
    """Chooses up to 5,000 training pictures with the same mix of sources as ``like``; None if a source has none.

    The source of a picture is the first part of its id. The scarcest source limits the number of pictures.
    """
    rows = training_rows(store, like)
    by_source: dict[str, list[int]] = {}
    for row in rows:
        by_source.setdefault(_source(store.ids[row]), []).append(row)
    wanted = Counter(_source(name) for name in like.ids)
    size = min(REFERENCE, *(len(by_source.get(source, ())) * len(like) // count for source, count in wanted.items()))
    random = np.random.default_rng(seeding.derive_seed(seed, "reference"))
    chosen = [
        random.permutation(by_source.get(source, []))[: size * count // len(like)] for source, count in wanted.items()
    ]
    rows = np.sort(np.concatenate(chosen)).astype(np.int64)
    return _take(store, rows) if len(rows) > 1 else None


def _source(name: str) -> str:
    return name.partition("/")[0] if "/" in name else ""


def _take(store: ImageStore, rows: np.ndarray) -> Pictures:
    return Pictures([store.ids[row] for row in rows], np.array(store.images[rows]), rows)
