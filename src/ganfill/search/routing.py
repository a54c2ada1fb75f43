"""Completes tiny and scattered holes without a generator, and all others with a search."""

import logging
from dataclasses import dataclass, field, replace

import torch
from torch.nn.functional import avg_pool2d

from ganfill.images import pixels
from ganfill.images.blend import Blend, Poisson
from ganfill.images.classical import biharmonic, limit
from ganfill.models.model import Model
from ganfill.search.latent_search import LatentSearch
from ganfill.search.result import DEFAULTS, Completion, Progress, SearchOptions

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class RoutedSearch:
    """A latent search for wide holes and biharmonic filling for tiny and scattered ones.

    Args:
        search: completes wide holes.
        tiny, scattered, blend: see ``ganfill.search.presets.auto``.
    """

    search: LatentSearch
    tiny: float
    scattered: float
    blend: Blend = field(default_factory=Poisson)

    def __call__(
        self, model: Model, images: torch.Tensor, holes: torch.Tensor, options: SearchOptions = DEFAULTS
    ) -> Completion:
        """Completes every picture, see ``Search``; logs how many were filled without a search.

        All answers of such a picture are the same, its latent vectors are 0, its scores NaN, and its frames show the answer.
        The completion has no mean.
        """
        wide = self.is_wide(holes).cpu()
        searched = self.search(model, images[wide], holes[wide], options) if wide.any() else None
        if searched is not None and wide.all():
            return replace(searched, mean=None, interval=None)
        log.warning(
            "%d of %d holes are tiny or scattered and were filled from their neighbors (biharmonic), not by search",
            int((~wide).sum()),
            len(wide),
        )
        pictures = torch.stack([fill(image, hole) for image, hole in zip(images[~wide], holes[~wide], strict=True)])
        n, k = len(pictures), options.answers
        if options.on_progress is not None:
            options.on_progress(Progress(n))
        filled = Completion(
            pictures[:, None].expand(-1, k, -1, -1, -1),
            torch.zeros(n, k, model.latent.dim),
            torch.full((n, k), torch.nan),
            torch.zeros(n, k),
            [pictures] * (len(searched.frames) if searched is not None else options.frames),
        )
        if searched is None:
            return filled
        joined = Completion.concatenate([replace(searched, mean=None, interval=None), filled])
        order = torch.cat([wide.nonzero(), (~wide).nonzero()]).flatten().argsort()
        return replace(joined.select(order), passes=searched.passes * float(wide.float().mean()))

    def is_wide(self, holes: torch.Tensor) -> torch.Tensor:
        """Returns a bool (N,) that is True for holes (N, 1, R, R) that need a search."""
        known = (~holes).float()
        missing = holes.sum((1, 2, 3))
        neighbors = (avg_pool2d(known, 3, stride=1, padding=1, count_include_pad=False) * holes).sum((1, 2, 3))
        share = neighbors / missing.clamp_min(1) * 9 / 8  # the window of nine includes the missing pixel itself
        return (missing > self.tiny * known[0].numel()) & (share < self.scattered)


def fill(image: torch.Tensor, hole: torch.Tensor) -> torch.Tensor:
    """Biharmonic filling of a picture, float (3, R, R) in [-1, 1], with a hole, bool (1, R, R)."""
    damaged = pixels.to_uint8(torch.where(hole, 0.0, image).cpu()).numpy()
    missing = hole[0].cpu().numpy()
    return pixels.to_float(torch.from_numpy(limit(biharmonic(damaged, missing), missing)))
