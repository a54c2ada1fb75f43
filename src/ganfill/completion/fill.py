"""Completing pictures, start to end: the three lines a user writes in Python, and what the command calls."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from PIL import Image

from ganfill import pixels
from ganfill.completion.blend import Blend
from ganfill.completion.holes import Alpha, find_source, to_hole
from ganfill.completion.photo import Photo, View, finish, look
from ganfill.completion.presets import preset
from ganfill.completion.search import LatentSearch
from ganfill.completion.target import Target

if TYPE_CHECKING:
    from ganfill.modelfile import Model


@dataclass(frozen=True)
class Filled:
    """A completed photo.

    Attributes:
        pictures: finished, uint8 (H, W, 3), best answer first; equal to the photo outside the hole.
        answers: what the generator showed, uint8 (R, R, 3), in the same order; none if nothing was missing.
        scores: error on held-out known pixels of each answer, see ``Completion``.
        frames: the search as it went, blended, uint8 (R, R, 3).
        view: what the model saw of the photo; None if nothing was missing.
    """

    pictures: list[np.ndarray]
    answers: list[np.ndarray] = field(default_factory=list)
    scores: list[float] = field(default_factory=list)
    frames: list[np.ndarray] = field(default_factory=list)
    view: View | None = None


def fill(
    model: "Model",
    photos: Sequence[np.ndarray],
    holes: Sequence[np.ndarray],
    search: LatentSearch,
    blend: Blend | None = None,
    **options: Any,
) -> list[Filled]:
    """Completes photos of any size.

    Args:
        model: on the device where the search shall run.
        photos: uint8 (H, W, 3) each.
        holes: bool (H, W) each, True where a pixel is missing.
        search: finds the answers.
        blend: instead of the search's own.
        options: of the search: ``answers``, ``seed``, ``deterministic``, ``frames``, ``advance``.
    """
    results = [Filled([photo] * options.get("answers", 1)) for photo in photos]
    damaged = [i for i, hole in enumerate(holes) if hole.any()]
    if (advance := options.get("advance")) is not None:
        advance(len(photos) - len(damaged))
    if not damaged:
        return results
    blend = blend or search.blend
    views = [look(photos[i], holes[i], model.resolution) for i in damaged]
    found = search(
        model, torch.stack([view.image for view in views]), torch.stack([view.hole for view in views]), **options
    )
    for row, (i, view) in enumerate(zip(damaged, views, strict=True)):
        seen, missing = pixels.to_uint8(view.image).numpy(), view.hole[0].numpy()
        results[i] = Filled(
            [finish(answer, photos[i], holes[i], view.box, blend) for answer in found.pictures[row]],
            list(pixels.to_uint8(found.pictures[row]).numpy()),
            found.scores[row].tolist(),
            [blend(pixels.to_uint8(frame[row]).numpy(), seen, missing) for frame in found.frames],
            view,
        )
    return results


def complete(
    model: "Model",
    images: Any,
    holes: Any,
    *,
    search: LatentSearch | str = "standard",
    blend: Blend | None = None,
    answers: int = 1,
    **options: Any,
) -> Any:
    """Fills the holes of pictures.

    Args:
        model: from ``ganfill.load``; the search runs on its device.
        images: a Pillow picture or a list of them, or a float tensor (N, 3, H, W) or (3, H, W) in [-1, 1]; of any size,
            best of the model's own. What the hole holds plays no part.
        holes: a kind of hole (``center half left random pattern box freeform``, drawn anew for each picture by the seed and
            the whole picture's content, or ``alpha``), or for Pillow pictures masks,
            white where pixels are missing, for tensors a bool tensor (N, 1, H, W) or (1, H, W), True where missing.
        search: a preset's name (``standard``, ``amos2016``, ``yeh2017``) or a search of your own.
        blend: ``Paste``, ``Feather`` or ``Poisson``; the search's own unless given.
        answers: how many for each picture.
        options: ``seed``, ``deterministic`` and ``advance``, see ``LatentSearch``.

    Returns:
        The finished pictures in the form of ``images``, known pixels unchanged; for ``answers`` > 1 a list of such,
        best first.

    Raises:
        ValueError: shapes or types do not fit.
        UserError: a mask's proportions are not its picture's, or there is no such preset.
    """
    if answers < 1:
        raise ValueError(f"answers must be at least 1, not {answers}")
    search = preset(search) if isinstance(search, str) else search
    options["answers"] = answers
    if isinstance(images, torch.Tensor):
        single = images.ndim == 3
        batch = images[None] if single else images
        if isinstance(holes, torch.Tensor) and holes.ndim == 3:
            holes = holes[None]
        finished = _complete_tensor(model, batch, holes, search, blend, options)
    else:
        single = isinstance(images, Image.Image)
        batch = [images] if single else list(images)
        if not isinstance(holes, str) and not isinstance(holes, Sequence):
            holes = [holes] * len(batch)
        finished = _complete_pictures(model, batch, holes, search, blend, options)
    finished = [rank[0] if single else rank for rank in finished]
    return finished if answers > 1 else finished[0]


def _complete_tensor(
    model: "Model", images: torch.Tensor, holes: torch.Tensor | str, search: LatentSearch, blend: Any, options: Any
) -> list[torch.Tensor]:
    """One tensor like ``images`` for each rank of answers."""
    images = images.detach()
    if images.ndim != 4 or not len(images):
        raise ValueError(f"images must be float (N, 3, H, W), not {images.dtype} {tuple(images.shape)}")
    if not isinstance(holes, str | torch.Tensor):
        raise ValueError(f"holes of a tensor must be a tensor or a word, not {type(holes).__name__}")
    if isinstance(holes, str):
        drawn = _find(holes, [Photo(p) for p in pixels.to_uint8(images).cpu().numpy()], model.resolution, options)
        holes = torch.from_numpy(np.stack(drawn))[:, None]
    holes = holes.to(images.device)
    hidden = Target.of(images, holes).image
    photos = list(pixels.to_uint8(hidden).numpy())
    filled = fill(model, photos, list(holes[:, 0].cpu().numpy()), search, blend, **options)
    ranks = zip(*(result.pictures for result in filled), strict=True)
    found = [pixels.to_float(torch.from_numpy(np.stack(rank))).to(images) for rank in ranks]
    return [torch.where(holes, pictures, images) for pictures in found]


def _complete_pictures(
    model: "Model", images: list[Image.Image], holes: Any, search: LatentSearch, blend: Any, options: Any
) -> list[list[Image.Image]]:
    """One list of RGB pictures for each rank of answers."""
    masks = images if isinstance(holes, str) else holes
    if not images or len(masks) != len(images):
        raise ValueError(f"there must be pictures, and a mask for each: {len(images)} pictures, {len(masks)} masks")
    if wrong := [type(x).__name__ for x in (*images, *masks) if not isinstance(x, Image.Image)]:
        raise ValueError(f"images and holes must be Pillow pictures, or both tensors, not {wrong[0]}")
    photos = [Photo.of(picture) for picture in images]
    if isinstance(holes, str):
        missing = _find(holes, photos, model.resolution, options)
    else:
        missing = [to_hole(hole, photo.pixels.shape[:2]) for hole, photo in zip(holes, photos, strict=True)]
    filled = fill(model, [photo.pixels for photo in photos], missing, search, blend, **options)
    ranks = zip(*(result.pictures for result in filled), strict=True)
    return [[Image.fromarray(picture) for picture in rank] for rank in ranks]


def _find(word: str, photos: list[Photo], resolution: int, options: dict[str, Any]) -> list[np.ndarray]:
    """Holes by a word, for pictures without a name; their content names them."""
    source = find_source(word, resolution, options.get("seed", 0))[1]
    if isinstance(source, Alpha):
        return [source(photo, f"picture {i}") for i, photo in enumerate(photos, 1)]
    return [source(photo, hashlib.sha256(photo.pixels.tobytes()).hexdigest()) for photo in photos]
