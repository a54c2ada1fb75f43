"""Base class of the trainings of a further network for a model, whose other networks are fixed."""

from collections.abc import Callable, Mapping, Sequence
from typing import ClassVar

import torch
from torch import Tensor, nn

from ganfill import seeding
from ganfill.errors import UserError
from ganfill.images import masks
from ganfill.models.model import Model
from ganfill.training.training_module import GanfillModule


class PartModule(GanfillModule):
    """Module that trains one network on pictures with holes; it has the length of the training and the fixed networks.

    Args:
        model: its latent prior is used.
        fixed: networks of the model by name, which the training does not change and the checkpoint does not contain.
        kimg: length of the training in thousand pictures.
        log_kimg: interval at which losses are measured, in thousand pictures.
        seed: seed of z and holes.

    Attributes:
        HOLES: kinds of the holes that it draws.

    Raises:
        UserError: ``kimg`` is not above 0.
    """

    HOLES: ClassVar[Sequence[Callable[..., Tensor]]] = (
        masks.center, masks.half, masks.random, masks.pattern, masks.box, masks.bar, masks.freeform,
    )  # fmt: skip

    def __init__(self, model: Model, fixed: Mapping[str, nn.Module], kimg: float, log_kimg: float, seed: int) -> None:
        super().__init__()
        if kimg <= 0:
            raise UserError(f"kimg must be above 0, got {kimg}")
        self.fixed = dict(fixed)  # a dictionary keeps them out of the checkpoint
        self.latent, self.resolution = model.latent, model.resolution
        self.kimg, self.log_kimg, self.seed = kimg, log_kimg, seed

    def on_fit_start(self) -> None:
        """Moves the fixed networks to the device."""
        for network in self.fixed.values():
            network.to(self.device)

    def scale_rate(self, index: int, factor: float) -> None:
        """Sets the learning rate of an optimizer to ``factor`` times the configured one."""
        for group in self.optimizer_at(index).param_groups:
            group["lr"] = group.setdefault("initial_lr", group["lr"]) * factor

    def descend(self, index: int, loss: Tensor) -> None:
        """Steps an optimizer along the gradient of ``loss``."""
        self.optimizer_at(index).zero_grad()
        self.manual_backward(loss)
        self.step_optimizer(index)

    def draw_holes(self, n: int, purpose: str = "holes", resolution: int | None = None) -> Tensor:
        """Draws holes of random kinds: float (n, 1, R, R), 1 where a pixel is missing; R is the model's if not given."""
        generator, side = seeding.generator(self.seed, purpose, self.images_seen), resolution or self.resolution
        kinds = torch.randint(len(self.HOLES), (n,), generator=generator).tolist()
        holes = [self.HOLES[kind](side, side, generator) for kind in kinds]
        empty = torch.zeros(0, 1, side, side)
        return (torch.stack(holes).float() if holes else empty).to(self.device)


def errors(pictures: Tensor, image: Tensor, known: Tensor) -> tuple[Tensor, Tensor]:
    """Root mean squared error in the hole and mean absolute error outside, averaged over pictures (N, 3, R, R)."""
    difference, hidden = pictures - image, 1 - known
    squares = (difference.square() * hidden).sum((1, 2, 3)) / (3 * hidden.sum((1, 2, 3))).clamp_min(1)
    outside = (difference.abs() * known).sum((1, 2, 3)) / (3 * known.sum((1, 2, 3))).clamp_min(1)
    return (squares + 1e-6).sqrt().mean(), outside.mean()
