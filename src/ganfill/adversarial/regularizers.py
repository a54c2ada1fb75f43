"""Penalties that keep the discriminator smooth.

``regularizer(discriminator, real, fake, rng)`` returns the weighted penalty, a scalar tensor. ``discriminator`` is
any callable from pictures to logits (N,). ``real`` and ``fake`` are constant pictures (N, 3, H, W). ``rng`` is a CPU
``torch.Generator``, the only source of randomness. A penalty is a mean over the batch, so the penalties of equal
micro-batches average to that of their batch, except for LeCam.

The gradient of the summed logits is each picture's own gradient only if the discriminator has no batch norm: in training
mode batch norm adds the effect of a picture on the others, and every application moves its running statistics. These
gradients are differentiated again, so switch autocast off and pass a discriminator that is not compiled.
"""

import math
from collections.abc import Callable

import torch
from torch import Generator, Tensor, nn

from ganfill.devices import send

Discriminator = Callable[[Tensor], Tensor]


def input_gradients(discriminator: Discriminator, images: Tensor) -> Tensor:
    """Gradient of each picture's logit by its pixels, (N, 3, H, W), differentiable by the discriminator's parameters."""
    images = images.detach().requires_grad_(True)
    return torch.autograd.grad(discriminator(images).sum(), images, create_graph=True)[0]


class Regularizer(nn.Module):
    """Base class of all penalties.

    Args:
        gamma: weight, 0 or more.
        interval: a whole number; the penalty is applied at every ``interval``-th step of the discriminator and counts
            ``interval`` times (lazy regularization, Karras et al. 2020, arXiv 1912.04958, section 3.1).

    Raises:
        ValueError: ``gamma`` or ``interval`` is out of range.
    """

    def __init__(self, gamma: float, interval: int) -> None:
        super().__init__()
        if not 0 <= gamma < math.inf:
            raise ValueError(f"gamma must be a number of 0 or more, not {gamma}")
        if interval < 1 or interval % 1:
            raise ValueError(f"interval must be a whole number of steps, 1 or more, not {interval}")
        self.gamma, self.interval = gamma, interval


class R1(Regularizer):
    """gamma/2 E|grad D(x)|^2 on real pictures (Mescheder et al. 2018, arXiv 1801.04406, equation 9).

    StyleGAN2's rule for gamma, 0.0002 resolution^2 / batch (``auto`` of stylegan2-ada), gives 0.0128 for 64 pixels and
    batches of 64; the squared gradient of an equivalent discriminator falls with resolution^2. The default is about eight
    times that, for short trainings and for discriminators without statistics across samples.
    """

    def __init__(self, gamma: float = 0.1, interval: int = 16) -> None:
        super().__init__(gamma, interval)

    def forward(self, discriminator: Discriminator, real: Tensor, fake: Tensor, rng: Generator) -> Tensor:
        """Returns the weighted penalty."""
        # One batch after the other: together they would share the statistics of batch norm.
        gradients = [input_gradients(discriminator, images) for images in self._penalized(real, fake)]
        squares = [gradient.square().sum((1, 2, 3)).mean() for gradient in gradients]
        return self.gamma / 2 * torch.stack(squares).sum()

    def _penalized(self, real: Tensor, fake: Tensor) -> tuple[Tensor, ...]:
        return (real,)


class R2(R1):
    """gamma/2 E|grad D(G(z))|^2 on fake pictures (Mescheder et al. 2018, equation 10)."""

    def _penalized(self, real: Tensor, fake: Tensor) -> tuple[Tensor, ...]:
        return (fake,)


class R1R2(R1):
    """The sum of both with one gamma (R3GAN, Huang et al. 2024, arXiv 2501.05441, which applies it at every step).

    R3GAN's gamma for 64 pixels falls from 2 to 0.2.
    """

    def _penalized(self, real: Tensor, fake: Tensor) -> tuple[Tensor, ...]:
        return real, fake


class GradientPenalty(Regularizer):
    """gamma E(|grad D(x)| - 1)^2 between real and fake (Gulrajani et al. 2017, arXiv 1704.00028, equation 3).

    Each x is drawn uniformly from the line between a fake and a real picture of the same index. Needs as many real as
    fake pictures, and no batch norm in the discriminator.
    """

    def __init__(self, gamma: float = 10.0, interval: int = 1) -> None:
        super().__init__(gamma, interval)

    def forward(self, discriminator: Discriminator, real: Tensor, fake: Tensor, rng: Generator) -> Tensor:
        """Returns the weighted penalty."""
        alpha = send(torch.rand(len(real), 1, 1, 1, dtype=real.dtype, generator=rng), real.device)
        gradients = input_gradients(discriminator, torch.lerp(fake, real, alpha))
        # vector_norm and not the root of a sum of squares: its derivative at a gradient of 0 is 0 and not NaN.
        lengths = torch.linalg.vector_norm(gradients, dim=(1, 2, 3))
        return self.gamma * (lengths - 1).square().mean()


class LeCam(Regularizer):
    """Ties the logits of either kind to the average logit of the other (Tseng et al. 2021, arXiv 2104.03310).

    gamma (E(D(x) - fake_average)^2 + E(D(G(z)) - real_average)^2), their R_LC. This is the equation as printed; the
    authors' code clips both differences at 0. Each application moves the averages by 0.01 before it uses them; the first
    applications count equally (their ``zero_debias``). Micro-batches count as applications, so with them the averages
    forget sooner.

    gamma sets the equilibrium: under the non-saturating loss a discriminator that is always right ends with logits of
    2.3 and -2.3 at 0.01, the default, and of 0.35 and -0.35 at 0.3. The authors' scripts use 0.3 for BigGAN (hinge) on
    CIFAR and 3e-7 for StyleGAN2.
    """

    DECAY = 0.99
    real_average: Tensor
    fake_average: Tensor
    applications: Tensor

    def __init__(self, gamma: float = 0.01, interval: int = 1) -> None:
        super().__init__(gamma, interval)
        for name in ("real_average", "fake_average", "applications"):
            self.register_buffer(name, torch.zeros(()))

    def forward(self, discriminator: Discriminator, real: Tensor, fake: Tensor, rng: Generator) -> Tensor:
        """Returns the weighted penalty; moves the averages."""
        real_logits, fake_logits = discriminator(real).float(), discriminator(fake).float()
        self.applications += 1
        # This weight makes the average of t values independent of its start at 0.
        weight = (1 - self.DECAY) / (1 - self.DECAY**self.applications)
        self.real_average.lerp_(real_logits.detach().mean(), weight)
        self.fake_average.lerp_(fake_logits.detach().mean(), weight)
        to_fake = (real_logits - self.fake_average).square().mean()
        to_real = (fake_logits - self.real_average).square().mean()
        return self.gamma * (to_fake + to_real)
