"""Completes pictures as they are given from Python, and returns them in the same form."""

import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from ganfill.completion.inputs import as_list, to_mask, to_photo
from ganfill.completion.pipeline import Filled, find_placement
from ganfill.images import pixels
from ganfill.images.alignment import Alignment
from ganfill.images.holes import HoleSource, to_hole
from ganfill.images.photo import Photo, in_mode_of
from ganfill.search.target import Target

log = logging.getLogger(__name__)

Fill = Callable[..., list[Filled]]

LARGEST = 1.1  # absolute value of a pixel; resampling and searches lead slightly beyond [-1, 1]


def complete_tensor(
    images: torch.Tensor, holes: Any, resolution: int, align: Alignment, seed: int, fill: Fill
) -> list[torch.Tensor]:
    """Returns one tensor like ``images`` for each rank of answers.

    Args:
        images: float (N, 3, H, W) in [-1, 1].
        holes: a kind of hole, or bool (N, 1, H, W), True where a pixel is missing.
        resolution: of the model.
        align: region that the model completes.
        seed: of drawn holes.
        fill: completes photos in holes with placements, see ``ganfill.completion.pipeline.fill``.

    Raises:
        ValueError: shapes, types or ranges do not fit.
    """
    images = images.detach()
    if images.ndim != 4 or images.shape[1] != 3 or not images.numel() or not images.is_floating_point():
        raise ValueError(f"images must be float (N, 3, H, W), not {images.dtype} {tuple(images.shape)}")
    for name, tensor in {"images": images, "holes": holes}.items():
        if isinstance(tensor, torch.Tensor) and (tensor.layout != torch.strided or tensor.device.type == "meta"):
            raise ValueError(
                f"{name} must be dense and on a device with values, not {tensor.layout} on {tensor.device}"
            )
    if isinstance(holes, str | Path):
        photos = [Photo(picture) for picture in pixels.to_uint8(images).cpu().numpy()]
        names = [f"picture {i}" for i in range(1, len(photos) + 1)]
        holes = torch.from_numpy(np.stack(_find_holes(str(holes), photos, names, resolution, seed)))[:, None]
    if not isinstance(holes, torch.Tensor):
        raise ValueError(f"holes of a tensor must be a tensor or a kind of hole, not {type(holes).__name__}")
    holes = holes.to(images.device)
    known = Target.of(images, holes).image
    if (largest := float(known.abs().max())) > LARGEST:
        raise ValueError(
            f"images must lie in [-1, 1], got a known value of {largest:g}: divide by 127.5 and subtract 1"
        )
    hidden = list(pixels.to_uint8(known).numpy())
    ranks = _fill(hidden, list(holes[:, 0].cpu().numpy()), resolution, align, fill)
    finished = [pixels.to_float(torch.from_numpy(np.stack(rank))).to(images) for rank in ranks]
    return [torch.where(holes, pictures, images) for pictures in finished]


def complete_pictures(
    images: list[Any], holes: Any, resolution: int, align: Alignment, seed: int, fill: Fill
) -> list[list[Any]]:
    """Returns one list of pictures, in the modes of their originals, or of arrays for arrays, for each rank of answers.

    Arguments and errors: see ``complete_tensor``.
    """
    masks = images if isinstance(holes, str | Path) else as_list(holes)[0]
    if not images or len(masks) != len(images):
        raise ValueError(f"each picture needs a mask: got {len(images)} pictures and {len(masks)} masks")
    photos = [to_photo(image, f"picture {i}") for i, image in enumerate(images, 1)]
    if isinstance(holes, str | Path):
        names = [image if isinstance(image, str | Path) else f"picture {i}" for i, image in enumerate(images, 1)]
        missing = _find_holes(str(holes), photos, names, resolution, seed)
    else:
        given = [to_mask(mask, f"mask {i}") for i, mask in enumerate(masks, 1)]
        missing = [to_hole(mask, photo.pixels.shape[:2]) for mask, photo in zip(given, photos, strict=True)]
    ranks = _fill([photo.pixels for photo in photos], missing, resolution, align, fill)
    arrays = [isinstance(image, np.ndarray) for image in images]
    return [
        [
            finished if array else _to_picture(photo, finished, hole)
            for array, photo, finished, hole in zip(arrays, photos, rank, missing, strict=True)
        ]
        for rank in ranks
    ]


def _to_picture(photo: Photo, finished: np.ndarray, hole: np.ndarray) -> Image.Image:
    """A finished picture in the mode of its original, with its colour profile."""
    picture = Image.fromarray(in_mode_of(photo, finished, hole))
    if photo.profile is not None:
        picture.info["icc_profile"] = photo.profile
    return picture


def _fill(
    photos: list[np.ndarray], holes: list[np.ndarray], resolution: int, align: Alignment, fill: Fill
) -> list[tuple[np.ndarray, ...]]:
    """Returns the finished photos for each rank of answers and logs the remarks for the user."""
    placements = [find_placement(align, photo, hole, resolution) for photo, hole in zip(photos, holes, strict=True)]
    results = fill(photos=photos, holes=holes, placements=placements)
    for i, result in enumerate(results, 1):
        for remark in result.remarks:
            log.warning("picture %d: %s", i, remark)
    return list(zip(*(result.pictures for result in results), strict=True))


def _find_holes(
    mask: str, photos: list[Photo], names: Sequence[str | Path], resolution: int, seed: int
) -> list[np.ndarray]:
    """Returns holes, bool (H, W) each; a drawn one follows from the content of its picture, which may have no name."""
    source = HoleSource(mask, resolution, seed)
    return [source(photo, photo.digest if source.is_drawn else name) for photo, name in zip(photos, names, strict=True)]
