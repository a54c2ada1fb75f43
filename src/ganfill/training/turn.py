"""What one step of the adversarial game works with."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

Judge = Callable[[torch.Tensor], torch.Tensor]


@dataclass(frozen=True)
class Turn:
    """What one step works with.

    Attributes:
        parts: real pictures (n, 3, H, W) and z (n, d), as many at a time as memory holds.
        pictures: in all parts together, of this process.
        judge: the discriminator as it sees pictures in this step.
        differentiable: the same, never compiled, for penalties.
        regularizer: if it is due.
        gamma: the schedule's factor of the penalty.
        draws: of the penalty's chance.
        generating: whether the generator is stepped.
        measuring: whether losses, logits and gradients are kept.
    """

    parts: list[tuple[torch.Tensor, torch.Tensor]]
    pictures: int
    judge: Judge
    differentiable: Judge
    regularizer: Any
    gamma: float
    draws: torch.Generator
    generating: bool
    measuring: bool
