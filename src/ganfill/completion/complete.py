"""The three lines a user writes in Python."""

import logging
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from PIL import Image

from ganfill import pixels
from ganfill.completion.align import Alignment, find_alignment
from ganfill.completion.blend import Blend
from ganfill.completion.chunks import Search
from ganfill.completion.fill import fill, place
from ganfill.completion.holes import Alpha, find_source, to_hole
from ganfill.completion.photo import Photo
from ganfill.completion.presets import preset
from ganfill.completion.target import Target

if TYPE_CHECKING:
    from ganfill.modelfile import Model

log = logging.getLogger(__name__)


def complete(
    model: "Model",
    images: Any,
    holes: Any,
    *,
    search: Search | str = "standard",
    blend: Blend | None = None,
    align: Alignment | str = "face",
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
        search: a preset's name (``fast standard best posterior auto from_pool amos2016 yeh2017``) or a search of your own.
        blend: ``Paste``, ``Feather`` or ``Poisson``; the search's own unless given.
        align: where the model looks: ``face``, ``center``, ``none``, or ``Given`` squares.
        answers: how many for each picture.
        options: ``seed``, ``deterministic``, ``advance`` and ``preview``, see ``fill``.

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
    options |= {"answers": answers, "align": find_alignment(align) if isinstance(align, str) else align}
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
    model: "Model", images: torch.Tensor, holes: torch.Tensor | str, search: Search, blend: Any, options: Any
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
    ranks = _fill(model, photos, list(holes[:, 0].cpu().numpy()), search, blend, **options)
    found = [pixels.to_float(torch.from_numpy(np.stack(rank))).to(images) for rank in ranks]
    return [torch.where(holes, pictures, images) for pictures in found]


def _complete_pictures(
    model: "Model", images: list[Image.Image], holes: Any, search: Search, blend: Any, options: Any
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
    ranks = _fill(model, [photo.pixels for photo in photos], missing, search, blend, **options)
    return [[Image.fromarray(picture) for picture in rank] for rank in ranks]


def _fill(
    model: "Model",
    photos: list[np.ndarray],
    holes: list[np.ndarray],
    search: Search,
    blend: Blend | None,
    align: Alignment,
    **options: Any,
) -> Iterator[tuple[np.ndarray, ...]]:
    """The finished photos, for each rank of answers; what the user should know is logged."""
    places = [place(align, photo, hole, model.resolution) for photo, hole in zip(photos, holes, strict=True)]
    filled = fill(model, photos, holes, search, blend, places, **options)
    for i, result in enumerate(filled, 1):
        for remark in result.remarks:
            log.warning("picture %d: %s", i, remark)
    return zip(*(result.pictures for result in filled), strict=True)


def _find(word: str, photos: list[Photo], resolution: int, options: dict[str, Any]) -> list[np.ndarray]:
    """Holes by a word, for pictures without a name; their content names them."""
    source = find_source(word, resolution, options.get("seed", 0))[1]
    if isinstance(source, Alpha):
        return [source(photo, f"picture {i}") for i, photo in enumerate(photos, 1)]
    return [source(photo, photo.digest) for photo in photos]
