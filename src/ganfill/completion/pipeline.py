"""Filling the holes of photos of any size: look, search, blend back."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from ganfill.images import pixels
from ganfill.images.alignment import Alignment, Placement, center
from ganfill.images.blend import Blend, Paste
from ganfill.images.classical import suited
from ganfill.images.regions import View, finish, look, share_out
from ganfill.models.model import Model
from ganfill.search.result import Completion, Progress, Search, SearchOptions

# The error of an answer on known pixels, in terms of the error of one plain colour there. With the packaged model and a
# centre hole, 95 % of 56 test faces stay below it; 12 of 27 pictures of something else do not.
WEAK = 0.75


@dataclass(frozen=True)
class Filled:
    """A completed photo.

    Attributes:
        pictures: finished, uint8 (H, W, 3), best answer first; equal to the photo outside the hole.
        views: what the model saw of the photo; none if it was not needed.
        answers: what the generator showed in each view, uint8 (R, R, 3), in the order of the pictures.
        scores: what the pictures are ranked by, see ``Completion``; of several views the worst.
        frames: the search as it went, blended, uint8 (R, R, 3); several views side by side.
        remarks: what the user should know.
        extras: further pictures, uint8 (H, W, 3), of searches that give them: ``mean``, an average, and
            ``uncertainty``, in the hole half the width of the interval that holds the truth with a probability of 90 %, from
            black, none, to white, all of the range or not estimated.
    """

    pictures: list[np.ndarray]
    views: list[View] = field(default_factory=list)
    answers: list[list[np.ndarray]] = field(default_factory=list)
    scores: list[float] = field(default_factory=list)
    frames: list[np.ndarray] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    extras: dict[str, np.ndarray] = field(default_factory=dict)


def place(alignment: Alignment, photo: np.ndarray, hole: np.ndarray, resolution: int) -> Placement:
    """Where to look in a photo, which is nowhere if nothing is missing.

    Args:
        alignment: how to choose.
        photo: uint8 (H, W, 3); what its hole holds plays no part.
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
    places: Sequence[Placement] | None = None,
    **options: Any,
) -> list[Filled]:
    """Completes photos of any size.

    Args:
        model: on the device where the search shall run.
        photos: uint8 (H, W, 3) each.
        holes: bool (H, W) each, True where a pixel is missing.
        search: finds the answers.
        blend: instead of the search's own.
        places: from ``place`` for each photo; the middle of each unless given.
        options: ``answers``, ``seed``, ``deterministic`` and ``frames`` of ``SearchOptions``; ``advance``, called with the
            number of photos completed since its last call, a fraction; and ``preview``, called now and then with the
            current answers of all views side by side, uint8 (R, R', 3).
    """
    if places is None:
        places = [place(center, photo, hole, model.resolution) for photo, hole in zip(photos, holes, strict=True)]
    views = [
        [look(photo, hole, region, model.resolution) for region in placement.regions]
        for photo, hole, placement in zip(photos, holes, places, strict=True)
    ]
    found = _search(model, views, search, options)
    make = _Finisher(blend or search.blend, options.get("answers", 1))
    return [make(*each) for each in zip(photos, holes, places, views, found, strict=True)]


def _search(model: Model, views: list[list[View]], search: Search, options: dict[str, Any]) -> list[list[Completion]]:
    """Searches for all views of all photos at once: a completion (1, ...) of each view."""
    seen = [view for of_photo in views for view in of_photo]
    advance, preview = options.get("advance"), options.get("preview")
    if advance is not None:
        advance(sum(not of_photo for of_photo in views))
    photos_per_view = sum(map(bool, views)) / max(len(seen), 1)

    def on_progress(progress: Progress) -> None:
        if preview is not None and progress.preview is not None:
            preview(np.hstack(list(pixels.to_uint8(progress.preview).numpy())))
        if advance is not None:
            advance(progress.pictures * photos_per_view)

    if not seen:
        return [[] for _ in views]
    images, holes = torch.stack([view.image for view in seen]), torch.stack([view.hole for view in seen])
    for_search = {name: value for name, value in options.items() if name not in ("advance", "preview")}
    if advance is not None or preview is not None:
        for_search["on_progress"] = on_progress
    found = search(model, images, holes, SearchOptions(**for_search))
    rows = iter(range(len(seen)))
    return [[found.select(slice(row, row + 1)) for _, row in zip(of_photo, rows, strict=False)] for of_photo in views]


@dataclass(frozen=True)
class _Finisher:
    """Makes pictures of answers."""

    blend: Blend
    count: int

    def __call__(
        self, photo: np.ndarray, hole: np.ndarray, placement: Placement, views: list[View], found: list[Completion]
    ) -> Filled:
        parts, outside = share_out(hole, placement.regions)

        def finished(answers: list[torch.Tensor], picture: np.ndarray, blend: Blend) -> np.ndarray:
            """Fills one view's part after the other, and what lies outside all of them from what is there by then."""
            missing = hole
            for answer, view, part in zip(answers, views, parts, strict=True):
                picture = finish(answer, picture, missing, part, view.region, blend)
                missing = missing & ~part
            return suited(outside)(picture, outside) if outside.any() else picture

        scores = torch.stack([each.scores[0] for each in found]).amax(0).tolist() if found else []
        weakest = max((_weakness(*each) for each in zip(views, found, strict=True)), default=0.0)
        extras = {}
        if means := [each.mean[0] for each in found if each.mean is not None]:
            extras["mean"] = finished(means, photo, self.blend)
        if intervals := [each.interval for each in found if each.interval is not None]:
            widths = [(high[0] - low[0]) / 2 - 1 for low, high in intervals]
            extras["uncertainty"] = finished(widths, np.zeros_like(photo), Paste())
            extras["uncertainty"][outside] = 255  # nothing was estimated there
        return Filled(
            [finished([each.pictures[0, rank] for each in found], photo, self.blend) for rank in range(self.count)],
            views,
            [list(pixels.to_uint8(each.pictures[0]).numpy()) for each in found],
            scores,
            self._frames(views, found),
            list(_remarks(placement, outside, scores, weakest)),
            extras,
        )

    def _frames(self, views: list[View], found: list[Completion]) -> list[np.ndarray]:
        seen = [(pixels.to_uint8(view.image).numpy(), view.hole[0].numpy()) for view in views]
        moments = zip(*(each.frames for each in found), strict=True)
        return [
            np.hstack(
                [
                    self.blend(pixels.to_uint8(frame[0]).numpy(), *known)
                    for frame, known in zip(moment, seen, strict=True)
                ]
            )
            for moment in moments
        ]


def _weakness(view: View, found: Completion) -> float:
    """The error of the best answer, in terms of that of the best plain colour; 0 where nothing is known."""
    known = view.image[:, ~view.hole[0]]
    if not known.numel():
        return 0.0
    plain = (known - known.median(1, keepdim=True).values).abs().mean()
    return float(found.errors[0, 0] / plain.clamp(min=1 / 127.5))  # of a plain picture, one level is no error


def _remarks(placement: Placement, outside: np.ndarray, scores: list[float], weakest: float) -> Iterator[str]:
    if placement.warning:
        yield placement.warning
    if outside.any():
        yield f"{outside.sum()} missing pixels lie outside any face and are filled by {suited(outside).__name__}"
    if weakest > WEAK:
        yield (
            f"a weak fit, score {scores[0]:.3f}: on known pixels the model is off by {weakest:.0%} of what a plain colour "
            "would be; is it a face, upright and in the right place?"
        )
