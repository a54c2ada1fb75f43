"""Simple methods that searches are compared with, under the protocol of a search."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import torch

from ganfill import seeding
from ganfill.errors import UserError
from ganfill.images import classical, pixels
from ganfill.images.blend import Blend, Paste
from ganfill.models.inpainter import Inpainter
from ganfill.models.model import Model
from ganfill.search.networks import Networks
from ganfill.search.result import DEFAULTS, Completion, Progress, SearchOptions
from ganfill.search.target import Target

CHUNK = 1024  # training pictures compared at once
BATCH = 256  # pictures completed at once


@dataclass(frozen=True)
class Baseline:
    """A method with the protocol of a search; its answers are pasted.

    Args:
        fill: ``(model, target, answers, seed, advance) -> pictures`` float (N, k, 3, R, R) in [-1, 1]; k is 1 for a
            deterministic method, whatever ``answers`` is.
        passes: runs through the generator for each answer, see ``Completion``.
    """

    fill: Callable[[Model, Target, int, int, Callable[[float], object]], torch.Tensor]
    passes: float = 0.0
    blend: Blend = field(default_factory=Paste)

    def __call__(
        self, model: Model, images: torch.Tensor, holes: torch.Tensor, options: SearchOptions = DEFAULTS
    ) -> Completion:
        """Completes pictures, see ``Search``; there are no latents, and all scores are 0."""
        target = Target.of(images, holes)

        def advance(pictures: float) -> None:
            if options.on_progress is not None:
                options.on_progress(Progress(pictures))

        pictures = self.fill(model, target, options.answers, options.seed, advance).cpu()
        n, k = pictures.shape[:2]
        zeros = torch.zeros(n, k)
        return Completion(pictures, torch.zeros(n, k, 0), zeros, zeros, passes=self.passes * k)


def mean(model: Model, target: Target, answers: int, seed: int, advance: Callable[[float], object]) -> torch.Tensor:
    """Fills with the mean of the training pictures, from the model file."""
    advance(len(target))
    return model.mean_picture.expand(len(target), 1, -1, -1, -1)


def random(model: Model, target: Target, answers: int, seed: int, advance: Callable[[float], object]) -> torch.Tensor:
    """Fills with random pictures of the generator."""
    samples = []
    for key in target.keys:
        z = model.latent.sample(answers, seeding.generator(seed, "random", key)).to(model.device)
        with torch.no_grad():
            samples.append(model.generator(z).float())
        advance(1)
    return torch.stack(samples)


def from_neighbours(fill: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> Baseline:
    """Wraps a function ``(image uint8 (H, W, 3), hole bool (H, W)) -> uint8 (H, W, 3)`` of single pictures."""

    def fill_all(
        model: Model, target: Target, answers: int, seed: int, advance: Callable[[float], object]
    ) -> torch.Tensor:
        filled = []
        for image, known in zip(pixels.to_uint8(target.image).numpy(), target.known[:, 0].numpy(), strict=True):
            filled.append(torch.from_numpy(fill(image, known == 0)))
            advance(1)
        return pixels.to_float(torch.stack(filled))[:, None]

    return Baseline(fill_all)


def nearest_picture(images: np.ndarray, rows: np.ndarray) -> Baseline:
    """Fills with the training picture that has the least squared error in the known pixels; the first if none are known.

    Args:
        images: uint8 (M, R, R, 3), of a store.
        rows: candidates among them.
    """

    def fill(model: Model, target: Target, answers: int, seed: int, advance: Callable[[float], object]) -> torch.Tensor:
        known = target.known.expand_as(target.image).flatten(1)
        wanted = target.image.flatten(1)
        least, nearest_rows = torch.full((len(target),), torch.inf), torch.zeros(len(target), dtype=torch.int64)
        for begin in range(0, len(rows), CHUNK):
            part = torch.from_numpy(images[rows[begin : begin + CHUNK]])
            pictures = pixels.to_float(part).flatten(1)
            # The sum of known (picture - wanted)^2 without the term that depends on the damaged picture alone.
            errors, which = (known @ pictures.square().T - 2 * wanted @ pictures.T).min(1)
            nearest_rows = torch.where(errors < least, which + begin, nearest_rows)
            least = torch.minimum(errors, least)
            advance(len(target) * len(part) / len(rows))
        return pixels.to_float(torch.from_numpy(images[rows[nearest_rows.numpy()]]))[:, None]

    return Baseline(fill)


def unet(rival: Model) -> Baseline:
    """Fills by a feed-forward network, in one pass and without a search: the inpainter of another model.

    Args:
        rival: its inpainter was trained with ``inpainter.guess=false``.

    Raises:
        UserError: the rival has no such inpainter; or, from a call, it is for another resolution than the model.
    """
    inpainter = rival.inpainter
    if not isinstance(inpainter, Inpainter) or inpainter.guess:
        raise UserError(
            "this model has no feed-forward inpainter: train one with ganfill train-inpainter inpainter.guess=false"
        )

    def fill(model: Model, target: Target, answers: int, seed: int, advance: Callable[[float], object]) -> torch.Tensor:
        if rival.resolution != model.resolution:
            raise UserError(f"unet completes pictures of {rival.resolution} pixels, the model of {model.resolution}")
        networks, network, filled = Networks(model), inpainter.to(model.device), []
        for begin in range(0, len(target), BATCH):
            image, known = (part[begin : begin + BATCH].to(model.device) for part in (target.image, target.known))
            filled.append(networks.run(network, image, known, image).cpu())
            advance(len(image))
        return torch.cat(filled)[:, None]

    return Baseline(fill)


BASELINES: dict[str, Baseline] = {
    "mean": Baseline(mean),
    "random": Baseline(random, passes=1 / 3),
    "telea": from_neighbours(classical.telea),
    "navier_stokes": from_neighbours(classical.navier_stokes),
    "biharmonic": from_neighbours(classical.biharmonic),
}
NEAREST = "nearest"  # needs training pictures
UNET = "unet"  # needs a model of its own
