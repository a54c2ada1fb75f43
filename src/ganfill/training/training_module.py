"""Base class of all training modules; images seen are the only clock of a training."""

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

import pytorch_lightning as pl
import torch
from torch import nn
from torch.optim import Optimizer

from ganfill.errors import UserError
from ganfill.training.datamodule import FFHQDataModule

MakeOptimizer = Callable[[Iterable[nn.Parameter]], Optimizer]


def crossed(before: int, after: int, interval_kimg: float) -> bool:
    """True if a multiple of ``interval_kimg`` thousand images lies in (before, after]; never for an interval of 0.

    A function of the clock alone, so that a resumed training acts at the same moments as an uninterrupted one.
    """
    interval = interval_kimg * 1000
    return interval > 0 and after // interval > before // interval


class GanfillModule(pl.LightningModule):
    """Module with manual optimization that counts images and detects losses that are not finite.

    Attributes:
        MEASURES: names of its measurements, in the order of ``metrics.csv``.
        REMEDY: advice for a loss that is not finite.
        images_seen: the clock.
        saved: images seen at the last checkpoint; None: there is none.
        measured: measurements of the last step; empty if it was not measured.
        finite: True if all losses so far were finite, on the device.
    """

    MEASURES: ClassVar[tuple[str, ...]]
    REMEDY: ClassVar[str]
    finite: torch.Tensor

    def __init__(self) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.register_buffer("finite", torch.ones((), dtype=torch.bool), persistent=False)
        self.images_seen = 0
        self.saved: int | None = None
        self.measured: dict[str, torch.Tensor] = {}
        self._seconds = 0.0
        self._since: float | None = None

    @property
    def seconds(self) -> float:
        """Seconds spent on steps in all runs of this training, without those within ``paused``."""
        return self._seconds + (time.perf_counter() - self._since if self._since is not None else 0.0)

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Stops the stopwatch, for everything that is not a step."""
        self._seconds, running, self._since = self.seconds, self._since is not None, None
        try:
            yield
        finally:
            self._since = time.perf_counter() if running else None

    def on_train_start(self) -> None:
        """Starts the stopwatch."""
        self._since = time.perf_counter()

    def make(self, make: MakeOptimizer, network: nn.Module) -> Optimizer:
        """Makes the optimizer of a network.

        Raises:
            UserError: its settings are invalid.
        """
        try:
            return make(network.parameters())
        except (IndexError, TypeError, ValueError) as error:
            raise UserError(f"the optimizer refuses its settings ({error}): see optimizer") from None

    def optimizer_at(self, index: int) -> Any:
        """Returns one of the optimizers, with Lightning's counting of steps."""
        optimizers = self.optimizers()
        return optimizers[index] if isinstance(optimizers, list) else optimizers

    def step_optimizer(self, index: int) -> None:
        """Steps one of the optimizers."""
        self.optimizer_at(index).step()
        # Autocast caches low-precision copies of the weights for the whole training step; they are now out of date.
        torch.clear_autocast_cache()

    def begin(self, data: FFHQDataModule) -> None:
        """Runs before the first step of a new training, but not when it is resumed."""

    def check_finite(self, weights: bool = False) -> None:
        """Raises ``UserError`` if a loss, or optionally a weight, is NaN or infinite; waits for the device."""
        if self.finite and not (weights and not all(p.isfinite().all() for p in self.parameters())):
            return
        saved = (
            "nothing was saved before"
            if self.saved is None
            else f"the checkpoint of {self.saved / 1000:g} kimg is kept"
        )
        raise UserError(
            f"the training became NaN or infinite before {self.images_seen / 1000:g} kimg; {saved}: train in another out "
            f"with {self.REMEDY}"
        )

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Adds images seen and seconds."""
        checkpoint |= {"images_seen": self.images_seen, "seconds": self.seconds}
        self.saved = self.images_seen

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Restores images seen and seconds."""
        self.images_seen, self._seconds = checkpoint["images_seen"], checkpoint["seconds"]
        self.saved = self.images_seen
