"""One search on the pictures of one case: its answers, and how long they took."""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch

from ganfill.benchmark.cache import CachedResult, ResultCache
from ganfill.benchmark.search_entry import SearchEntry
from ganfill.data.subsets import Pictures, sha256
from ganfill.devices import describe
from ganfill.images import masks, pixels
from ganfill.images.sheets import damaged
from ganfill.models.model import Model
from ganfill.search.result import Completion, Search, SearchOptions

WARM_UP = 2  # pictures
SINGLES = 3  # timings of a single picture, of which the median is reported
SLOW = 2.0  # seconds for a picture, from which one timing is enough


@dataclass(frozen=True)
class EvalCase:
    """Pictures with one kind of hole, and the other inputs that all searches share.

    Attributes:
        model: on the device where searches run.
        pictures: undamaged.
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
        """Pictures with grey holes, uint8 (N, R, R, 3): the only pictures that searches and blends receive."""
        return np.stack([damaged(*pair) for pair in zip(self.pictures.images, self.holes, strict=True)])

    @cached_property
    def depends(self) -> dict[str, Any]:
        """All inputs of a result except the search, plain values."""
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


def run_search(
    case: EvalCase, entry: SearchEntry, cache: ResultCache, advance: Callable[[float], object]
) -> CachedResult:
    """Runs a search on a case, unless its result is cached.

    Args:
        case: the pictures.
        entry: the search.
        cache: of results.
        advance: called with the number of pictures finished since the last call, a float.

    Returns:
        Arrays ``finished`` uint8 (N, k, R, R, 3), blended, best first, and ``scores`` (N, k); from a search that estimates
        them also ``mean``, blended, and ``low`` and ``high``, uint8 (N, R, R, 3). Facts ``seconds`` and ``seconds_single``
        for a picture, from the damaged one to its finished answers, ``passes``, and the machine.
    """
    depends = case.depends | {"search": entry.settings}
    return cache.get(f"{case.mask}-{entry.word}", depends, lambda: _compute(case, entry.search, advance))


def _compute(case: EvalCase, search: Search, advance: Callable[[float], object]) -> CachedResult:
    _complete(case, search, WARM_UP)
    completion, finished, seconds = _complete(case, search, len(case.pictures), advance)
    singles: list[float] = []
    while not singles or (len(singles) < SINGLES and singles[0] < SLOW):
        singles.append(_complete(case, search, 1)[2])
    arrays = {"finished": finished, "scores": completion.scores.numpy()}
    if completion.mean is not None:
        arrays["mean"] = _blend(case, search, completion.mean)
    if completion.interval is not None:
        arrays["low"], arrays["high"] = (pixels.to_uint8(bound).numpy() for bound in completion.interval)
    facts = {
        "seconds": seconds / len(case.pictures),
        "seconds_single": statistics.median(singles),
        "passes": completion.passes,
        "machine": describe(case.model.device),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
    }
    return CachedResult(arrays, facts)


def _complete(
    case: EvalCase, search: Search, count: int, advance: Callable[[float], object] | None = None
) -> tuple[Completion, np.ndarray, float]:
    """Completes the first ``count`` pictures; returns also finished pictures uint8 (N, k, R, R, 3) and total seconds."""
    images = pixels.to_float(torch.from_numpy(case.damaged[:count]))
    holes = torch.from_numpy(case.holes[:count])[:, None]
    started = time.perf_counter()
    on_progress = None if advance is None else lambda progress: advance(progress.pictures)
    options = SearchOptions(case.answers, case.seed, on_progress=on_progress)
    completion = search(case.model, images, holes, options)
    finished = np.stack([_blend(case, search, rank) for rank in completion.pictures.unbind(1)], axis=1)
    return completion, finished, time.perf_counter() - started


def _blend(case: EvalCase, search: Search, pictures: torch.Tensor) -> np.ndarray:
    """Blends answers, float (M, 3, R, R), into the first M pictures: uint8 (M, R, R, 3)."""
    answers = pixels.to_uint8(pictures).numpy()
    return np.stack([search.blend(*inputs) for inputs in zip(answers, case.damaged, case.holes, strict=False)])
