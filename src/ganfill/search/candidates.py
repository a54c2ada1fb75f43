"""One chunk of pictures being fitted: some candidates for each, all in one batch."""

from collections.abc import Callable

import torch

from ganfill import seeding
from ganfill.search.networks import Networks
from ganfill.search.objective import Objective
from ganfill.search.optimizers import Adam
from ganfill.search.parametrization import Parametrisation
from ganfill.search.target import Target

Watch = Callable[[torch.Tensor, torch.Tensor], None]


class Fit:
    """Candidates z for the pictures of a target; item ``i * count + j`` is candidate j of picture i.

    Args:
        networks: the model.
        target: N pictures.
        image: what each candidate shall show, (N, count, 3, R, R): the known pixels, and in the hole what is expected there.
        objective: what is minimised.
        weights: of the pixels, (N, 1, R, R); may be replaced in mid-flight.
        parametrise: the coordinates that move.
        optimizer: moves them along the gradient.
        z: starts (N, count, d).
        steps: of the whole fit, for the optimizer's schedule.
        seed: of the noise, mixed with each picture's own.

    Attributes:
        passes: forward and backward runs made for each picture so far; a forward run alone counts a third.
    """

    def __init__(
        self,
        networks: Networks,
        target: Target,
        image: torch.Tensor,
        objective: Objective,
        weights: torch.Tensor,
        parametrise: Parametrisation,
        optimizer: Adam,
        z: torch.Tensor,
        steps: int,
        seed: int,
    ) -> None:
        self.networks, self.objective, self.parametrise = networks, objective, parametrise
        self.latent = networks.model.latent
        self.image, self.weights = image, weights
        self.count, self.passes = z.shape[1], 0.0
        self.run = optimizer.begin(parametrise.enter(z.flatten(0, 1), self.latent), steps)
        self.noises = [seeding.generator(seed, "noise", key) for key in target.keys]

    @property
    def z(self) -> torch.Tensor:
        """The candidates as they are, (N, count, d)."""
        return self.parametrise.leave(self.run.point, self.latent).unflatten(0, (-1, self.count))

    @torch.no_grad()
    def pictures(self) -> torch.Tensor:
        """The candidates' pictures, (N, count, 3, R, R)."""
        self.passes += self.count / 3
        return self.networks.generate(self.z.flatten(0, 1)).unflatten(0, (-1, self.count))

    def advance(self, steps: int, watch: Watch | None = None) -> None:
        """Makes ``steps`` steps; ``watch`` sees the pictures (N, count, 3, R, R) and losses (N, count) before each."""
        image = self.image.flatten(0, 1)
        weights = self.weights.repeat_interleave(self.count, 0)
        self.passes += steps * self.count
        for _ in range(steps):
            point = self.run.point.detach().requires_grad_()
            z = self.parametrise.leave(point, self.latent)
            pictures = self.networks.generate(z)
            losses = self.objective(self.networks, z, pictures, image, weights)
            (gradient,) = torch.autograd.grad(losses.sum(), point)
            if watch is not None:
                shape = (-1, self.count)
                watch(pictures.detach().unflatten(0, shape), losses.detach().unflatten(0, shape))
            self.run.step(gradient, self._noise())
            self.run.point = self.parametrise.project(self.run.point, self.latent)

    def keep(self, chosen: torch.Tensor) -> None:
        """Goes on with the candidates ``chosen`` (N, m) of each picture, in that order."""
        first = torch.arange(len(chosen), device=chosen.device)[:, None] * self.count
        rows = (first + chosen).flatten()
        self.run.keep(rows)
        self.image = self.image.flatten(0, 1)[rows].unflatten(0, chosen.shape)
        self.count = chosen.shape[1]

    def _noise(self) -> torch.Tensor | None:
        deviation = self.run.noise
        if not deviation:
            return None
        shape = (self.count, self.run.point.shape[1])
        draws = [torch.randn(shape, generator=generator) for generator in self.noises]
        return deviation * torch.cat(draws).to(self.run.point)
