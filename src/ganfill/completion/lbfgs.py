"""Limited-memory BFGS for many small problems at once (Nocedal and Wright 2006, algorithms 7.4 and 3.1).

Every item has curvature and step length of its own, so that an answer does not depend on its batch mates.
"""

from collections import deque
from collections.abc import Callable

import torch

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
