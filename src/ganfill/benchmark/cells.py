"""A cell: one search on one kind of hole, all pictures; what it answered, and how long that took."""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch

from ganfill.benchmark.cache import CachedResult, ResultCache
from ganfill.benchmark.contestants import SearchEntry
from ganfill.data.subsets import Pictures, sha256
from ganfill.devices import describe
from ganfill.images import masks, pixels
from ganfill.images.sheets import damaged
from ganfill.models.model import Model
from ganfill.search.result import Completion, Search, SearchOptions

WARM_UP = 2  # pictures
SINGLES = 3  # timings of a picture alone, of which the median counts
SLOW = 2.0  # seconds a picture, from which one timing is enough


@dataclass(frozen=True)
class EvalCase:
    """Pictures with one kind of hole, and what every search on them is given.

    Attributes:
        model: on the device where searches shall run.
        pictures: the true ones.
        mask: a kind of hole, a key of ``masks.KINDS``.
        answers: of each search for each picture.
        seed: of the holes and of the searches.
        store: digest of the store that holds the training pictures; "" without one.
    """

    model: Model
    pictures: Pictures
    mask: str
    answers: int = 1
    seed: int = 0
    store: str = ""

    @cached_property
    def holes(self) -> np.ndarray:
        """Bool (N, R, R), True where a pixel is missing."""
        side = self.model.resolution
        return masks.draw(masks.KINDS[self.mask], self.pictures.ids, side, side, self.seed)[:, 0].numpy()

    @cached_property
    def damaged(self) -> np.ndarray:
        """The pictures with grey holes, uint8 (N, R, R, 3): all that a search or a blend gets to see."""
        return np.stack([damaged(*pair) for pair in zip(self.pictures.images, self.holes, strict=True)])

    @cached_property
    def depends(self) -> dict[str, Any]:
        """All that a cell depends on beside its search, plain values."""
        return {
            "model": self.model.digest,
            "device": self.model.device.type,
            "store": self.store,
            "pictures": self.pictures.digests,
            "mask": self.mask,
            "holes": sha256(self.holes),
            "answers": self.answers,
            "seed": self.seed,
        }


def find_cell(
    scene: EvalCase, contestant: SearchEntry, shelf: ResultCache, advance: Callable[[float], object]
) -> CachedResult:
    """The cell, from the shelf if it is there.

    Args:
        scene: the pictures.
        contestant: the search.
        shelf: where cells are kept.
        advance: is told the pictures finished since the last call, in fractions.

    Returns:
        Arrays ``finished`` uint8 (N, k, R, R, 3), blended, best first, and ``scores`` (N, k); from a search that estimates
        them also ``mean``, blended, and ``low`` and ``high``, uint8 (N, R, R, 3). Facts ``seconds`` and ``seconds_single``
        for a picture, from the damaged one to its finished answers, ``passes``, and on what they were measured.
    """
    depends = scene.depends | {"search": contestant.settings}
    return shelf.get(f"{scene.mask}-{contestant.word}", depends, lambda: _compute(scene, contestant.search, advance))


def _compute(scene: EvalCase, search: Search, advance: Callable[[float], object]) -> CachedResult:
    _complete(scene, search, WARM_UP)
    found, finished, seconds = _complete(scene, search, len(scene.pictures), advance)
    singles: list[float] = []
    while not singles or (len(singles) < SINGLES and singles[0] < SLOW):
        singles.append(_complete(scene, search, 1)[2])
    arrays = {"finished": finished, "scores": found.scores.numpy()}
    if found.mean is not None:
        arrays["mean"] = _blend(scene, search, found.mean)
    if found.interval is not None:
        arrays["low"], arrays["high"] = (pixels.to_uint8(bound).numpy() for bound in found.interval)
    facts = {
        "seconds": seconds / len(scene.pictures),
        "seconds_single": statistics.median(singles),
        "passes": found.passes,
        "machine": describe(scene.model.device),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
    }
    return CachedResult(arrays, facts)


def _complete(
    scene: EvalCase, search: Search, count: int, advance: Callable[[float], object] | None = None
) -> tuple[Completion, np.ndarray, float]:
    """Completes the first ``count`` pictures: what was found, finished uint8 (N, k, R, R, 3), and seconds in all."""
    images = pixels.to_float(torch.from_numpy(scene.damaged[:count]))
    holes = torch.from_numpy(scene.holes[:count])[:, None]
    started = time.perf_counter()
    on_progress = None if advance is None else lambda progress: advance(progress.pictures)
    options = SearchOptions(scene.answers, scene.seed, on_progress=on_progress)
    found = search(scene.model, images, holes, options)
    finished = np.stack([_blend(scene, search, rank) for rank in found.pictures.unbind(1)], axis=1)
    return found, finished, time.perf_counter() - started


def _blend(scene: EvalCase, search: Search, pictures: torch.Tensor) -> np.ndarray:
    """Answers, float (M, 3, R, R), for the first M pictures, blended: uint8 (M, R, R, 3)."""
    answers = pixels.to_uint8(pictures).numpy()
    return np.stack([search.blend(*three) for three in zip(answers, scene.damaged, scene.holes, strict=False)])
