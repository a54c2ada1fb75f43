"""Completes photos of any size: scales regions to the model's size, searches for answers, blends them back."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch

from ganfill.completion.draft import Draft
from ganfill.completion.hole_report import HoleReport, SearchedSquare, describe_holes, describe_regions
from ganfill.errors import UserError
from ganfill.images import pixels
from ganfill.images.alignment import Alignment, Placement, center
from ganfill.images.blend import Blend, Paste
from ganfill.images.classical import fill_from_neighbours
from ganfill.images.regions import View
from ganfill.models.model import Model
from ganfill.search.result import DEFAULTS, Completion, Progress, Search, SearchOptions

# Error of an answer on known pixels, relative to the error of the best plain colour. With the packaged model and a center
# hole, 95 % of 56 test faces stay below; 12 of 27 pictures of other things do not.
WEAK = 0.75
MOST_VALUES = 4_000_000_000  # bytes of all finished pictures


@dataclass(frozen=True)
class Filled:
    """A completed photo.

    Attributes:
        pictures: finished pictures, uint8 (H, W, 3), best answer first; equal to the photo outside the hole.
        views: the regions that the model saw; none if no region was completed by the model.
        answers: for each view, uint8 (R, R, 3), in the order of the pictures; of the upsampler's resolution if it drew them.
        scores: by which the pictures are ranked, see ``Completion``; the worst of all views. None if nothing was searched.
        frames: blended intermediate answers of the search, uint8 (R, R, 3); several views side by side.
        remarks: for the user.
        extras: further pictures, uint8 (H, W, 3), if the search provides them: ``mean``, and ``uncertainty``, the width of
            the 90 % interval of each missing pixel, from black (0) to white (the full range, or not estimated).
        squares: the region of each view, and how well its best answer fits.
        holes: how each part of the hole was filled, the largest first.
    """

    pictures: list[np.ndarray]
    views: list[View] = field(default_factory=list)
    answers: list[list[np.ndarray]] = field(default_factory=list)
    scores: list[float] = field(default_factory=list)
    frames: list[np.ndarray] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    extras: dict[str, np.ndarray] = field(default_factory=dict)
    squares: list[SearchedSquare] = field(default_factory=list)
    holes: list[HoleReport] = field(default_factory=list)


def find_placement(alignment: Alignment, photo: np.ndarray, hole: np.ndarray, resolution: int) -> Placement:
    """Applies an alignment to a photo; no regions if nothing is missing.

    Args:
        alignment: chooses the regions.
        photo: uint8 (H, W, 3); the content of its hole is ignored.
        hole: bool (H, W), True where a pixel is missing.
        resolution: of the model.
    """
    return alignment(photo, hole, resolution) if hole.any() else Placement(())


def fill(
    model: Model,
    photos: Sequence[np.ndarray],
    holes: Sequence[np.ndarray],
    search: Search,
    blend: Blend | None = None,
    placements: Sequence[Placement] | None = None,
    options: SearchOptions = DEFAULTS,
    advance: Callable[[float], object] | None = None,
    preview: Callable[[np.ndarray], object] | None = None,
) -> list[Filled]:
    """Completes photos of any size.

    Args:
        model: on the device that runs the search.
        photos: uint8 (H, W, 3) each.
        holes: bool (H, W) each, True where a pixel is missing.
        search: finds the answers.
        blend: replaces the search's own blend.
        placements: from ``find_placement`` for each photo; the middle of each photo by default.
        options: of the search; ``advance`` and ``preview`` replace its ``on_progress``.
        advance: called with the number of photos completed since its last call, a fraction.
        preview: called now and then with the current answers of all views side by side, uint8 (R, R', 3).

    Raises:
        UserError: there are too many answers for the memory.
    """
    blend, count = blend or search.blend, options.answers
    if (values := 3 * count * sum(hole.size for hole in holes)) > MOST_VALUES:
        raise UserError(
            f"answers={count} of these pictures take {values / 1e9:.1f} GB: ask for fewer, or in several calls"
        )
    if placements is None:
        placements = [
            find_placement(center, photo, hole, model.resolution) for photo, hole in zip(photos, holes, strict=True)
        ]
    drafts = [Draft(*inputs) for inputs in zip(photos, holes, placements, strict=True)]
    options = _reporting(drafts, options, advance, preview)
    while views := [(draft, of_draft) for draft in drafts if (of_draft := draft.next_views(model.resolution))]:
        flat = [view for _, of_draft in views for view in of_draft]
        images, missing = torch.stack([view.image for view in flat]), torch.stack([view.hole for view in flat])
        completion, first = search(model, images, missing, options), 0
        for draft, of_draft in views:
            rows = [slice(row, row + 1) for row in range(first, first + len(of_draft))]
            draft.add(model, of_draft, list(map(completion.select, rows)), blend)
            first += len(of_draft)
    return [_finish(draft, blend, count) for draft in drafts]


def _reporting(
    drafts: list[Draft],
    options: SearchOptions,
    advance: Callable[[float], object] | None,
    preview: Callable[[np.ndarray], object] | None,
) -> SearchOptions:
    """Adds reports of progress, in photos, to the options of a search of views."""
    views = [len(draft.placement.regions) for draft in drafts]
    photos_per_view = sum(map(bool, views)) / max(sum(views), 1)

    def on_progress(progress: Progress) -> None:
        if preview is not None and progress.preview is not None:
            preview(np.hstack(list(pixels.to_uint8(progress.preview).numpy())))
        if advance is not None:
            advance(progress.pictures * photos_per_view)

    if advance is not None:
        advance(views.count(0))
    return options if advance is None and preview is None else replace(options, on_progress=on_progress)


def _finish(draft: Draft, blend: Blend, count: int) -> Filled:
    """Makes ``count`` pictures, and the extras, of the completions of a photo's views."""
    views, completions, outside = draft.views, draft.completions, draft.outside

    def finished(answers: list[torch.Tensor], picture: np.ndarray, blend: Blend) -> np.ndarray:
        """Fills the parts one after the other, and then the pixels outside all regions from their surroundings."""
        picture = draft.finish(answers, picture, blend)
        return fill_from_neighbours(picture, outside) if outside.any() else picture

    # Scores of views that were filled without a search are NaN.
    searched = [found.scores[0] for found in completions if found.scores[0].isfinite().all()]
    scores = torch.stack(searched).amax(0).tolist() if searched else []
    best = [round(float(found.scores[0, 0]), 5) if found.scores[0].isfinite().all() else None for found in completions]
    squares = describe_regions(draft.placement, best)
    # Of a face that was found, a weak fit tells nothing.
    doubtful = list(zip(views, completions, strict=True))[len(draft.placement.scores) :]
    weakest = max((_weakness(*pair) for pair in doubtful), default=0.0)
    extras = {}
    if means := [found.mean[0] for found in completions if found.mean is not None]:
        extras["mean"] = finished(means, draft.photo, blend)
    if intervals := [found.interval for found in completions if found.interval is not None]:
        # A width of 2, the full range of [-1, 1], is shown as 1, white.
        widths = [high[0] - low[0] - 1 for low, high in intervals]
        extras["uncertainty"] = finished(widths, np.zeros_like(draft.photo), Paste())
        extras["uncertainty"][outside] = 255
    return Filled(
        [finished([found.pictures[0, rank] for found in completions], draft.photo, blend) for rank in range(count)],
        views,
        [list(pixels.to_uint8(found.pictures[0]).numpy()) for found in completions],
        scores,
        _frames(views, completions, blend),
        list(_remarks(draft.placement, outside, scores, weakest)),
        extras,
        squares,
        describe_holes(draft.hole, squares, draft.parts),
    )


def _frames(views: list[View], completions: list[Completion], blend: Blend) -> list[np.ndarray]:
    """Blends the frames of all views; the last frame of a view stands until the longest search ends."""
    known = [(pixels.to_uint8(view.image).numpy(), view.hole[0].numpy()) for view in views]
    shown = [[pixels.to_uint8(frame[0]).numpy() for frame in found.frames] for found in completions]

    def frame(step: int) -> np.ndarray:
        parts = zip((of_view[min(step, len(of_view) - 1)] for of_view in shown), known, strict=True)
        return np.hstack([blend(part, *inputs) for part, inputs in parts])

    return [frame(step) for step in range(max(map(len, shown), default=0))]


def _weakness(view: View, completion: Completion) -> float:
    """Error of the best answer relative to that of the best plain colour; 0 if nothing is known."""
    known = view.image[:, ~view.hole[0]]
    if not known.numel():
        return 0.0
    plain = (known - known.median(1, keepdim=True).values).abs().mean()
    return float(completion.errors[0, 0] / plain.clamp(min=1 / 127.5))  # an error below one level is not visible


def _remarks(placement: Placement, outside: np.ndarray, scores: list[float], weakest: float) -> Iterator[str]:
    if placement.warning:
        yield placement.warning
    elif outside.any():
        yield f"{outside.sum()} missing pixels lie outside any face and are filled from their neighbours"
    if weakest > WEAK and scores:
        yield (
            f"a weak fit, score {scores[0]:.3f}: the model's error on known pixels is {weakest:.0%} of a plain colour's; "
            "is there a face, upright and in the right place?"
        )
