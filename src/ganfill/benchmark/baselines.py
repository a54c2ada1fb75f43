"""What a search has to beat: fillings that search nothing, called as a search is called."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import torch

from ganfill import seeding
from ganfill.images import classical, pixels
from ganfill.images.blend import Blend, Paste
from ganfill.models.model import Model
from ganfill.search.result import DEFAULTS, Completion, Progress, SearchOptions
from ganfill.search.target import Target

CHUNK = 1024  # training pictures compared at once


@dataclass(frozen=True)
class Baseline:
    """A filling with the protocol of a search, pasted.

    Args:
        fill: ``(model, target, answers, seed, advance) -> pictures`` float (N, k, 3, R, R) in [-1, 1]; k may be 1 whatever
            ``answers`` is, where nothing is left to chance.
        passes: runs through the generator for each answer, as ``Completion`` counts them.
    """

    fill: Callable[[Model, Target, int, int, Callable[[float], object]], torch.Tensor]
    passes: float = 0.0
    blend: Blend = field(default_factory=Paste)

    def __call__(
        self, model: Model, images: torch.Tensor, holes: torch.Tensor, options: SearchOptions = DEFAULTS
    ) -> Completion:
        """As ``Search``; without latents, and with scores that are all 0: nothing ranks the answers."""
        target = Target.of(images, holes)

        def advance(pictures: float) -> None:
            if options.on_progress is not None:
                options.on_progress(Progress(pictures))

        pictures = self.fill(model, target, options.answers, options.seed, advance).cpu()
        n, k = pictures.shape[:2]
        nothing = torch.zeros(n, k)
        return Completion(pictures, torch.zeros(n, k, 0), nothing, nothing, passes=self.passes * k)


def mean(model: Model, target: Target, answers: int, seed: int, advance: Callable[[float], object]) -> torch.Tensor:
    """The mean of the training pictures, from the model file."""
    advance(len(target))
    return model.mean_picture.expand(len(target), 1, -1, -1, -1)


def random(model: Model, target: Target, answers: int, seed: int, advance: Callable[[float], object]) -> torch.Tensor:
    """Random pictures of the generator, whatever the damaged picture shows."""
    found = []
    for key in target.keys:
        z = model.latent.sample(answers, seeding.generator(seed, "random", key)).to(model.device)
        with torch.no_grad():
            found.append(model.generator(z).float())
        advance(1)
    return torch.stack(found)


def from_neighbours(fill: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> Baseline:
    """A filling ``(image uint8 (H, W, 3), hole bool (H, W)) -> uint8 (H, W, 3)``, picture by picture."""

    def fill_all(
        model: Model, target: Target, answers: int, seed: int, advance: Callable[[float], object]
    ) -> torch.Tensor:
        found = []
        for image, known in zip(pixels.to_uint8(target.image).numpy(), target.known[:, 0].numpy(), strict=True):
            found.append(torch.from_numpy(fill(image, known == 0)))
            advance(1)
        return pixels.to_float(torch.stack(found))[:, None]

    return Baseline(fill_all)


def nearest(images: np.ndarray, rows: np.ndarray) -> Baseline:
    """The training picture that is closest in the known pixels, by squared error; the first one if nothing is known.

    Args:
        images: uint8 (M, R, R, 3), of a store.
        rows: those that may be found.
    """

    def fill(model: Model, target: Target, answers: int, seed: int, advance: Callable[[float], object]) -> torch.Tensor:
        known = target.known.expand_as(target.image).flatten(1)
        wanted = target.image.flatten(1)
        best, found = torch.full((len(target),), torch.inf), torch.zeros(len(target), dtype=torch.int64)
        for begin in range(0, len(rows), CHUNK):
            part = torch.from_numpy(images[rows[begin : begin + CHUNK]])
            pictures = pixels.to_float(part).flatten(1)
            # The sum of known (picture - wanted)^2, less what depends on the damaged picture alone.
            errors, which = (known @ pictures.square().T - 2 * wanted @ pictures.T).min(1)
            found = torch.where(errors < best, which + begin, found)
            best = torch.minimum(errors, best)
            advance(len(target) * len(part) / len(rows))
        return pixels.to_float(torch.from_numpy(images[rows[found.numpy()]]))[:, None]

    return Baseline(fill)


BASELINES: dict[str, Baseline] = {
    "mean": Baseline(mean),
    "random": Baseline(random, passes=1 / 3),
    "telea": from_neighbours(classical.telea),
    "navier_stokes": from_neighbours(classical.navier_stokes),
    "biharmonic": from_neighbours(classical.biharmonic),
}
NEAREST = "nearest"  # needs training pictures
