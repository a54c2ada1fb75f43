"""A photo while its regions are completed, each after those that it overlaps, so that it continues their answers."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch

from ganfill.completion.upsample import upsample
from ganfill.images.alignment import Placement
from ganfill.images.blend import Blend
from ganfill.images.regions import View, assign_to_regions, blend_answer, make_view
from ganfill.models.model import Model
from ganfill.search.result import Completion

LUMA = 0.299, 0.587, 0.114  # weights of red, green and blue in the grey values of Pillow


class Draft:
    """A photo, what is missing of it, and the answers found so far.

    Args:
        photo: uint8 (H, W, 3); the content of its hole is ignored.
        hole: bool (H, W), True where a pixel is missing.
        placement: its regions; each fills the missing pixels that ``assign_to_regions`` gives it.

    Attributes:
        placement: without the regions that get none.
        parts: those pixels, bool (H, W), of each region.
        outside: missing pixels outside all regions, bool (H, W).
        views: the regions that were completed, as the model saw them.
        completions: (1, ...) of each view.
    """

    def __init__(self, photo: np.ndarray, hole: np.ndarray, placement: Placement) -> None:
        self.photo, self.hole = photo, hole
        parts, self.outside = assign_to_regions(hole, placement.regions)
        filling = [i for i, part in enumerate(parts) if part.any()]
        self.parts = [parts[i] for i in filling]
        regions = tuple(placement.regions[i] for i in filling)
        scores = tuple(placement.scores[i] for i in filling if i < len(placement.scores))
        self.placement = replace(placement, regions=regions, scores=scores)
        self.views: list[View] = []
        self.completions: list[Completion] = []
        self._picture, self._missing = photo, hole
        # A photo without colours gets none.
        self._grey = not hole.all() and bool((photo == photo[..., :1])[~hole].all())

    def next_views(self, resolution: int) -> list[View]:
        """Returns views of the next regions, as many as do not depend on one another; none if all are completed."""
        begin, regions = len(self.views), self.placement.regions
        end = min(begin + 1, len(regions))
        while end < len(regions):
            inside = np.isfinite(regions[end].distance(self.hole.shape))
            if any((inside & part).any() for part in self.parts[begin:end]):
                break
            end += 1
        return [make_view(self._picture, self._missing, region, resolution) for region in regions[begin:end]]

    def add(self, model: Model, views: Sequence[View], completions: Sequence[Completion], blend: Blend) -> None:
        """Takes the completions of ``next_views``; further views show the best of them."""
        for view, completion in zip(views, completions, strict=True):
            if completion.inpainted and completion.scores.isfinite().all():  # scores of unsearched holes are NaN
                pictures = upsample(model, self._picture, self._missing, view.region, completion.pictures[0])
                completion = replace(completion, pictures=pictures[None])
            self.views.append(view)
            self.completions.append(_without_colours(completion) if self._grey else completion)
        if len(self.views) < len(self.parts):
            begin = len(self.views) - len(views)
            best = [completion.pictures[0, 0] for completion in self.completions[begin:]]
            self._picture = self._picture.copy()
            self._missing = self._blend(best, self._picture, self._missing, begin, blend)

    def finish(self, answers: Sequence[torch.Tensor], picture: np.ndarray, blend: Blend) -> np.ndarray:
        """Blends an answer of each view, float (3, R', R'), into a copy of a picture, uint8 (H, W, 3)."""
        picture = picture.copy()
        self._blend(answers, picture, self.hole, 0, blend)
        return picture

    def _blend(
        self, answers: Sequence[torch.Tensor], picture: np.ndarray, missing: np.ndarray, begin: int, blend: Blend
    ) -> np.ndarray:
        """Blends answers of the views from ``begin`` on into a picture, in place; returns what is missing still."""
        for answer, view, part in zip(answers, self.views[begin:], self.parts[begin:], strict=False):
            blend_answer(answer, picture, missing, part, view.region, blend)
            missing = missing & ~part
        return missing


def _without_colours(completion: Completion) -> Completion:
    def grey(pictures: torch.Tensor) -> torch.Tensor:
        channels = pictures.unbind(-3)
        luma = sum(weight * channel for weight, channel in zip(LUMA, channels, strict=True))
        return torch.stack([luma] * 3, -3)  # pyright: ignore[reportArgumentType]

    mean = None if completion.mean is None else grey(completion.mean)
    frames = list(map(grey, completion.frames))
    return replace(completion, pictures=grey(completion.pictures), mean=mean, frames=frames)
