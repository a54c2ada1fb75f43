"""The search protocol and its result."""

from collections.abc import Callable
from dataclasses import dataclass, field, fields
from typing import Any, Protocol

import torch

from ganfill.images.blend import Blend
from ganfill.models.model import Model

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
    """What finds answers: ``LatentSearch``, ``PosteriorSampling``, ``RoutedSearch``."""

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
        model: Model,
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
