"""The search protocol: options, progress reports and results."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, Protocol

import torch

from ganfill.errors import UserError
from ganfill.images.blend import Blend
from ganfill.models.model import Model

MOST_ANSWERS = 10_000  # half a gigabyte for one picture of 64 pixels


@dataclass(frozen=True)
class Progress:
    """A report of a running search.

    Attributes:
        pictures: number of pictures completed since the last report, a fraction.
        preview: the leading candidates with the known pixels laid over them, float (N, 3, R, R) on the CPU; None in most
            reports.
    """

    pictures: float
    preview: torch.Tensor | None = None


@dataclass(frozen=True)
class SearchOptions:
    """Options that every search takes.

    Args:
        answers: number of answers for each picture.
        seed: seed of all random numbers; each picture mixes in a hash of its known pixels.
        deterministic: makes an answer independent of the other pictures, bit for bit, also on a GPU, by chunks of one fixed
            size. A single picture then costs as much as a full chunk. On a CPU, answers are independent in any case.
        frames: number of intermediate results to keep.
        on_progress: called at each step; an exception that it raises ends the search.

    Raises:
        UserError: ``answers`` is below 1 or above ``MOST_ANSWERS``.
    """

    answers: int = 1
    seed: int = 0
    deterministic: bool = False
    frames: int = 0
    on_progress: Callable[[Progress], object] | None = None

    def __post_init__(self) -> None:
        if not 1 <= self.answers <= MOST_ANSWERS:
            raise UserError(f"answers must be from 1 to {MOST_ANSWERS}, got {self.answers}")


DEFAULTS = SearchOptions()


@dataclass(frozen=True)
class Completion:
    """The answers of a search, best first, on the CPU.

    Attributes:
        pictures: float (N, answers, 3, R, R) in [-1, 1], not yet blended. A refinement may lead them beyond the range of
            the generator.
        latents: z of the answers, (N, answers, d).
        scores: by which the answers are ranked, see ``Selection``, (N, answers), in units of [-1, 1]; smaller is better.
        errors: mean absolute error of G(z) on all known pixels, (N, answers), in the same units: shows how well the
            generator knows such pictures.
        frames: the leading candidates at some steps of the search, float (N, 3, R, R) each.
        mean: float (N, 3, R, R), the mean of samples or of the encoder's answers, from searches that compute it. It has the
            smallest expected squared error, but the generator would not draw it.
        interval: lower and upper bound of the 90 % interval of every pixel, float (N, 3, R, R) each, from searches that
            estimate it.
        passes: forward and backward passes through the generator for each picture. A forward pass alone counts a third;
            the pool, the encoder's expectation and the inpainter are not counted.
        inpainted: True if the search ends with the model's inpainter, should it have one; an upsampler may follow.
    """

    pictures: torch.Tensor
    latents: torch.Tensor
    scores: torch.Tensor
    errors: torch.Tensor
    frames: list[torch.Tensor] = field(default_factory=list)
    mean: torch.Tensor | None = None
    interval: tuple[torch.Tensor, torch.Tensor] | None = None
    passes: float = 0.0
    inpainted: bool = False

    def select(self, rows: slice | torch.Tensor) -> "Completion":
        """Returns the completion of some of the pictures, given as a slice or indices."""

        def pick(value: Any) -> Any:
            if isinstance(value, list | tuple):
                return type(value)(map(pick, value))
            return value[rows] if isinstance(value, torch.Tensor) else value

        return Completion(**{item.name: pick(getattr(self, item.name)) for item in fields(self)})

    @classmethod
    def concatenate(cls, parts: Sequence["Completion"]) -> "Completion":
        """Joins completions of the same search."""

        def join(values: Sequence[Any]) -> Any:
            if isinstance(values[0], torch.Tensor):
                return torch.cat(list(values))
            if isinstance(values[0], list | tuple):
                return type(values[0])(join(column) for column in zip(*values, strict=True))
            return values[0]

        return cls(**{item.name: join([getattr(part, item.name) for part in parts]) for item in fields(cls)})


class Search(Protocol):
    """Finds answers for the holes of pictures."""

    @property
    def blend(self) -> Blend:
        """Makes finished pictures of the answers, unless the caller chooses another blend."""
        ...

    def __call__(
        self, model: Model, images: torch.Tensor, holes: torch.Tensor, options: SearchOptions = DEFAULTS
    ) -> Completion:
        """Searches for every picture.

        Args:
            model: on the device that runs the search.
            images: float (N, 3, R, R) in [-1, 1]; pixels in the hole are ignored.
            holes: bool (N, 1, R, R), True where a pixel is missing.
            options: of the search.

        Raises:
            ValueError: there are no pictures, or a shape or type does not fit.
        """
        ...
