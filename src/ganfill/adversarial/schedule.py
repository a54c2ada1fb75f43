"""How settings of a training change with the images it has seen: one schedule for all of them.

As in R3GAN (Huang et al. 2024, arXiv 2501.05441), whose learning rate, penalty, second moment, average and augmentation
move together along a cosine.
"""

import math
from dataclasses import dataclass

Range = tuple[float, float]


@dataclass(frozen=True)
class Settings:
    """What holds at one moment.

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


@dataclass(frozen=True)
class Constant:
    """Nothing changes."""

    def at(self, images_seen: int) -> Settings:
        """The settings after ``images_seen`` images."""
        return Settings()


@dataclass(frozen=True)
class Linear:
    """From first to last values in a straight line over ``kimg`` thousand images, and the last ones ever after.

    Args:
        kimg: length of the change.
        start_kimg: when it begins; before it the first values hold.
        lr, gamma, p, ema: first and last factor of what is configured.
        beta1, beta2: first and last value; None leaves the configured one.

    Raises:
        ValueError: ``kimg`` is not above 0, or a pair is none.
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
            raise ValueError(f"kimg={self.kimg} is no length of a schedule: give more than 0")
        for name in ("lr", "gamma", "p", "ema", "beta1", "beta2"):
            pair = getattr(self, name)
            if pair is not None and len(pair) != 2:
                raise ValueError(f"{name}={pair} is not a first and a last value")

    def at(self, images_seen: int) -> Settings:
        """The settings after ``images_seen`` images."""
        share = self.shape(min(1.0, max(0.0, images_seen / 1000 - self.start_kimg) / self.kimg))

        def between(pair: Range) -> float:
            return pair[0] + (pair[1] - pair[0]) * share

        return Settings(
            *(between(pair) for pair in (self.lr, self.gamma, self.p, self.ema)),
            *(None if pair is None else between(pair) for pair in (self.beta1, self.beta2)),
        )

    def shape(self, share: float) -> float:
        """How far the values have gone, in [0, 1], when so much of the time has."""
        return share


class Cosine(Linear):
    """The same along half a cosine wave, slow at both ends."""

    def shape(self, share: float) -> float:
        """(1 - cos(pi t)) / 2."""
        return (1 - math.cos(math.pi * share)) / 2
