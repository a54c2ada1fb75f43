"""Refinement of answers after the search of z.

A refinement leaves the range of the generator a little: it optimizes features inside the generator. It needs a generator
that can be split, with ``forward_until(features, stage, since)`` and ``forward_from(features, stage)``; see
``ganfill.models.dcgan``. In a StyleGAN2, stage 1 is W+: one w for each layer, (N, layers, w_dim).
"""

import copy
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Protocol

import torch

from ganfill.errors import UserError
from ganfill.search import optimizers
from ganfill.search.networks import Networks
from ganfill.search.objective import Objective
from ganfill.search.optimizers import Adam
from ganfill.search.parametrization import Parametrisation, TypicalSet
from ganfill.search.target import Target

Watch = Callable[[torch.Tensor, torch.Tensor], object]


@dataclass(frozen=True)
class Answers:
    """Answers that are being finished.

    Attributes:
        z: (M, d).
        features: what the generator makes of z up to ``level``, free to move.
        level: stages of the generator gone through; 0 for z itself.
        pictures: what is shown, (M, 3, R, R).
    """

    z: torch.Tensor
    features: torch.Tensor
    level: int
    pictures: torch.Tensor


class Finish(Protocol):
    """A way to finish answers."""

    @property
    def passes(self) -> int:
        """Forward and backward runs for each answer."""
        ...

    def __call__(
        self,
        networks: Networks,
        target: Target,
        objective: Objective,
        weights: torch.Tensor,
        held: torch.Tensor,
        answers: Answers,
        watch: Watch = lambda pictures, losses: None,
    ) -> Answers:
        """Finishes M answers.

        Args:
            networks: the model.
            target: M pictures.
            objective: what the search minimised.
            weights: contextual weights (M, 1, R, R).
            held: float (M, 1, R, R), 1 where a known pixel judges, for those who have to know when to stop.
            answers: as far as they are.
            watch: sees pictures (M, 3, R, R) and losses (M,), ``passes`` times.
        """
        ...


