"""Adam for a batch of independent items."""

import math
from dataclasses import dataclass

import torch

BETA1, BETA2 = 0.9, 0.999  # decay of the first and second moments


@dataclass(frozen=True)
class Adam:
    """Adam (Kingma and Ba 2015, arXiv 1412.6980) with the schedule of StyleGAN2's projector (arXiv 1912.04958).

    Args:
        rate: step size.
        warmup: share of the steps in which the rate rises linearly; 0 starts at full rate.
        decay: share of the steps, at the end, in which the rate falls to 0 along a cosine; 0 keeps it constant.
        noise: standard deviation of the normal noise added at the first step. It falls to 0 at three quarters of the
            steps and lets a start leave a poor local minimum. 0 adds no noise.
    """

    rate: float = 0.1
    warmup: float = 0.0
    decay: float = 0.0
    noise: float = 0.0

    def begin(self, point: torch.Tensor, steps: int) -> "AdamState":
        """Starts an optimization of ``steps`` steps at ``point`` (M, ...)."""
        return AdamState(self, point, steps)

    def rate_at(self, t: float) -> float:
        """Returns the step size after a share ``t`` of the steps, 0 <= t < 1."""
        ramp = min(1.0, (1 - t) / self.decay) if self.decay else 1.0
        rate = self.rate * (0.5 - 0.5 * math.cos(math.pi * ramp))
        return rate * min(1.0, t / self.warmup) if self.warmup else rate

    def noise_at(self, t: float) -> float:
        """Returns the standard deviation of the noise after a share ``t`` of the steps."""
        return self.noise * max(0.0, 1 - t / 0.75) ** 2


class AdamState:
    """A running optimization: ``point`` (M, ...), its moments and the number of steps done.

    Items can be dropped while it runs, which ``torch.optim`` does not support.
    """

    def __init__(self, settings: Adam, point: torch.Tensor, steps: int) -> None:
        self.settings, self.steps, self.done = settings, steps, 0
        self.point = point.clone()
        self.mean, self.square = torch.zeros_like(point), torch.zeros_like(point)

    @property
    def noise(self) -> float:
        """Standard deviation of the noise for the next step."""
        return self.settings.noise_at(self.done / self.steps)

    def step(self, gradient: torch.Tensor, noise: torch.Tensor | None = None) -> None:
        """Moves the point against the gradient (M, ...), then adds ``noise`` (M, ...)."""
        self.done += 1
        rate = self.settings.rate_at((self.done - 0.5) / self.steps)  # above 0 at the first step of a warm-up
        self.mean.lerp_(gradient, 1 - BETA1)
        self.square.lerp_(gradient.square(), 1 - BETA2)
        mean = self.mean / (1 - BETA1**self.done)
        square = self.square / (1 - BETA2**self.done)
        self.point = self.point - rate * mean / (square.sqrt() + 1e-8)
        if noise is not None:
            self.point = self.point + noise

    def keep(self, rows: torch.Tensor) -> None:
        """Drops all items except ``rows``, indices (m,)."""
        self.point, self.mean, self.square = self.point[rows], self.mean[rows], self.square[rows]
