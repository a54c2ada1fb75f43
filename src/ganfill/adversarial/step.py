"""Adversarial training at one glance: one step of the discriminator and one of the generator.

A generator G maps latent vectors z to pictures. A discriminator D maps pictures to logits, high for real ones. Each is
trained against the other (Goodfellow et al. 2014, arXiv 1406.2661, algorithm 1), with x a batch of real pictures:

    D minimizes  L_D(D(x), D(G(z))) + penalty(x, G(z))    while G(z) is held constant;
    G minimizes  L_G(D(G(z)), D(x))                       while D is held constant.

``ganfill.adversarial.losses`` has the pairs L_D and L_G, ``ganfill.adversarial.regularizers`` the penalties. ``augment``
transforms all pictures that D sees, and G is trained through it (Karras et al. 2020, arXiv 2006.06676; Zhao et al. 2020,
arXiv 2006.10738). Both functions accumulate gradients and leave the weights as they are. The caller does the rest:

    optimizer_d.zero_grad()
    step = discriminator_step(generator, discriminator, loss, real, z)
    optimizer_d.step()
    optimizer_g.zero_grad()
    generator_step(generator, discriminator, loss, real, z, step)
    optimizer_g.step()

``ganfill.training.gan`` does so for micro-batches, several processes, schedules and measurements.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from ganfill.adversarial.losses import Loss

Augmentation = Callable[[Tensor], Tensor]
Penalty = Callable[[Tensor, Tensor], Tensor]
Backward = Callable[[Tensor], Any]


def identity(images: Tensor) -> Tensor:
    """Returns the pictures as they are: no augmentation."""
    return images


@dataclass(frozen=True)
class DiscriminatorStep:
    """Result of ``discriminator_step``, detached except for ``fake``."""

    loss: Tensor  # scalar, without the penalty
    real_logits: Tensor  # float32 (N,)
    fake_logits: Tensor  # float32 (N,)
    fake: Tensor  # the generator's pictures (N, 3, H, W), with their graph if it was kept
    penalty: Tensor | None  # scalar, before ``penalty_weight``


def discriminator_step(
    generator: nn.Module,
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
    constant = fake.detach()
    real_logits = discriminator(augment(real)).float()
    fake_logits = discriminator(augment(constant)).float()
    value = total = loss.discriminator(real_logits, fake_logits)
    amount = None
    if penalty is not None:
        with torch.autocast(real.device.type, enabled=False):
            amount = penalty(real, constant.float())
        total = value + amount * penalty_weight
        amount = amount.detach()
    backward(weight * total)
    return DiscriminatorStep(value.detach(), real_logits.detach(), fake_logits.detach(), fake, amount)


def generator_step(
    generator: nn.Module,
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

    Arguments are those of ``discriminator_step``; ``previous`` is its result for the same ``real`` and ``z``. Its fakes are
    reused if their graph was kept. Its logits of real pictures are reused unless the loss is relativistic, which compares
    with the updated discriminator.

    Returns:
        The loss, a scalar, and the logits of the fakes, float32 (N,), both without gradients.
    """
    discriminator.requires_grad_(False)
    fake = previous.fake if previous.fake.requires_grad else generator(z)
    fake_logits, real_logits = discriminator(augment(fake)).float(), previous.real_logits
    if loss.relativistic:
        with torch.no_grad():
            real_logits = discriminator(augment(real)).float()
    value = loss.generator(fake_logits, real_logits)
    backward(weight * value)
    return value.detach(), fake_logits.detach()
