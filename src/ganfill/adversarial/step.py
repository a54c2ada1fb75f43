"""Adversarial training at one glance: one step of the discriminator and one of the generator.

A generator G maps latent vectors z to pictures. A discriminator D maps pictures to logits, high for real ones. Each is
trained against the other (Goodfellow et al. 2014, arXiv 1406.2661, algorithm 1), with x a batch of real pictures:

    D minimizes  L_D(D(x), D(G(z))) + penalty(x, G(z))    while G(z) is held constant;
    G minimizes  L_G(D(G(z)), D(x))                       while D is held constant.

``ganfill.adversarial.losses`` has the pairs L_D and L_G, ``ganfill.adversarial.regularizers`` the penalties. ``augment``
transforms all pictures that D sees, and G is trained through it (Karras et al. 2020, arXiv 2006.06676; Zhao et al. 2020,
arXiv 2006.10738). All functions accumulate gradients and leave the weights as they are. The caller does the rest:

    optimizer_d.zero_grad()
    step = discriminator_step(generator, discriminator, loss, real, z)
    optimizer_d.step()
    optimizer_g.zero_grad()
    generator_step(generator, discriminator, loss, real, z, step)
    optimizer_g.step()

``joint_step`` computes both gradients at once, before either network is updated, with a fifth less arithmetic:

    optimizer_d.zero_grad(), optimizer_g.zero_grad()
    joint_step(generator, discriminator, loss, real, z)
    optimizer_d.step(), optimizer_g.step()

``ganfill.training.gan`` does so for micro-batches, several processes, schedules and measurements.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from ganfill.adversarial.losses import Loss
from ganfill.devices import without_autocast

Generator = Callable[[Tensor], Tensor]
Augmentation = Callable[[Tensor], Tensor]
Penalty = Callable[[Tensor, Tensor], Tensor]
Backward = Callable[[Tensor], Any]

# Of a mean logit: far below its rounding error in float32, far above float32's smallest number.
SMALLEST_SLOPE = 2.0**-40


def identity(images: Tensor) -> Tensor:
    """Returns the pictures as they are: no augmentation."""
    return images


@dataclass(frozen=True)
class DiscriminatorStep:
    """Result of ``discriminator_step`` and ``joint_step``, detached except for ``fake``."""

    loss: Tensor  # scalar, without the penalty
    real_logits: Tensor  # float32 (N,)
    fake_logits: Tensor  # float32 (N,)
    fake: Tensor  # the generator's pictures (N, 3, H, W), with their graph if it was kept
    penalty: Tensor | None  # scalar, before ``penalty_weight``


def discriminator_step(
    generator: Generator,
    discriminator: nn.Module,
    loss: Loss,
    real: Tensor,
    z: Tensor,
    augment: Augmentation = identity,
    penalty: Penalty | None = None,
    penalty_weight: float = 1.0,
    weight: float = 1.0,
    keep_graph: bool = True,
    backward: Backward = Tensor.backward,
) -> DiscriminatorStep:
    """Accumulates the gradients of the discriminator.

    Real and fake pictures pass through the discriminator as two batches, so that batch norm does not mix their statistics.

    Args:
        generator: maps z to pictures in [-1, 1].
        discriminator: maps pictures to logits (N,).
        loss: the pair of losses.
        real: pictures (N, 3, H, W) in [-1, 1].
        z: latent vectors (N, d).
        augment: transforms pictures before the discriminator sees them.
        penalty: maps real and fake pictures to a scalar, without autocast.
        penalty_weight: factor of the penalty; the interval of a lazy one (Karras et al. 2020, arXiv 1912.04958).
        weight: factor of all gradients; for a micro-batch its share of the batch.
        keep_graph: keep the graph of the fakes, so that ``generator_step`` can reuse them.
        backward: computes the gradients of a scalar.
    """
    discriminator.requires_grad_(True)
    with torch.set_grad_enabled(keep_graph):
        fake = generator(z)
    real_logits, fake_logits = (_logits(discriminator, augment(images)) for images in (real, fake.detach()))
    loss_d = loss.discriminator(real_logits, fake_logits)
    amount, weighted = _penalize(penalty, penalty_weight, real, fake)
    backward(weight * (loss_d + weighted))
    return DiscriminatorStep(loss_d.detach(), real_logits.detach(), fake_logits.detach(), fake, amount)


def generator_step(
    generator: Generator,
    discriminator: nn.Module,
    loss: Loss,
    real: Tensor,
    z: Tensor,
    previous: DiscriminatorStep,
    augment: Augmentation = identity,
    weight: float = 1.0,
    backward: Backward = Tensor.backward,
) -> tuple[Tensor, Tensor]:
    """Accumulates the gradients of the generator; those of the discriminator stay as they are.

    It switches off ``requires_grad`` of the discriminator's parameters, and the next step switches it on again.

    Arguments are those of ``discriminator_step``; ``previous`` is its result for the same ``real`` and ``z``. Its fakes are
    reused if their graph was kept. Its logits of real pictures are reused unless the loss is relativistic, which compares
    with the updated discriminator.

    Returns:
        The loss, a scalar, and the logits of the fakes, float32 (N,), both without gradients.
    """
    discriminator.requires_grad_(False)
    fake = previous.fake if previous.fake.requires_grad else generator(z)
    fake_logits, real_logits = _logits(discriminator, augment(fake)), previous.real_logits
    if loss.relativistic:
        with torch.no_grad():
            real_logits = _logits(discriminator, augment(real))
    loss_g = loss.generator(fake_logits, real_logits)
    backward(weight * loss_g)
    return loss_g.detach(), fake_logits.detach()


def joint_step(
    generator: Generator,
    discriminator: nn.Module,
    loss: Loss,
    real: Tensor,
    z: Tensor,
    augment: Augmentation = identity,
    penalty: Penalty | None = None,
    penalty_weight: float = 1.0,
    weight: float = 1.0,
    backward: Backward = Tensor.backward,
) -> tuple[DiscriminatorStep, Tensor]:
    """Accumulates the gradients of both networks from one pass of the fakes through the discriminator, forward and back.

    Shen et al. 2021, arXiv 2103.00430. With s the logit of one fake, the chain rule gives

        dL_D/dfake = dL_D/ds ds/dfake    and    dL_G/dfake = dL_G/ds ds/dfake.

    So the backward pass of L_D, which the discriminator needs, is continued into the generator with the gradient of each
    fake multiplied by (dL_G/ds) / (dL_D/ds). This is exact if no logit depends on another picture, see
    ``ganfill.adversarial.independence``. A slope dL_D/ds smaller than ``SMALLEST_SLOPE`` / N is replaced by that value: the
    hinge loss has slopes of 0, and the gradient of such a fake would be lost. The discriminator's gradient changes by less
    than its rounding error.

    Both gradients belong to the networks before the step: the generator is trained against the discriminator before its
    update, while ``generator_step`` uses the updated one. Both see the same augmentation of the fakes.

    Arguments are those of ``discriminator_step``.

    Returns:
        The step, with detached fakes, and the loss of the generator, a scalar without gradients.
    """
    discriminator.requires_grad_(True)
    fake = generator(z)
    real_logits, fake_logits = (_logits(discriminator, augment(images)) for images in (real, fake))
    real_s, fake_s = (logits.detach().requires_grad_() for logits in (real_logits, fake_logits))
    loss_d, loss_g = loss.discriminator(real_s, fake_s), loss.generator(fake_s, real_s)
    d_slope_real, d_slope_fake = torch.autograd.grad(loss_d, (real_s, fake_s))
    (g_slope_fake,) = torch.autograd.grad(loss_g, fake_s)
    smallest = SMALLEST_SLOPE / len(z)
    d_slope_fake = d_slope_fake.where(d_slope_fake.abs() >= smallest, smallest)
    ratio = (g_slope_fake / d_slope_fake)[:, None, None, None]
    fake.register_hook(lambda gradient: (gradient * ratio).to(gradient.dtype))
    amount, weighted = _penalize(penalty, penalty_weight, real, fake)
    backward(weight * ((d_slope_real * real_logits).sum() + (d_slope_fake * fake_logits).sum() + weighted))
    step = DiscriminatorStep(loss_d.detach(), real_logits.detach(), fake_logits.detach(), fake.detach(), amount)
    return step, loss_g.detach()


def _logits(discriminator: nn.Module, images: Tensor) -> Tensor:
    logits = discriminator(images)
    return logits.to(torch.promote_types(logits.dtype, torch.float32))


def _penalize(
    penalty: Penalty | None, weight: float, real: Tensor, fake: Tensor
) -> tuple[Tensor | None, Tensor | float]:
    """Returns the penalty, detached, and its term of the discriminator's loss."""
    if penalty is None:
        return None, 0.0
    with without_autocast(real):
        amount = penalty(real, fake.detach().float())
    return amount.detach(), amount * weight
