"""Images seen, the only clock of a training."""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, ClassVar

import pytorch_lightning as pl
import torch
from torch import nn
from torch.optim import Optimizer

from ganfill.errors import UserError

if TYPE_CHECKING:
    from ganfill.training.datamodule import FFHQDataModule

MakeOptimizer = Callable[[Iterable[nn.Parameter]], Optimizer]


def crossed(before: int, after: int, interval_kimg: float) -> bool:
    """Whether a multiple of ``interval_kimg`` thousand images lies in (before, after].

    A function of the clock alone, so that a resumed training acts at the same moments as an uninterrupted one.
    An interval of 0 is never crossed.
    """
    interval = interval_kimg * 1000
    return interval > 0 and after // interval > before // interval


class Clocked(pl.LightningModule):
    """A module with manual optimization that counts the images it has seen and notices when it goes astray.

    Attributes:
        MEASURES: names of what it measures, in the order of ``metrics.csv``.
        REMEDY: what to do when the loss is no longer finite, for the message.
        images_seen: the clock.
        measured: what the last step measured, nothing between the moments of measuring.
        finite: whether all losses so far have been finite, on the device.
    """

    MEASURES: ClassVar[tuple[str, ...]]
    REMEDY: ClassVar[str]
    finite: torch.Tensor

    def __init__(self) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.register_buffer("finite", torch.ones((), dtype=torch.bool), persistent=False)
        self.images_seen = 0
        self.measured: dict[str, torch.Tensor] = {}

    def make(self, make: MakeOptimizer, network: nn.Module) -> Optimizer:
        """An optimizer for a network.

        Raises:
            UserError: it does not take its settings.
        """
        try:
            return make(network.parameters())
        except (IndexError, TypeError, ValueError) as error:
            raise UserError(f"the optimizer refuses its settings ({error}): see optimizer") from None

    def begin(self, data: "FFHQDataModule") -> None:
        """Learns what has to be known of the pictures before the first step of a fresh training."""

    def check_finite(self, weights: bool = False) -> None:
        """Raises ``UserError`` if a loss has been NaN or infinite, or a weight is; waits for the device."""
        if self.finite and not (weights and not all(p.isfinite().all() for p in self.parameters())):
            return
        raise UserError(
            f"the training became NaN or infinite before {self.images_seen / 1000:g} kimg; the last good checkpoint is "
            f"kept: train in another out with {self.REMEDY}"
        )

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Adds the clock."""
        checkpoint["images_seen"] = self.images_seen

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Sets the clock."""
        self.images_seen = checkpoint["images_seen"]
