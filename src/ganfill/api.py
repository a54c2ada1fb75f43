"""The public Python API: load a model, complete pictures."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from ganfill.completion.pipeline import fill, find_placement
from ganfill.images import pixels
from ganfill.images.alignment import Alignment, find_alignment
from ganfill.images.blend import Blend
from ganfill.images.holes import ALPHA, HoleSource, to_hole
from ganfill.images.photo import Photo, in_mode_of
from ganfill.model_io import model_file
from ganfill.models import model
from ganfill.search.latent_search import LatentSearch
from ganfill.search.presets import preset
from ganfill.search.result import Search
from ganfill.search.target import Target

__all__ = ["LatentSearch", "Model", "load"]

log = logging.getLogger(__name__)


class Model(model.Model):
    """A trained GAN that completes pictures, returned by ``load``. Attributes: see ``ganfill.models.model.Model``."""

    def complete(
        self,
        images: Any,
        holes: Any,
        *,
        search: Search | str = "standard",
        blend: Blend | None = None,
        align: Alignment | str = "face",
        answers: int = 1,
        seed: int = 0,
        **options: Any,
    ) -> Any:
        """Fills the holes of pictures.

        Args:
            images: a Pillow picture or a list of them, or a float tensor (N, 3, H, W) or (3, H, W) in [-1, 1]. Pictures
                may have any size. Pixels inside the hole are ignored.
            holes: a kind of hole (``center``, ``half``, ``left``, ``random``, ``pattern``, ``box`` or ``freeform``; the
                seed and the picture's content determine the drawing), or ``alpha``. For Pillow pictures also masks, white
                where pixels are missing; for tensors a bool tensor (N, 1, H, W) or (1, H, W), True where a pixel is missing.
            search: a preset (``fast``, ``standard``, ``best``, ``posterior``, ``auto``, ``from_pool``, ``amos2016`` or
                ``yeh2017``) or a search object.
            blend: ``Paste``, ``Feather`` or ``Poisson``; by default that of the search.
            align: region that the model completes: ``face``, ``center``, ``none`` (all of it) or an alignment object.
            answers: number of answers for each picture.
            seed: seed of the search and of drawn holes.
            options: ``deterministic``, ``advance`` and ``preview``; see ``ganfill.completion.pipeline.fill``.

        Returns:
            The finished pictures in the form of ``images``; known pixels are unchanged. With ``answers`` > 1, a list of
            such results, best first.

        Raises:
            ValueError: shapes or types do not match.
            UserError: a mask and its picture differ in proportions, or there is no such preset, alignment or kind of hole.
        """
        if answers < 1:
            raise ValueError(f"answers must be at least 1, got {answers}")
        search = preset(search) if isinstance(search, str) else search
        align = find_alignment(align) if isinstance(align, str) else align
        options |= {"answers": answers, "seed": seed}
        if isinstance(images, torch.Tensor):
            single = images.ndim == 3
            batch = images[None] if single else images
            if isinstance(holes, torch.Tensor) and holes.ndim == 3:
                holes = holes[None]
            ranks = _complete_tensor(self, batch, holes, search, blend, align, options)
        else:
            single = isinstance(images, Image.Image)
            batch = [images] if single else list(images)
            if not isinstance(holes, str) and not isinstance(holes, Sequence):
                holes = [holes] * len(batch)
            ranks = _complete_pictures(self, batch, holes, search, blend, align, options)
        ranks = [rank[0] if single else rank for rank in ranks]
        return ranks if answers > 1 else ranks[0]


def load(name: str | Path, device: torch.device | str = "cpu") -> Model:
    """Loads a model onto a device.

    Args:
        name: a model file, a packaged model (``faces64``), or a model on Hugging Face (``hf://OWNER/NAME``).
        device: such as ``cpu`` or ``cuda``.

    Raises:
        UserError: there is no such model, or its file is truncated, modified or of another format.
    """
    return Model(**vars(model_file.load(name, device)))


def _complete_tensor(
    model: Model,
    images: torch.Tensor,
    holes: torch.Tensor | str,
    search: Search,
    blend: Blend | None,
    align: Alignment,
    options: dict[str, Any],
) -> list[torch.Tensor]:
    """Returns one tensor like ``images`` for each rank of answers."""
    images = images.detach()
    if images.ndim != 4 or not len(images):
        raise ValueError(f"images must be float (N, 3, H, W), not {images.dtype} {tuple(images.shape)}")
    if not isinstance(holes, str | torch.Tensor):
        raise ValueError(f"holes of a tensor must be a tensor or a kind of hole, not {type(holes).__name__}")
    if isinstance(holes, str):
        photos = [Photo(picture) for picture in pixels.to_uint8(images).cpu().numpy()]
        holes = torch.from_numpy(np.stack(_draw(holes, photos, model.resolution, options["seed"])))[:, None]
    holes = holes.to(images.device)
    hidden = list(pixels.to_uint8(Target.of(images, holes).image).numpy())
    ranks = _fill(model, hidden, list(holes[:, 0].cpu().numpy()), search, blend, align, options)
    finished = [pixels.to_float(torch.from_numpy(np.stack(rank))).to(images) for rank in ranks]
    return [torch.where(holes, pictures, images) for pictures in finished]


def _complete_pictures(
    model: Model,
    images: list[Image.Image],
    holes: Any,
    search: Search,
    blend: Blend | None,
    align: Alignment,
    options: dict[str, Any],
) -> list[list[Image.Image]]:
    """Returns one list of pictures, grey or with transparency as their originals, for each rank of answers."""
    masks = images if isinstance(holes, str) else holes
    if not images or len(masks) != len(images):
        raise ValueError(f"each picture needs a mask: got {len(images)} pictures and {len(masks)} masks")
    if wrong := [type(x).__name__ for x in (*images, *masks) if not isinstance(x, Image.Image)]:
        raise ValueError(f"images and holes must be Pillow pictures, or both tensors, not {wrong[0]}")
    photos = [Photo.of(picture) for picture in images]
    if isinstance(holes, str):
        missing = _draw(holes, photos, model.resolution, options["seed"])
    else:
        missing = [to_hole(hole, photo.pixels.shape[:2]) for hole, photo in zip(holes, photos, strict=True)]
    ranks = _fill(model, [photo.pixels for photo in photos], missing, search, blend, align, options)
    return [
        [Image.fromarray(in_mode_of(*finished)) for finished in zip(photos, rank, missing, strict=True)]
        for rank in ranks
    ]


def _fill(
    model: Model,
    photos: list[np.ndarray],
    holes: list[np.ndarray],
    search: Search,
    blend: Blend | None,
    align: Alignment,
    options: dict[str, Any],
) -> list[tuple[np.ndarray, ...]]:
    """Returns the finished photos for each rank of answers and logs the remarks for the user."""
    placements = [
        find_placement(align, photo, hole, model.resolution) for photo, hole in zip(photos, holes, strict=True)
    ]
    results = fill(model, photos, holes, search, blend, placements, **options)
    for i, result in enumerate(results, 1):
        for remark in result.remarks:
            log.warning("picture %d: %s", i, remark)
    return list(zip(*(result.pictures for result in results), strict=True))


def _draw(kind: str, photos: list[Photo], resolution: int, seed: int) -> list[np.ndarray]:
    """Returns holes of one kind, bool (H, W) each; pictures have no names here, so their content seeds the drawing."""
    source = HoleSource(kind, resolution, seed)
    return [source(photo, f"picture {i}" if kind == ALPHA else photo.digest) for i, photo in enumerate(photos, 1)]
