"""Images seen, the only clock of a training."""

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, ClassVar

import pytorch_lightning as pl
import torch
from torch import nn
from torch.optim import Optimizer

from ganfill.errors import UserError
from ganfill.training import distributed

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


class GanfillModule(pl.LightningModule):
    """A module with manual optimization that counts the images it has seen and notices when it goes astray.

    Attributes:
        MEASURES: names of what it measures, in the order of ``metrics.csv``.
        REMEDY: what to do when the loss is no longer finite, for the message.
        images_seen: the clock.
        seconds: time spent on steps.
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
        self._seconds = 0.0
        self._since: float | None = None

    @property
    def seconds(self) -> float:
        """Seconds spent on steps so far, in all runs of this training; what ``paused`` covers does not count."""
        return self._seconds + (time.perf_counter() - self._since if self._since is not None else 0.0)

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Time that does not count as training, such as that of drawing and judging samples."""
        self._seconds, running, self._since = self.seconds, self._since is not None, None
        try:
            yield
        finally:
            self._since = time.perf_counter() if running else None

    def on_train_start(self) -> None:
        """Starts the stop watch."""
        self._since = time.perf_counter()

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
        """Adds the clocks."""
        checkpoint |= {"images_seen": self.images_seen, "seconds": self.seconds}

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Sets the clocks."""
        self.images_seen, self._seconds = checkpoint["images_seen"], checkpoint["seconds"]


def is_over(images_seen: int, seconds: float, kimg: float, minutes: float | None) -> bool:
    """Whether a training has come to its end by either of its clocks; of several processes' seconds the first's count."""
    return images_seen >= kimg * 1000 or (minutes is not None and distributed.broadcast_flag(seconds >= minutes * 60))
