"""The public Python API: load a model or wrap a generator, complete pictures."""

import base64
import copy
import html
import logging
from collections.abc import Callable, Iterable
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import nn

from ganfill import seeding
from ganfill.completion.inputs import Picture, as_list, to_mask, to_photo
from ganfill.completion.pipeline import fill, find_placement
from ganfill.devices import choose_device
from ganfill.errors import first_line
from ganfill.images import pixels
from ganfill.images.alignment import Alignment, find_alignment
from ganfill.images.blend import Blend
from ganfill.images.holes import ALPHA, HoleSource, to_hole
from ganfill.images.photo import Photo, in_mode_of
from ganfill.model_io import model_file
from ganfill.models import model
from ganfill.models.latent import Latent, Normal
from ganfill.search.latent_search import LatentSearch
from ganfill.search.presets import preset
from ganfill.search.result import Search
from ganfill.search.target import Target

__all__ = ["LatentSearch", "Model", "load", "wrap"]

log = logging.getLogger(__name__)

LARGEST = 1.1  # absolute value of a pixel; resampling and searches lead slightly beyond [-1, 1]


class Model(model.Model):
    """A trained GAN that completes pictures, returned by ``load``. Attributes: see ``ganfill.models.model.Model``."""

    def complete(
        self,
        images: Picture | torch.Tensor | Iterable[Picture],
        holes: Picture | torch.Tensor | Iterable[Picture],
        *,
        search: Search | str = "standard",
        blend: Blend | None = None,
        align: Alignment | str = "face",
        answers: int = 1,
        seed: int = 0,
        deterministic: bool = False,
        advance: Callable[[float], object] | None = None,
        preview: Callable[[np.ndarray], object] | None = None,
    ) -> Any:
        """Fills the holes of pictures.

        Args:
            images: one or several pictures of any size, or a float tensor (N, 3, H, W) or (3, H, W) in [-1, 1]. A picture is
                a Pillow picture, a path, or a uint8 array (H, W, 3); an array (N, H, W, 3) is several. Pixels inside the
                hole are ignored.
            holes: a kind of hole (``center``, ``half``, ``left``, ``random``, ``pattern``, ``box`` or ``freeform``; the
                seed and the picture's content determine the drawing), ``alpha``, or the path of a mask or of a folder of
                masks. For pictures also one mask or a list of them, white where pixels are missing: Pillow pictures or
                uint8 arrays, or bool arrays (H, W), True where a pixel is missing. For tensors a bool tensor (N, 1, H, W)
                or (1, H, W).
            search: a preset (``fast``, ``standard``, ``best``, ``posterior``, ``auto``, ``from_pool``, ``amos2016`` or
                ``yeh2017``) or a search object.
            blend: ``Paste``, ``Feather`` or ``Poisson``; by default that of the search.
            align: region that the model completes: ``face``, ``center``, ``none`` (all of it) or an alignment object.
            answers: number of answers for each picture.
            seed: seed of the search and of drawn holes, from 0.
            deterministic: give the same bits for a picture in any batch, also on a GPU.
            advance: called with the number of pictures completed since its last call, a fraction.
            preview: called now and then with the current answers side by side, uint8 (R, R', 3).

        Returns:
            The finished pictures in the form of ``images``, as Pillow pictures for paths; known pixels are unchanged. With
            ``answers`` > 1, a list of such results, best first.

        Raises:
            ValueError: shapes, types or ranges do not fit.
            UserError: a file cannot be read, a mask and its picture differ in proportions, or there is no such preset,
                alignment or kind of hole. It is a ``ValueError`` too.
        """
        _check_whole("answers", answers, 1)
        _check_whole("seed", seed, 0)
        search = preset(search) if isinstance(search, str) else search
        align = find_alignment(align) if isinstance(align, str) else align
        for name, value in {"search": search, "align": align, "blend": blend}.items():
            if not callable(value) and (value is not None or name != "blend"):
                raise ValueError(f"{name} must be a name or an object that can be called, not {value!r}")
        options: dict[str, Any] = {"answers": answers, "seed": seed, "deterministic": deterministic}
        options |= {"advance": advance, "preview": preview}
        if isinstance(images, torch.Tensor):
            single = images.ndim == 3
            batch = images[None] if single else images
            if isinstance(holes, torch.Tensor) and holes.ndim == 3:
                holes = holes[None]
            ranks = _complete_tensor(self, batch, holes, search, blend, align, options)
        else:
            batch, single = as_list(images)
            if isinstance(holes, Picture) and not isinstance(holes, str | Path) and getattr(holes, "ndim", 2) < 4:
                holes = [holes] * len(batch)
            ranks = _complete_pictures(self, batch, holes, search, blend, align, options)
            if isinstance(images, np.ndarray) and not single:
                ranks = [np.stack(rank) for rank in ranks]
        ranks = [rank[0] if single else rank for rank in ranks]
        return ranks if answers > 1 else ranks[0]

    def _repr_html_(self) -> str:
        """Returns the text of ``repr`` and eight samples of the generator, for notebooks."""
        z = self.latent.sample(8, seeding.generator(0, "notebook")).to(self.device)
        with torch.no_grad():
            samples = pixels.to_uint8(self.generator(z)).cpu().numpy()
        file = BytesIO()
        Image.fromarray(np.hstack(list(samples))).save(file, "PNG")
        sheet = base64.b64encode(file.getvalue()).decode()
        return f'<p>{html.escape(repr(self))}</p><img alt="samples" src="data:image/png;base64,{sheet}">'


