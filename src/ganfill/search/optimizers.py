"""Optimizers of latent vectors and the like, each item by itself.

``begin(point, steps)`` gives a run, whose ``step(gradient, noise)`` moves ``point`` and whose ``keep(rows)`` drops the
other items in mid-flight, which ``torch.optim`` cannot.
"""

import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class Adam:
    """Adam (Kingma and Ba 2015, arXiv 1412.6980) with the schedule of StyleGAN2's projector (arXiv 1912.04958).

    Args:
        rate: step size.
        betas: decay of the first and second moments.
        warmup: share of the steps in which the rate rises linearly; 0 starts at full rate.
        decay: share of the steps, at the end, in which the rate falls to nothing along a cosine; 0 keeps it.
        noise: standard deviation of the normal noise added at the first step; it falls to nothing at three
            quarters of the way, so that a start can leave a poor valley. 0 adds none.
    """

    rate: float = 0.1
    betas: tuple[float, float] = (0.9, 0.999)
    warmup: float = 0.0
    decay: float = 0.0
    noise: float = 0.0

    def begin(self, point: torch.Tensor, steps: int) -> "AdamRun":
        """Starts at ``point`` (M, ...) for ``steps`` steps in all."""
        return AdamRun(self, point, steps)

    def rate_at(self, t: float) -> float:
        """The step size after a share ``t`` of the steps, 0 <= t < 1."""
        ramp = min(1.0, (1 - t) / self.decay) if self.decay else 1.0
        rate = self.rate * (0.5 - 0.5 * math.cos(math.pi * ramp))
        return rate * min(1.0, t / self.warmup) if self.warmup else rate

    def noise_at(self, t: float) -> float:
        """The standard deviation of the noise after a share ``t`` of the steps."""
        return self.noise * max(0.0, 1 - t / 0.75) ** 2


class AdamRun:
    """The state of one optimisation: ``point`` (M, ...), its moments and the steps done."""

    def __init__(self, settings: Adam, point: torch.Tensor, steps: int) -> None:
        self.settings, self.steps, self.done = settings, steps, 0
        self.point = point.clone()
        self.mean, self.square = torch.zeros_like(point), torch.zeros_like(point)

    @property
    def noise(self) -> float:
        """The standard deviation of the noise that the next step wants."""
        return self.settings.noise_at(self.done / self.steps)

    def step(self, gradient: torch.Tensor, noise: torch.Tensor | None = None) -> None:
        """Moves against the gradient (M, ...), then by ``noise`` (M, ...) if given."""
        beta1, beta2 = self.settings.betas
        # Counted from 1: at the first step a warm-up has to move already.
        self.done += 1
        rate = self.settings.rate_at((self.done - 0.5) / self.steps)
        self.mean.lerp_(gradient, 1 - beta1)
        self.square.lerp_(gradient.square(), 1 - beta2)
        mean = self.mean / (1 - beta1**self.done)
        square = self.square / (1 - beta2**self.done)
        self.point = self.point - rate * mean / (square.sqrt() + 1e-8)
        if noise is not None:
            self.point = self.point + noise

    def keep(self, rows: torch.Tensor) -> None:
        """Goes on with the items ``rows`` (indices, (m,)) alone."""
        self.point, self.mean, self.square = self.point[rows], self.mean[rows], self.square[rows]


Evaluate = Callable[[torch.Tensor], tuple[torch.Tensor, torch.Tensor]]

SUFFICIENT = 1e-4  # share of the decrease that the slope promises
CURVATURE = 1e-10


def minimise(
    evaluate: Evaluate,
    point: torch.Tensor,
    steps: int,
    history: int = 8,
    first_step: float = 0.1,
    project: Callable[[torch.Tensor], torch.Tensor] | None = None,
) -> torch.Tensor:
    """Minimises the loss of each item; none is ever left with a larger one.

    A step that does not lower an item's loss enough is not taken, and halved at the next evaluation, so that every
    step costs one evaluation for all items.

    Args:
        evaluate: points (M, d) -> losses (M,) and gradients (M, d), each item by itself.
        point: where to start, (M, d).
        steps: evaluations, besides that at the start.
        history: pairs of steps and gradient changes that curvature is known by.
        first_step: length of the first step, before anything is known of the curvature.
        project: moves points to the nearest allowed.

    Returns:
        The best points, (M, d).
    """
    loss, gradient = evaluate(point)
    pairs: deque[tuple[torch.Tensor, torch.Tensor]] = deque(maxlen=history)
    length = torch.ones(len(point), 1, device=point.device)
    direction = -first_step * gradient / gradient.norm(dim=1, keepdim=True).clamp_min(1e-12)
    for _ in range(steps):
        trial = point + length * direction
        trial = project(trial) if project is not None else trial
        trial_loss, trial_gradient = evaluate(trial)
        slope = (gradient * (trial - point)).sum(1)
        better = (trial_loss <= loss + SUFFICIENT * slope.clamp_max(0)) & trial_loss.isfinite()
        taken = better[:, None]
        step = torch.where(taken, trial - point, 0.0)
        change = torch.where(taken, trial_gradient - gradient, 0.0)
        point, gradient = torch.where(taken, trial, point), torch.where(taken, trial_gradient, gradient)
        loss = torch.where(better, trial_loss, loss)
        pairs.append((step, change))
        length = torch.where(taken, 1.0, length / 2)
        direction = -_inverse_hessian(gradient, pairs, first_step)
        uphill = (direction * gradient).sum(1, keepdim=True) >= 0
        steepest = -first_step * gradient / gradient.norm(dim=1, keepdim=True).clamp_min(1e-12)
        direction = torch.where(uphill, steepest, direction)
    return point


def _inverse_hessian(gradient: torch.Tensor, pairs: deque, first_step: float) -> torch.Tensor:
    """The two-loop recursion; pairs without positive curvature are passed over item by item."""
    result = gradient.clone()
    scale = first_step / gradient.norm(dim=1, keepdim=True).clamp_min(1e-12)
    steps = []
    for step, change in reversed(pairs):
        product = (step * change).sum(1, keepdim=True)
        inverse = torch.where(product > CURVATURE, 1 / product.clamp_min(CURVATURE), 0.0)
        alpha = inverse * (step * result).sum(1, keepdim=True)
        result = result - alpha * change
        steps.append((step, change, inverse, alpha))
    for _, change, inverse, _ in reversed(steps):  # the newest pair that counts sets the scale
        known = change.square().sum(1, keepdim=True)
        scale = torch.where(inverse > 0, 1 / (inverse * known.clamp_min(1e-20)).clamp_min(1e-20), scale)
    result = scale * result
    for step, change, inverse, alpha in reversed(steps):
        beta = inverse * (change * result).sum(1, keepdim=True)
        result = result + step * (alpha - beta)
    return result
