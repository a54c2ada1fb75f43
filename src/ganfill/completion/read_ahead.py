"""Reads photos in groups to search together; while the caller works on one group, a thread reads the next."""

import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import takewhile

import numpy as np

from ganfill.completion.result_folder import Job
from ganfill.images.alignment import Placement
from ganfill.images.photo import Photo

PICTURES_AT_ONCE = 32
PIXELS_AT_ONCE = 50_000_000


@dataclass(frozen=True)
class Work:
    """A picture to complete, with its hole, the region that a model sees, and the name of that model."""

    job: Job
    photo: Photo
    hole: np.ndarray
    placement: Placement
    model: str


def read_ahead(
    jobs: Iterable[Job], read: Callable[[Iterable[Job]], Iterator[Work]], answers: int
) -> Iterator[list[Work]]:
    """Yields groups that are bounded in pictures and in pixels.

    Args:
        jobs: the pictures.
        read: reads pictures, in a thread; it may leave some out.
        answers: number of finished pictures for each, which count as pixels.
    """
    stop = threading.Event()
    groups = _together(read(takewhile(lambda _: not stop.is_set(), jobs)), answers)
    with ThreadPoolExecutor(1) as pool:
        try:
            following = pool.submit(next, groups, None)
            while (group := following.result()) is not None:
                following = pool.submit(next, groups, None)
                yield group
        finally:
            stop.set()  # an interrupt waits for one picture, not for a group


def _together(work: Iterable[Work], answers: int) -> Iterator[list[Work]]:
    group: list[Work] = []
    for item in work:
        group.append(item)
        if len(group) == PICTURES_AT_ONCE or answers * sum(each.hole.size for each in group) >= PIXELS_AT_ONCE:
            yield group
            group = []
    if group:
        yield group