def load(name: str | Path, device: torch.device | str = "cpu") -> Model:
    """Loads a model onto a device.

    Args:
        name: a model file, a packaged model (``faces64``), or a model on Hugging Face (``hf://OWNER/NAME``).
        device: such as ``cpu`` or ``cuda``.

    Raises:
        UserError: there is no such model or device, or the file is truncated, modified or of another format.
    """
    return Model(**vars(model_file.load(name, choose_device(str(device)))))


def _check_whole(name: str, value: object, least: int) -> None:
    if not isinstance(value, int | np.integer) or isinstance(value, bool) or value < least:
        raise ValueError(f"{name} must be a whole number from {least}, got {value!r}")


def wrap(
    generator: nn.Module, *, latent: int | Latent, resolution: int, discriminator: nn.Module | None = None
) -> Model:
    """Makes a model of any generator, so that its latent space can be searched.

    The networks are copied. The model lives in this process: its classes are unknown to model files.

    Args:
        generator: maps z (N, d) to pictures (N, 3, resolution, resolution) in [-1, 1]. If it also has the methods
            ``forward_until`` and ``forward_from``, see ``ganfill.models.dcgan``, searches optimize its features too.
        latent: the prior of z, ``Normal(d)`` or ``Uniform(d)`` of ``ganfill.models.latent``; a number d means ``Normal(d)``.
        resolution: side of the pictures.
        discriminator: maps pictures to logits (N,), larger for more real pictures; only ``amos2016`` and ``yeh2017`` need
            it.

    Raises:
        ValueError: the generator has no parameters, does not take z (N, d), or returns something else.
    """
    latent = Normal(latent) if isinstance(latent, int) else latent
    generator = copy.deepcopy(generator).eval().requires_grad_(False)
    if discriminator is not None:
        discriminator = copy.deepcopy(discriminator).eval().requires_grad_(False)
    if (first := next(generator.parameters(), None)) is None:
        raise ValueError(f"generator must have parameters, {type(generator).__name__} has none")
    z = latent.sample(16, seeding.generator(0, "wrap"), first.device)
    try:
        with torch.no_grad():
            pictures = generator(z)
    except RuntimeError as error:
        raise ValueError(f"generator must take z of shape {tuple(z.shape)}, but: {first_line(error)}") from error
    shape = (len(z), 3, resolution, resolution)
    if not isinstance(pictures, torch.Tensor) or pictures.shape != shape or not pictures.isfinite().all():
        found = tuple(pictures.shape) if isinstance(pictures, torch.Tensor) else type(pictures).__name__
        raise ValueError(f"generator must return finite pictures {shape} for z {tuple(z.shape)}, got {found}")
    mean = pictures.float().mean(0).clamp(-1, 1)
    return Model(generator, discriminator, latent, resolution, 0.0, mean, card={})


def _complete_tensor(
    model: Model,
    images: torch.Tensor,
    holes: Any,
    search: Search,
    blend: Blend | None,
    align: Alignment,
    options: dict[str, Any],
) -> list[torch.Tensor]:
    """Returns one tensor like ``images`` for each rank of answers."""
    images = images.detach()
    if images.ndim != 4 or images.shape[1] != 3 or not images.numel() or not images.is_floating_point():
        raise ValueError(f"images must be float (N, 3, H, W), not {images.dtype} {tuple(images.shape)}")
    if isinstance(holes, str | Path):
        photos = [Photo(picture) for picture in pixels.to_uint8(images).cpu().numpy()]
        holes = torch.from_numpy(np.stack(_draw(str(holes), photos, model.resolution, options["seed"])))[:, None]
    if not isinstance(holes, torch.Tensor):
        raise ValueError(f"holes of a tensor must be a tensor or a kind of hole, not {type(holes).__name__}")
    holes = holes.to(images.device)
    known = Target.of(images, holes).image
    if (largest := float(known.abs().max())) > LARGEST:
        raise ValueError(
            f"images must lie in [-1, 1], got a known value of {largest:g}: divide by 127.5 and subtract 1"
        )
    hidden = list(pixels.to_uint8(known).numpy())
    ranks = _fill(model, hidden, list(holes[:, 0].cpu().numpy()), search, blend, align, options)
    finished = [pixels.to_float(torch.from_numpy(np.stack(rank))).to(images) for rank in ranks]
    return [torch.where(holes, pictures, images) for pictures in finished]


def _complete_pictures(
    model: Model,
    images: list[Any],
    holes: Any,
    search: Search,
    blend: Blend | None,
    align: Alignment,
    options: dict[str, Any],
) -> list[list[Any]]:
    """Returns one list of pictures, in the modes of their originals, or of arrays for arrays, for each rank of answers."""
    masks = images if isinstance(holes, str | Path) else as_list(holes)[0]
    if not images or len(masks) != len(images):
        raise ValueError(f"each picture needs a mask: got {len(images)} pictures and {len(masks)} masks")
    photos = [to_photo(image, f"picture {i}") for i, image in enumerate(images, 1)]
    if isinstance(holes, str | Path):
        missing = _draw(str(holes), photos, model.resolution, options["seed"])
    else:
        given = [to_mask(mask, f"mask {i}") for i, mask in enumerate(masks, 1)]
        missing = [to_hole(mask, photo.pixels.shape[:2]) for mask, photo in zip(given, photos, strict=True)]
    ranks = _fill(model, [photo.pixels for photo in photos], missing, search, blend, align, options)
    arrays = [isinstance(image, np.ndarray) for image in images]
    return [
        [
            finished if array else Image.fromarray(in_mode_of(photo, finished, hole))
            for array, photo, finished, hole in zip(arrays, photos, rank, missing, strict=True)
        ]
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