@dataclass(frozen=True)
class Polish:
    """L-BFGS steps of z (as in Generator Surgery, Smedemark-Margulies et al. 2021, arXiv 2102.11163).

    Args:
        steps: evaluations.
        history: of curvature.
        parametrise: the coordinates that move.
    """

    steps: int = 20
    history: int = 8
    parametrise: Parametrisation = field(default_factory=TypicalSet)

    @property
    def passes(self) -> int:
        """One for each evaluation, and one at the start."""
        return self.steps + 1

    def __call__(
        self,
        networks: Networks,
        target: Target,
        objective: Objective,
        weights: torch.Tensor,
        held: torch.Tensor,
        answers: Answers,
        watch: Watch = lambda pictures, losses: None,
    ) -> Answers:
        """Polishes z; answers that have left the generator's range begin again at their z."""
        latent = networks.model.latent

        def evaluate(point: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            free = point.detach().requires_grad_()
            z = self.parametrise.leave(free, latent)
            pictures = networks.generate(z)
            losses = objective(networks, z, pictures, target.image, weights)
            watch(pictures.detach(), losses.detach())
            return losses.detach(), torch.autograd.grad(losses.sum(), free)[0]

        start = self.parametrise.enter(answers.z, latent)
        project = partial(self.parametrise.project, latent=latent)
        z = self.parametrise.leave(
            optimizers.minimise(evaluate, start, self.steps, self.history, project=project), latent
        ).detach()
        with torch.no_grad():
            return Answers(z, z, 0, networks.generate(z))


@dataclass(frozen=True)
class FeatureOptimization:
    """Frees what the generator makes of z at some stage (Daras et al. 2021, arXiv 2102.07364; Generator Surgery).

    Args:
        level: the stage; the later, the closer the fit and the weaker the prior.
        steps: of Adam, its rate falling along a cosine.
        rate: step size.
    """

    level: int = 1
    steps: int = 20
    rate: float = 0.05

    @property
    def passes(self) -> int:
        """One for each step; it runs but the later part of the generator."""
        return self.steps

    def __call__(
        self,
        networks: Networks,
        target: Target,
        objective: Objective,
        weights: torch.Tensor,
        held: torch.Tensor,
        answers: Answers,
        watch: Watch = lambda pictures, losses: None,
    ) -> Answers:
        """Fits the features of ``level`` to the known pixels; raises ``UserError`` if the generator has no such level."""
        generator: Any = networks.model.generator
        if not hasattr(generator, "forward_until"):
            raise UserError(
                "the model's generator cannot be taken apart (it has no forward_until): give search.cut_steps=0"
            )
        late = partial(generator.forward_from, stage=self.level)
        with torch.no_grad():
            early = partial(generator.forward_until, stage=self.level, since=answers.level)
            try:
                features = networks.run(early, answers.features)
            except ValueError as error:
                raise UserError(f"search.cut_level={self.level} does not suit this model: {error}") from None
        run = Adam(self.rate, decay=1.0).begin(features, self.steps)
        for _ in range(self.steps):
            features = run.point.detach().requires_grad_()
            pictures = networks.run(late, features)
            losses = objective.error(pictures, target.image, weights)
            watch(pictures.detach(), losses.detach())
            run.step(torch.autograd.grad(losses.sum(), features)[0])
        with torch.no_grad():
            pictures = networks.run(late, run.point)
        return replace(answers, features=run.point, level=self.level, pictures=pictures)


@dataclass(frozen=True)
class Adapt:
    """Adapts the generator's own weights to each picture (Roich et al. 2022, arXiv 2106.05744; Hussein et al. 2020).

    Batch norm keeps its statistics. Some known pixels are held out, and of all steps that is kept which shows them best;
    the model is as before afterwards.

    Args:
        steps: of Adam.
        rate: step size of the weights, and a tenth of that of the features they work on.
    """

    steps: int = 30
    rate: float = 3e-4

    @property
    def passes(self) -> int:
        """One for each step."""
        return self.steps

    def __call__(
        self,
        networks: Networks,
        target: Target,
        objective: Objective,
        weights: torch.Tensor,
        held: torch.Tensor,
        answers: Answers,
        watch: Watch = lambda pictures, losses: None,
    ) -> Answers:
        """Adapts one generator for each answer, one after the other."""
        pictures = [
            self._adapt(networks, objective, target.image[i : i + 1], weights[i : i + 1], held[i : i + 1], answers, i)
            for i in range(len(answers.z))
        ]
        answers = replace(answers, pictures=torch.cat(pictures))
        for _ in range(self.passes):  # one answer after the other has no common moments to be seen at
            watch(answers.pictures, torch.zeros(len(answers.z), device=answers.z.device))
        return answers

    def _adapt(
        self,
        networks: Networks,
        objective: Objective,
        image: torch.Tensor,
        weights: torch.Tensor,
        held: torch.Tensor,
        answers: Answers,
        row: int,
    ) -> torch.Tensor:
        """The picture (1, 3, R, R) of the answer ``row``."""
        generator: Any = copy.deepcopy(networks.model.generator).requires_grad_(True)
        late = partial(generator.forward_from, stage=answers.level)
        with torch.no_grad():
            start = answers.features[row : row + 1]
            features = (
                start if answers.level else networks.run(partial(generator.forward_until, stage=0), start)
            ).clone()
        features.requires_grad_(True)
        optimizer = torch.optim.Adam(
            [{"params": generator.parameters()}, {"params": [features], "lr": 10 * self.rate}], self.rate
        )
        best, least = answers.pictures[row : row + 1], torch.inf
        for step in range(self.steps + 1):
            pictures = networks.run(late, features)
            error = objective.error(pictures, image, held if held.any() else weights).item()
            if error < least:
                best, least = pictures.detach(), error
            if step < self.steps:
                optimizer.zero_grad()
                objective.error(pictures, image, weights * (1 - held)).sum().backward()
                optimizer.step()
                torch.clear_autocast_cache()
        return best
