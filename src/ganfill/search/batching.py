"""Searches in chunks that fit on the device, with frames and progress reports."""

import time
from collections.abc import Callable

import torch

from ganfill.search.networks import power_of_two, power_of_two_threads
from ganfill.search.result import Completion, Progress, SearchOptions
from ganfill.search.selection import take
from ganfill.search.target import Target

DETERMINISTIC_BATCH = 16
PREVIEW_SECONDS = 0.3  # between two previews


class Recorder:
    """Keeps frames of a chunk's search and reports its progress.

    Args:
        options: of the search.
        steps: number of steps of the whole search.
        count: number of pictures of the chunk that count; the others fill it up.
        target: the chunk.
    """

    def __init__(self, options: SearchOptions, steps: int, count: int, target: Target) -> None:
        last, gaps = max(steps - 1, 0), max(options.frames - 1, 1)
        self.frame_steps = {round(i * last / gaps) for i in range(options.frames)}
        self.frames: list[torch.Tensor] = []
        self.on_progress, self.steps, self.count, self.target = options.on_progress, steps, count, target
        self.step, self.next_preview = 0, 0.0

    def __call__(self, pictures: torch.Tensor, losses: torch.Tensor) -> None:
        """Takes the pictures (N, k, 3, R, R) and losses (N, k) of a step."""
        if self.step in self.frame_steps:
            self.frames.append(_leading(pictures, losses).cpu())
        if self.on_progress is not None:
            preview = None
            if time.monotonic() >= self.next_preview:
                shown = torch.where(self.target.known > 0, self.target.image, _leading(pictures, losses))
                preview = shown[: self.count].cpu()
                self.next_preview = time.monotonic() + PREVIEW_SECONDS
            self.on_progress(Progress(self.count / max(self.steps, 1), preview))
        self.step += 1


def _leading(pictures: torch.Tensor, losses: torch.Tensor) -> torch.Tensor:
    """Of candidates (N, k, 3, R, R), those with the smallest losses (N, k)."""
    return take(pictures, losses.argmin(1, keepdim=True))[:, 0]


def in_chunks(
    search: Callable[[Target, Recorder], Completion],
    target: Target,
    options: SearchOptions,
    steps: int,
    items: int,
    batch: int,
) -> Completion:
    """Searches in chunks whose size is a power of two.

    Args:
        search: completes one chunk.
        target: N pictures.
        options: of the search.
        steps: number of steps of ``search``.
        items: number of candidates of each picture that are on the device at once.
        batch: number of items allowed on the device at once.

    Raises:
        ValueError: there are no pictures.
    """
    if not len(target):
        raise ValueError("there are no pictures to complete")
    size = power_of_two((min(batch, DETERMINISTIC_BATCH) if options.deterministic else batch) // items)
    parts = []
    for begin in range(0, len(target), size):
        count = min(size, len(target) - begin)
        chunk = target.pick(begin, begin + (size if options.deterministic else count))
        with power_of_two_threads():
            parts.append(search(chunk, Recorder(options, steps, count, chunk)).select(slice(count)))
    return Completion.concatenate(parts)
