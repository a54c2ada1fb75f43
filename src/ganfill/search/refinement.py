"""Refinement of answers after the search of z, beyond the range of the generator."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch

from ganfill.errors import UserError
from ganfill.search.candidates import OnStep
from ganfill.search.networks import Networks
from ganfill.search.objective import Objective
from ganfill.search.optimizers import Adam


@dataclass(frozen=True)
class FeatureOptimization:
    """Optimizes the features of one stage of the generator (Daras et al. 2021, arXiv 2102.07364).

    The generator needs the methods ``forward_until(z, stage)`` and ``forward_from(features, stage)``, see
    ``ganfill.models.layers.Staged``. Stage 1 of a StyleGAN2 is W+: one w for each layer, (N, layers, w_dim).

    Args:
        stage: a later stage gives a closer fit and a weaker prior.
        steps: of Adam; the rate falls along a cosine.
        rate: step size.
        prior: makes a penalty (M,) of the features, which is added to the loss; None for none.
    """

    stage: int = 1
    steps: int = 20
    rate: float = 0.05
    prior: Callable[[Networks], Callable[[torch.Tensor], torch.Tensor]] | None = None

    def __call__(
        self,
        networks: Networks,
        objective: Objective,
        z: torch.Tensor,
        image: torch.Tensor,
        weights: torch.Tensor,
        on_step: OnStep,
    ) -> torch.Tensor:
        """Refines M answers.

        Args:
            networks: the model.
            objective: the loss of the search.
            z: (M, d).
            image: wanted pictures (M, 3, R, R).
            weights: of the pixels, (M, 1, R, R).
            on_step: gets pictures (M, 3, R, R) and losses (M,) before each step.

        Returns:
            Refined pictures (M, 3, R, R).

        Raises:
            UserError: the generator has no such stage, or does not suit the prior.
        """
        generator: Any = networks.model.generator
        penalty = self.prior(networks) if self.prior is not None else None
        generate = partial(generator.forward_from, stage=self.stage)
        with torch.no_grad():
            try:
                features = networks.run(partial(generator.forward_until, stage=self.stage), z)
            except ValueError as error:
                raise UserError(f"search.cut_level={self.stage} does not suit this model: {error}") from None
        state = Adam(self.rate, decay=1.0).begin(features, self.steps)
        for _ in range(self.steps):
            features = state.point.detach().requires_grad_()
            pictures = networks.run(generate, features)
            losses = objective(pictures, image, weights)
            if penalty is not None:
                losses = losses + penalty(features)
            on_step(pictures.detach(), losses.detach())
            state.step(torch.autograd.grad(losses.sum(), features)[0])
        with torch.no_grad():
            return networks.run(generate, state.point)
