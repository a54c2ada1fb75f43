"""The public Python API: load a model or wrap a generator, complete pictures."""

import copy
import html
import inspect
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from ganfill import seeding
from ganfill.completion.from_python import complete_pictures, complete_tensor
from ganfill.completion.inputs import Picture, as_list
from ganfill.completion.pipeline import fill
from ganfill.devices import choose_device
from ganfill.errors import first_line
from ganfill.images import pixels, sheets
from ganfill.images.alignment import Alignment, find_alignment
from ganfill.images.blend import Blend
from ganfill.model_io import model_file
from ganfill.models import model
from ganfill.models.latent import Latent, Normal
from ganfill.search.latent_search import LatentSearch
from ganfill.search.presets import preset
from ganfill.search.result import Search, SearchOptions

__all__ = ["LatentSearch", "Model", "load", "wrap"]


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
        box: str | None = None,
        answers: int = 1,
        seed: int = 0,
        deterministic: bool = False,
        advance: Callable[[float], object] | None = None,
        preview: Callable[[np.ndarray], object] | None = None,
    ) -> Any:
        """Fills the holes of pictures.

        Args:
            images: one or several pictures of any size, or a float tensor (N, 3, H, W) or (3, H, W) in [-1, 1]. A picture is
                a Pillow picture, a path, or a uint8 array (H, W, 3); an array (N, H, W, 3) is several. An array of grey
                values (H, W), or with transparency (H, W, 4), becomes one of RGB (H, W, 3). Pixels inside the hole are
                ignored.
            holes: a kind of hole (``center``, ``half``, ``left``, ``random``, ``pattern``, ``box``, ``bar`` or
                ``freeform``; the seed and the picture's content determine the drawing), ``alpha``, or the path of a mask or
                of a folder of masks. For pictures also one mask or a list of them, white where pixels are missing: Pillow
                pictures or uint8 arrays, or bool arrays (H, W), True where a pixel is missing. For tensors a bool tensor
                (N, 1, H, W) or (1, H, W). Masks are taken literally: pixels around them into which paint has bled are kept,
                unlike in ``ganfill complete`` and ``ganfill app``.
            search: a preset (``fast``, ``standard``, ``best``, ``posterior``, ``auto``, ``from_pool``, ``amos2016`` or
                ``yeh2017``) or a search object.
            blend: ``Paste``, ``Feather`` or ``Poisson``; by default that of the search.
            align: region that the model completes: ``face``, ``center``, ``none`` (all of it), ``box`` or an alignment
                object.
            box: the region for ``align="box"``: ``left,top,right,bottom`` of a square in pixels, such as
                ``"80,10,170,100"``; several are separated by semicolons.
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
        if box is not None and not (isinstance(box, str) and isinstance(align, str)):
            raise ValueError(f"box={box!r:.80} must be a text such as '80,10,170,100', with align='box'")
        align = find_alignment(align, box) if isinstance(align, str) else align
        _check_callable("search", search, "(model, images, holes, options)")
        _check_callable("align", align, "(photo, hole, resolution)")
        _check_callable("blend", blend, "(filled, image, hole)", optional=True)
        _check_callable("advance", advance, "(pictures)", optional=True)
        _check_callable("preview", preview, "(answers)", optional=True)
        if blend is None and not hasattr(search, "blend"):
            raise ValueError(f"search={search!r:.80} has no blend: give one")
        if not isinstance(deterministic, bool | np.bool_):
            raise ValueError(f"deterministic must be True or False, got {deterministic!r:.80}")
        options = SearchOptions(int(answers), int(seed), bool(deterministic))
        filling = partial(fill, self, search=search, blend=blend, options=options, advance=advance, preview=preview)
        if isinstance(images, torch.Tensor):
            single = images.ndim == 3
            batch = images[None] if single else images
            if isinstance(holes, torch.Tensor) and holes.ndim == 3:
                holes = holes[None]
            ranks = complete_tensor(batch, holes, self.resolution, align, seed, filling)
        else:
            batch, single = as_list(images)
            if isinstance(holes, Picture) and not isinstance(holes, str | Path) and getattr(holes, "ndim", 2) < 4:
                holes = [holes] * len(batch)
            ranks = complete_pictures(batch, holes, self.resolution, align, seed, filling)
            if isinstance(images, np.ndarray) and not single:
                ranks = [np.stack(rank) for rank in ranks]
        ranks = [rank[0] if single else rank for rank in ranks]
        return ranks if answers > 1 else ranks[0]

    def _repr_html_(self) -> str:
        """Returns the text of ``repr`` and eight samples of the generator, for notebooks."""
        z = self.latent.sample(8, seeding.generator(0, "notebook")).to(self.device)
        with torch.no_grad():
            samples = pixels.to_uint8(self.generator(z)).cpu().numpy()
        sheet = sheets.data_url(sheets.encode(np.hstack(list(samples)), ".png"))
        return f'<p>{html.escape(repr(self))}</p><img alt="samples" src="{sheet}">'


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


def _check_callable(name: str, value: object, arguments: str, optional: bool = False) -> None:
    """Raises ``ValueError`` unless a value, or None if it is optional, can be called with ``arguments``."""
    if value is None and optional:
        return
    if not callable(value):
        raise ValueError(f"{name} must be a name or an object that can be called, not {value!r:.80}")
    try:
        inspect.signature(value).bind(*arguments.split(","))
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name} must take {arguments}, which {value!r:.80} does not: {first_line(error)}") from None


def wrap(
    generator: nn.Module, *, latent: int | Latent, resolution: int, discriminator: nn.Module | None = None
) -> Model:
    """Makes a model of any generator, so that its latent space can be searched.

    The networks are copied. The model lives in this process: its classes are unknown to model files.

    Args:
        generator: maps z (N, d) to pictures (N, 3, resolution, resolution) in [-1, 1]. If it also has the methods
            ``forward_until`` and ``forward_from``, see ``ganfill.models.layers.Staged``, searches optimize its features too.
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
