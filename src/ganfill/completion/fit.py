"""One chunk of pictures being fitted: some candidates for each, all in one batch."""

from collections.abc import Callable

import torch

from ganfill import seeding
from ganfill.completion.networks import Networks
from ganfill.completion.objective import Objective
from ganfill.completion.optimize import Adam
from ganfill.completion.parametrise import Latent
from ganfill.completion.target import Target

Watch = Callable[[torch.Tensor, torch.Tensor], None]


class Fit:
    """Candidates z for the pictures of a target; item ``i * count + j`` is candidate j of picture i.

    Args:
        networks: the model.
        target: N pictures.
        objective: what is minimised.
        weights: contextual weights (N, 1, R, R); may be replaced in mid-flight.
        project: moves z to where it may be, ``(z, latent) -> z``.
        optimizer: moves z along the gradient.
        z: starts (N, count, d).
        steps: of the whole fit, for the optimizer's schedule.
        seed: of the noise, mixed with each picture's own.
    """

    def __init__(
        self,
        networks: Networks,
        target: Target,
        objective: Objective,
        weights: torch.Tensor,
        project: Callable[[torch.Tensor, Latent], torch.Tensor],
        optimizer: Adam,
        z: torch.Tensor,
        steps: int,
        seed: int,
    ) -> None:
        self.networks, self.target, self.objective, self.project = networks, target, objective, project
        self.weights = weights
        self.count = z.shape[1]
        self.run = optimizer.begin(z.flatten(0, 1), steps)
        self.noises = [seeding.generator(seed, "noise", key) for key in target.keys]

    @property
    def z(self) -> torch.Tensor:
        """The candidates as they are, (N, count, d)."""
        return self.run.z.unflatten(0, (-1, self.count))

    @torch.no_grad()
    def pictures(self) -> torch.Tensor:
        """The candidates' pictures, (N, count, 3, R, R)."""
        return self.networks.generate(self.run.z).unflatten(0, (-1, self.count))

    def advance(self, steps: int, watch: Watch | None = None) -> None:
        """Makes ``steps`` steps; ``watch`` sees the pictures (N, count, 3, R, R) and losses (N, count) before each."""
        image = self.target.image.repeat_interleave(self.count, 0)
        weights = self.weights.repeat_interleave(self.count, 0)
        for _ in range(steps):
            z = self.run.z.detach().requires_grad_()
            pictures = self.networks.generate(z)
            losses = self.objective(self.networks, pictures, image, weights)
            (gradient,) = torch.autograd.grad(losses.sum(), z)
            if watch is not None:
                shape = (-1, self.count)
                watch(pictures.detach().unflatten(0, shape), losses.detach().unflatten(0, shape))
            self.run.step(gradient, self._noise())
            self.run.z = self.project(self.run.z, self.networks.model.latent)

    def keep(self, chosen: torch.Tensor) -> None:
        """Goes on with the candidates ``chosen`` (N, m) of each picture, in that order."""
        first = torch.arange(len(chosen), device=chosen.device)[:, None] * self.count
        self.run.keep((first + chosen).flatten())
        self.count = chosen.shape[1]

    def _noise(self) -> torch.Tensor | None:
        deviation = self.run.noise
        if not deviation:
            return None
        shape = (self.count, self.run.z.shape[1])
        draws = [torch.randn(shape, generator=generator) for generator in self.noises]
        return deviation * torch.cat(draws).to(self.run.z)
