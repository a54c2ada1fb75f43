"""Searches in chunks that fit on the device, and what they give."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, Protocol

import torch

from ganfill.completion.blend import Blend
from ganfill.completion.target import Target

if TYPE_CHECKING:
    from ganfill.modelfile import Model

DETERMINISTIC_BATCH = 16
PREVIEW_SECONDS = 0.3  # from one preview to the next

Preview = Callable[[torch.Tensor], object]


@dataclass(frozen=True)
class Completion:
    """The answers of a search, best first, on the CPU.

    Attributes:
        pictures: what the search shows, float (N, answers, 3, R, R) in [-1, 1]; not yet blended. What follows a search of z
            may take them beyond what the generator makes of z.
        latents: the z they come from, (N, answers, d).
        scores: what the ranking is by, see ``Selection``, (N, answers), in units of [-1, 1]; smaller is better.
        errors: mean absolute error on all known pixels of what the generator shows of z itself, (N, answers), in the same
            units: how far the generator knows such pictures.
        frames: the leading candidate at moments of the search, each float (N, 3, R, R).
        mean: an average, float (N, 3, R, R), of samples or of what the encoder expects, for searches that give it: closest
            to the truth in squares, but nothing that the generator would show.
        interval: where the truth is with a probability of 90 %, pixel by pixel, two floats (N, 3, R, R), for searches that
            estimate it.
        passes: forward and backward runs through the generator for each picture; a forward run alone counts a
            third, the pool and the encoder's expectation nothing.
    """

    pictures: torch.Tensor
    latents: torch.Tensor
    scores: torch.Tensor
    errors: torch.Tensor
    frames: list[torch.Tensor] = field(default_factory=list)
    mean: torch.Tensor | None = None
    interval: tuple[torch.Tensor, torch.Tensor] | None = None
    passes: float = 0.0

    def select(self, rows: slice) -> "Completion":
        """The same for some of the pictures."""

        def pick(value: Any) -> Any:
            if isinstance(value, list | tuple):
                return type(value)(map(pick, value))
            return value[rows] if isinstance(value, torch.Tensor) else value

        return Completion(**{each.name: pick(getattr(self, each.name)) for each in fields(self)})


class Search(Protocol):
    """What finds answers: ``LatentSearch``, ``PosteriorSampling``, ``Routed``."""

    @property
    def blend(self) -> Blend:
        """How an answer becomes a finished picture, unless the caller chooses."""
        ...

    @property
    def steps(self) -> int:
        """Steps of z for each picture."""
        ...

    def __call__(
        self,
        model: "Model",
        images: torch.Tensor,
        holes: torch.Tensor,
        answers: int = 1,
        seed: int = 0,
        deterministic: bool = False,
        frames: int = 0,
        advance: Callable[[float], object] | None = None,
        preview: Preview | None = None,
    ) -> Completion:
        """Searches for every picture, see ``LatentSearch``."""
        ...


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
