"""Sending each hole to what fills it best: scattered and tiny ones need no generator."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from torch.nn.functional import avg_pool2d

from ganfill.images import pixels
from ganfill.images.blend import Blend, Poisson
from ganfill.images.classical import biharmonic
from ganfill.models.model import Model
from ganfill.search.latent_search import LatentSearch
from ganfill.search.result import Completion, Preview

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class RoutedSearch:
    """A latent search for wide holes, biharmonic filling for those that their neighbours tell more of.

    Args:
        search: for wide holes.
        tiny: a hole that is at most this share of the picture is filled from its neighbours.
        scattered: so is one of whose pixels' eight neighbours at least this share is known, on average.
        blend: how an answer becomes a finished picture, unless the caller chooses.
    """

    search: LatentSearch
    tiny: float
    scattered: float
    blend: Blend = field(default_factory=Poisson)

    @property
    def steps(self) -> int:
        """Steps for each picture that is searched for."""
        return self.search.steps

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
        """Completes every picture, arguments as for ``LatentSearch``; says how many went to their neighbours.

        Answers of neighbours are all alike, their latent vectors and scores 0, their frames the answer itself. There is
        no mean.
        """
        wide, found = self.is_wide(holes).cpu(), None
        if wide.any():
            options = (answers, seed, deterministic, frames, advance, preview)
            found = self.search(model, images[wide], holes[wide], *options)
        if found is not None and wide.all():
            return replace(found, mean=None, interval=None)
        log.warning(
            "%d of %d holes are tiny or scattered and were filled from their neighbours (biharmonic), not by search",
            int((~wide).sum()),
            len(wide),
        )
        near = [fill(image, hole) for image, hole in zip(images[~wide], holes[~wide], strict=True)]
        if advance is not None:
            advance(len(near))
        return _merge(wide, torch.stack(near), found, answers, model.latent.dim, frames)

    def is_wide(self, holes: torch.Tensor) -> torch.Tensor:
        """Whether holes (N, 1, R, R) need a search: bool (N,)."""
        known = (~holes).float()
        missing = holes.sum((1, 2, 3))
        neighbours = (avg_pool2d(known, 3, stride=1, padding=1, count_include_pad=False) * holes).sum((1, 2, 3))
        # The window of nine holds the missing pixel itself.
        beside = neighbours / missing.clamp_min(1) * 9 / 8
        return (missing > self.tiny * known[0].numel()) & (beside < self.scattered)


def fill(image: torch.Tensor, hole: torch.Tensor) -> torch.Tensor:
    """Biharmonic filling of one picture, float (3, R, R) in [-1, 1], with its hole, bool (1, R, R)."""
    hidden = pixels.to_uint8(torch.where(hole, 0.0, image).cpu()).numpy()
    return pixels.to_float(torch.from_numpy(np.array(biharmonic(hidden, hole[0].cpu().numpy()))))


def _merge(
    wide: torch.Tensor, near: torch.Tensor, found: Completion | None, answers: int, dim: int, frames: int
) -> Completion:
    """Puts both kinds of answers in the order of the pictures."""

    def together(
        shape: Sequence[int], searched: torch.Tensor | None, others: torch.Tensor | float = 0.0
    ) -> torch.Tensor:
        values = torch.zeros(len(wide), *shape)
        values[~wide] = others if isinstance(others, torch.Tensor) else torch.tensor(others)
        if searched is not None:
            values[wide] = searched
        return values

    pictures = near[:, None].expand(-1, answers, -1, -1, -1)
    shape = near.shape[1:]
    moments = found.frames if found is not None else [None] * frames
    return Completion(
        together((answers, *shape), found and found.pictures, pictures),
        together((answers, dim), found and found.latents),
        together((answers,), found and found.scores),
        together((answers,), found and found.errors),
        [together(shape, moment, near) for moment in moments],
        passes=found.passes * float(wide.float().mean()) if found is not None else 0.0,
    )
