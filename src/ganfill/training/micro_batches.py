"""Gradients of a batch whose parts pass through the networks one after another."""

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ganfill.adversarial.independence import depends_on_batch
from ganfill.adversarial.losses import Loss
from ganfill.adversarial.step import (
    Augmentation,
    Backward,
    DiscriminatorStep,
    Generator,
    Penalty,
    discriminator_step,
    generator_step,
    joint_step,
)
from ganfill.errors import UserError


@dataclass(frozen=True)
class MicroBatches:
    """The parts of a batch, and everything that their gradients depend on, see ``ganfill.adversarial.step``.

    The gradients of all parts are added up with the parts' shares as weights. Losses, logits and penalties are those of
    the whole batch.
    """

    networks: tuple[Generator, nn.Module]  # generator, discriminator
    loss: Loss
    real: tuple[Tensor, ...]  # pictures (n, 3, H, W) of each part
    z: tuple[Tensor, ...]  # (n, d)
    augment: Augmentation
    penalty: Penalty | None
    penalty_weight: float
    backward: Backward

    def discriminator_steps(self, keep_graph: bool) -> list[DiscriminatorStep]:
        """Accumulates the gradients of the discriminator; ``keep_graph`` keeps the fakes for the generator's step."""
        # The graphs of several parts would fill the memory that they are meant to save.
        keep_graph = keep_graph and len(self.z) == 1
        options = self.augment, self.penalty, self.penalty_weight
        return [
            discriminator_step(*self.networks, self.loss, real, z, *options, weight, keep_graph, self.backward)
            for weight, real, z in self._parts()
        ]

    def generator_steps(self, previous: list[DiscriminatorStep]) -> tuple[Tensor, Tensor]:
        """Accumulates the gradients of the generator; returns its loss and the logits of the fakes (N,)."""
        losses, logits = zip(
            *(
                generator_step(*self.networks, self.loss, real, z, step, self.augment, weight, self.backward)
                for (weight, real, z), step in zip(self._parts(), previous, strict=True)
            ),
            strict=True,
        )
        return self.mean(losses), torch.cat(logits)

    def joint_steps(self) -> tuple[list[DiscriminatorStep], tuple[Tensor, Tensor]]:
        """Accumulates the gradients of both networks; returns the steps, and what ``generator_steps`` returns."""
        options = self.augment, self.penalty, self.penalty_weight
        steps, losses = zip(
            *(
                joint_step(*self.networks, self.loss, real, z, *options, weight, self.backward)
                for weight, real, z in self._parts()
            ),
            strict=True,
        )
        return list(steps), (self.mean(losses), torch.cat([step.fake_logits for step in steps]))

    def mean(self, values: Iterable[Tensor]) -> Tensor:
        """Averages a number of each part, weighted by the parts' shares."""
        return sum((weight * value for weight, value in zip(self._weights(), values, strict=True)), torch.tensor(0.0))

    def _weights(self) -> list[float]:
        total = sum(len(z) for z in self.z)
        return [len(z) / total for z in self.z]

    def _parts(self) -> Iterable[tuple[float, Tensor, Tensor]]:
        return zip(self._weights(), self.real, self.z, strict=True)


def check_step(step: str, discriminator: nn.Module, resolution: int) -> None:
    """Checks the name of a step, and that the joint step is exact for a discriminator.

    Raises:
        UserError: the name is unknown, or the discriminator uses statistics of its batch.
    """
    if step not in ("alternating", "joint"):
        raise UserError(f"step must be alternating or joint, got {step}")
    if step == "joint" and depends_on_batch(discriminator, resolution):
        name = f"{type(discriminator).__module__}.{type(discriminator).__qualname__}"
        raise UserError(
            f"step=joint needs a discriminator that rates each picture alone, and {name} uses statistics of the batch: "
            "use step=alternating, or a model without batch norm in the discriminator such as model=dcgan_plus"
        )
