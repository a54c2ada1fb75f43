"""Candidates for a chunk of pictures, optimized as one batch."""

from collections.abc import Callable

import torch

from ganfill import seeding
from ganfill.search.networks import Networks
from ganfill.search.objective import Objective
from ganfill.search.optimizers import Adam
from ganfill.search.selection import take
from ganfill.search.target import Target

OnStep = Callable[[torch.Tensor, torch.Tensor], None]


class Candidates:
    """Candidates z for the pictures of a target; item ``i * count + j`` is candidate j of picture i.

    Args:
        networks: the model.
        target: N pictures.
        objective: the loss.
        weights: of the pixels, (N, 1, R, R).
        optimizer: moves the latent vectors.
        z: starts (N, count, d).
        steps: total number of steps, for the optimizer's schedule.
        seed: of the noise; each picture mixes in its key.
        shell_width: see ``Normal.project``.

    Attributes:
        image: wanted picture of each candidate, (N, count, 3, R, R), at first that of ``target``. It and ``weights`` can be
            replaced between two calls of ``optimize``.
        passes: forward and backward passes so far for each picture; a forward pass alone counts a third.
    """

    def __init__(
        self,
        networks: Networks,
        target: Target,
        objective: Objective,
        weights: torch.Tensor,
        optimizer: Adam,
        z: torch.Tensor,
        steps: int,
        seed: int,
        shell_width: float,
    ) -> None:
        self.networks, self.latent, self.objective = networks, networks.model.latent, objective
        self.weights, self.shell_width, self.count, self.passes = weights, shell_width, z.shape[1], 0.0
        self.image = target.image[:, None].expand(-1, self.count, -1, -1, -1)
        self._pictures: torch.Tensor | None = None
        self.state = optimizer.begin(self.latent.to_unconstrained(z.flatten(0, 1)), steps)
        self.generators = [seeding.generator(seed, "noise", key) for key in target.keys]

    @property
    def z(self) -> torch.Tensor:
        """The current latent vectors, (N, count, d)."""
        return self.latent.from_unconstrained(self.state.point).unflatten(0, (-1, self.count))

    @torch.no_grad()
    def pictures(self) -> torch.Tensor:
        """Returns the current pictures, (N, count, 3, R, R), generated once until the next step."""
        if self._pictures is None:
            self._pictures = self.networks.generate(self.z.flatten(0, 1)).unflatten(0, (-1, self.count))
            self.passes += self.count / 3
        return self._pictures

    def optimize(self, steps: int, on_step: OnStep) -> None:
        """Makes ``steps`` steps; ``on_step`` gets the pictures (N, count, 3, R, R) and losses (N, count) before each."""
        image = self.image.flatten(0, 1)
        weights = self.weights.repeat_interleave(self.count, 0)
        self.passes += steps * self.count
        for _ in range(steps):
            self._pictures = None
            u = self.state.point.detach().requires_grad_()
            pictures = self.networks.generate(self.latent.from_unconstrained(u))
            losses = self.objective(pictures, image, weights)
            (gradient,) = torch.autograd.grad(losses.sum(), u)
            shape = (-1, self.count)
            on_step(pictures.detach().unflatten(0, shape), losses.detach().unflatten(0, shape))
            self.state.step(gradient, self._noise())
            self.state.point = self.latent.project_unconstrained(self.state.point, self.shell_width)

    def keep(self, chosen: torch.Tensor) -> None:
        """Drops all candidates except ``chosen`` (N, m), which take this order."""
        first = torch.arange(len(chosen), device=chosen.device)[:, None] * self.count
        self.state.keep((first + chosen).flatten())
        self.image, self.count = take(self.image, chosen), chosen.shape[1]
        if self._pictures is not None:
            self._pictures = take(self._pictures, chosen)

    def _noise(self) -> torch.Tensor | None:
        deviation = self.state.noise
        if not deviation:
            return None
        shape = (self.count, self.state.point.shape[1])
        draws = [torch.randn(shape, generator=generator) for generator in self.generators]
        return deviation * torch.cat(draws).to(self.state.point)
