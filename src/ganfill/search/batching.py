"""Searches in chunks that fit on the device, and what they give."""

import time
from collections.abc import Callable
from dataclasses import fields
from typing import TYPE_CHECKING, Any

import torch

from ganfill.search.result import Completion, Preview
from ganfill.search.target import Target

if TYPE_CHECKING:
    pass

DETERMINISTIC_BATCH = 16
PREVIEW_SECONDS = 0.3  # from one preview to the next


class Recorder:
    """Watches a fit: keeps frames, reports progress, shows pictures on the way.

    Args:
        count: frames wanted.
        steps: that the fit will make.
        pictures: that are being fitted.
        advance: is told the pictures finished since the last call, in fractions.
        preview: is shown the leading candidates, float (N, 3, R, R) on the CPU, at the first step and then a few times a
            second at most, before ``advance`` is told of the step.
        target: the pictures, whose known pixels are laid over what ``preview`` is shown.
    """

    def __init__(
        self,
        count: int,
        steps: int,
        pictures: int,
        advance: Callable[[float], object] | None,
        preview: Preview | None = None,
        target: Target | None = None,
    ) -> None:
        self.wanted = {round(i * max(steps - 1, 0) / max(count - 1, 1)) for i in range(count)}
        self.step, self.steps, self.share, self.advance = 0, steps, pictures / max(steps, 1), advance
        self.frames: list[torch.Tensor] = []
        self.pictures, self.preview, self.target, self.due = pictures, preview, target, 0.0

    def __call__(self, pictures: torch.Tensor, losses: torch.Tensor) -> None:
        """Sees the pictures (N, k, 3, R, R) and losses (N, k) of a step."""
        if self.step in self.wanted:
            self.frames.append(_leading(pictures, losses).cpu())
        if self.preview is not None and time.monotonic() >= self.due:
            shown = _leading(pictures, losses)
            if self.target is not None:
                shown = torch.where(self.target.known > 0, self.target.image, shown)
            self.preview(shown[: self.pictures].cpu())
            self.due = time.monotonic() + PREVIEW_SECONDS
        if self.advance is not None:
            self.advance(self.share)
        self.step += 1


def _leading(pictures: torch.Tensor, losses: torch.Tensor) -> torch.Tensor:
    """Of the candidates (N, k, 3, R, R), those of the least losses (N, k)."""
    leading = losses.argmin(1)
    return pictures[torch.arange(len(leading)), leading]


def in_chunks(
    search: Callable[[Target, int], Completion], target: Target, items: int, batch: int, deterministic: bool
) -> Completion:
    """Searches for a target in chunks of a power of two of pictures.

    Args:
        search: of a chunk; it is also told how many of its pictures are real ones, the others only fill it up.
        target: N pictures.
        items: candidates of each picture that are on the device at once.
        batch: items allowed at once.
        deterministic: makes all chunks of one size, whatever N.

    Raises:
        ValueError: there are no pictures.
    """
    if not len(target):
        raise ValueError("there are no pictures to complete")
    size = power_of_two((min(batch, DETERMINISTIC_BATCH) if deterministic else batch) // items)
    parts = []
    for begin in range(0, len(target), size):
        real = min(size, len(target) - begin)
        chunk = target.pick(begin, begin + (size if deterministic else real))
        parts.append((real, search(chunk, real)))
    return _join(parts)


def power_of_two(n: int) -> int:
    """The largest power of two that is at most n, and at least 1."""
    return 1 << (max(n, 1).bit_length() - 1)


def _join(parts: list[tuple[int, Completion]]) -> Completion:
    """Puts chunks together, without the pictures that only filled them up."""

    def join(values: list) -> Any:
        """Values of each part: tensors, collections of tensors, or what is the same for all."""
        if isinstance(values[0], torch.Tensor):
            return torch.cat(values)
        if isinstance(values[0], list | tuple):
            return type(values[0])(join(list(each)) for each in zip(*values, strict=True))
        return values[0]

    found = [completion.select(slice(real)) for real, completion in parts]
    return Completion(**{each.name: join([getattr(one, each.name) for one in found]) for each in fields(Completion)})
