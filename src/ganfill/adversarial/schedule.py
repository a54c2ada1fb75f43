"""Settings of a training as functions of the images seen, with one schedule for all of them.

As in R3GAN (Huang et al. 2024, arXiv 2501.05441), whose learning rate, penalty, second moment, average and augmentation
follow one cosine.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch.optim import Optimizer

Range = tuple[float, float]


@dataclass(frozen=True)
class Settings:
    """Settings at one moment.

    Attributes:
        lr, gamma, p, ema: factors of the configured learning rates, penalty weight, augmentation probability and
            half-life of the average.
        beta1, beta2: of Adam; None leaves the configured one.
    """

    lr: float = 1.0
    gamma: float = 1.0
    p: float = 1.0
    ema: float = 1.0
    beta1: float | None = None
    beta2: float | None = None

    def apply(self, optimizer: Optimizer, configured: Sequence[Mapping[str, Any]]) -> None:
        """Sets learning rates and betas of an optimizer from the ``configured`` values of its parameter groups."""
        for group, values in zip(optimizer.param_groups, configured, strict=True):
            group["lr"] = values["lr"] * self.lr
            if "betas" in group:
                pairs = zip((self.beta1, self.beta2), values["betas"], strict=True)
                group["betas"] = tuple(old if new is None else new for new, old in pairs)


@dataclass(frozen=True)
class Constant:
    """Leaves all settings as configured."""

    def at(self, images_seen: int) -> Settings:
        """Returns the settings after ``images_seen`` images."""
        return Settings()


@dataclass(frozen=True)
class Linear:
    """Changes settings linearly over ``kimg`` thousand images; the last values hold from then on.

    Args:
        kimg: length of the change.
        start_kimg: its start; until then the first values hold.
        lr, gamma, p, ema: first and last factor of the configured value, from 0.
        beta1, beta2: first and last value, from 0 to below 1; None leaves the configured one.

    Raises:
        ValueError: ``kimg`` is not above 0, a pair has other than two values, or a value is out of its range.
    """

    kimg: float
    start_kimg: float = 0.0
    lr: Range = (1.0, 1.0)
    gamma: Range = (1.0, 1.0)
    p: Range = (1.0, 1.0)
    ema: Range = (1.0, 1.0)
    beta1: Range | None = None
    beta2: Range | None = None

    def __post_init__(self) -> None:
        if not self.kimg > 0:
            raise ValueError(f"schedule.kimg must be above 0, got {self.kimg}")
        for name in Settings.__dataclass_fields__:
            pair = getattr(self, name)
            if pair is None:
                continue
            if len(pair) != 2:
                raise ValueError(f"schedule.{name} must be a first and a last value, got {pair}")
            if not all(0 <= value < math.inf for value in pair):
                raise ValueError(f"schedule.{name} must be two numbers from 0, got {pair}")
            if name.startswith("beta") and max(pair) >= 1:
                raise ValueError(f"schedule.{name} must be below 1, got {pair}")

    def at(self, images_seen: int) -> Settings:
        """Returns the settings after ``images_seen`` images."""
        progress = self.shape(min(1.0, max(0.0, images_seen / 1000 - self.start_kimg) / self.kimg))

        def between(pair: Range) -> float:
            return pair[0] + (pair[1] - pair[0]) * progress

        return Settings(
            *(between(pair) for pair in (self.lr, self.gamma, self.p, self.ema)),
            *(None if pair is None else between(pair) for pair in (self.beta1, self.beta2)),
        )

    def shape(self, progress: float) -> float:
        """Maps the elapsed share of the time to the share of the change, both in [0, 1]."""
        return progress


class Cosine(Linear):
    """Changes settings along half a cosine wave, slowly at both ends."""

    def shape(self, progress: float) -> float:
        """(1 - cos(pi t)) / 2."""
        return (1 - math.cos(math.pi * progress)) / 2
