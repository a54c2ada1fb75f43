"""Penalties that keep the discriminator smooth.

``regularizer(discriminator, real, fake, generator)`` gives the weighted penalty of one application, a scalar tensor to be
added to D's loss. ``discriminator`` is any callable from pictures to logits (N,); ``real`` and ``fake`` are pictures
(N, 3, H, W), taken as constants and left as they are; ``generator`` is a CPU ``torch.Generator``, the only source of
chance. A penalty is meant for every ``interval``-th step of D and then counts ``interval`` times (lazy regularisation,
Karras et al. 2020, arXiv 1912.04958, section 3.1). It is a mean over the batch, so that the penalties of equal
micro-batches average to that of their batch; what differs is told below.

Gradients come from one backward pass of the sum of the logits. These are each picture's own as long as D judges it by
itself; batch norm in training mode mixes in what a picture does to the others (and moves its running statistics at each
application). They are differentiated again, so call this with autocast switched off and on a D that is not compiled.
"""

import math
from collections.abc import Callable

import torch
from torch import nn

from ganfill.devices import send

Discriminator = Callable[[torch.Tensor], torch.Tensor]


def slopes(discriminator: Discriminator, images: torch.Tensor) -> torch.Tensor:
    """The gradient of each picture's logit by that picture, (N, 3, H, W), itself differentiable by D's parameters."""
    images = images.detach().requires_grad_(True)
    return torch.autograd.grad(discriminator(images).sum(), images, create_graph=True)[0]


def mean_square(gradients: torch.Tensor) -> torch.Tensor:
    """The squared length of each picture's gradient, averaged over the batch."""
    return gradients.square().sum((1, 2, 3)).mean()


class Regularizer(nn.Module):
    """What all have in common.

    Args:
        gamma: weight, 0 or more.
        interval: applied at every so many steps of D, a whole number.

    Raises:
        ValueError: for another ``gamma`` or ``interval``.
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

    StyleGAN2's rule for gamma, 0.0002 resolution^2 / batch (stylegan2-ada's ``auto``), gives 0.0128 for 64 pixels and
    batches of 64; the squared gradient of the same judgement falls with resolution^2. The default is some eight times
    that, for short trainings and for D without statistics across samples.
    """

    def __init__(self, gamma: float = 0.1, interval: int = 16) -> None:
        super().__init__(gamma, interval)

    def forward(
        self, discriminator: Discriminator, real: torch.Tensor, fake: torch.Tensor, generator: torch.Generator
    ) -> torch.Tensor:
        """The weighted penalty of one application."""
        return self.gamma / 2 * mean_square(slopes(discriminator, real))


class R2(R1):
    """gamma/2 E|grad D(G(z))|^2 on fake pictures (Mescheder et al. 2018, equation 10)."""

    def forward(
        self, discriminator: Discriminator, real: torch.Tensor, fake: torch.Tensor, generator: torch.Generator
    ) -> torch.Tensor:
        """The weighted penalty of one application."""
        return self.gamma / 2 * mean_square(slopes(discriminator, fake))


class R1R2(R1):
    """The sum of both, with one gamma (R3GAN, Huang et al. 2024, arXiv 2501.05441, which applies it at every step).

    R3GAN's gamma for 64 pixels falls from 2 to 0.2. Real and fake pictures go through D one after the other, because
    together they would share the statistics of a D with batch norm.
    """

    def forward(
        self, discriminator: Discriminator, real: torch.Tensor, fake: torch.Tensor, generator: torch.Generator
    ) -> torch.Tensor:
        """The weighted penalty of one application."""
        on_real, on_fake = (mean_square(slopes(discriminator, images)) for images in (real, fake))
        return self.gamma / 2 * (on_real + on_fake)


class GradientPenalty(Regularizer):
    """gamma E(|grad D(x)| - 1)^2 between real and fake (Gulrajani et al. 2017, arXiv 1704.00028, equation 3).

    Each x lies on the line from a fake picture to the real one of the same place, evenly drawn. Needs as many real as
    fake pictures, and no batch norm in D.
    """

    def __init__(self, gamma: float = 10.0, interval: int = 1) -> None:
        super().__init__(gamma, interval)

    def forward(
        self, discriminator: Discriminator, real: torch.Tensor, fake: torch.Tensor, generator: torch.Generator
    ) -> torch.Tensor:
        """The weighted penalty of one application."""
        alpha = send(torch.rand(len(real), 1, 1, 1, dtype=real.dtype, generator=generator), real.device)
        gradients = slopes(discriminator, torch.lerp(fake, real, alpha))
        # vector_norm and not the root of a sum of squares: its derivative at a gradient of 0 is 0 and not NaN.
        lengths = torch.linalg.vector_norm(gradients, dim=(1, 2, 3))
        return self.gamma * (lengths - 1).square().mean()


class LeCam(Regularizer):
    """Ties the logits of either kind to the average logit of the other (Tseng et al. 2021, arXiv 2104.03310).

    gamma (E(D(x) - fake_average)^2 + E(D(G(z)) - real_average)^2), their R_LC. The authors' code clips both differences
    at 0 from the side where D is wrong; this is the equation as printed. Averages move by 0.01 at each application
    before they are used, and the first ones count as many as there have been (their ``zero_debias``). So it is a mean
    over micro-batches only if these are thought of as applications of their own: the averages then forget sooner.

    gamma sets where it holds the logits: under the non-saturating loss a D that is always right ends with 2.3 for real
    and -2.3 for fake at 0.01, the default, and with 0.35 at 0.3. The authors' scripts have 0.3 for BigGAN (hinge) on
    CIFAR and 3e-7 for StyleGAN2.
    """

    DECAY = 0.99
    real_average: torch.Tensor
    fake_average: torch.Tensor
    applications: torch.Tensor

    def __init__(self, gamma: float = 0.01, interval: int = 1) -> None:
        super().__init__(gamma, interval)
        self.register_buffer("real_average", torch.zeros(()))
        self.register_buffer("fake_average", torch.zeros(()))
        self.register_buffer("applications", torch.zeros(()))

    def forward(
        self, discriminator: Discriminator, real: torch.Tensor, fake: torch.Tensor, generator: torch.Generator
    ) -> torch.Tensor:
        """The weighted penalty of one application; moves the averages."""
        real_logits, fake_logits = discriminator(real).float(), discriminator(fake).float()
        self.applications += 1
        # (1 - decay) / (1 - decay^t) as the step's weight makes the average of t values free of its start at 0.
        weight = (1 - self.DECAY) / (1 - self.DECAY**self.applications)
        self.real_average.lerp_(real_logits.detach().mean(), weight)
        self.fake_average.lerp_(fake_logits.detach().mean(), weight)
        to_fake = (real_logits - self.fake_average).square().mean()
        to_real = (fake_logits - self.real_average).square().mean()
        return self.gamma * (to_fake + to_real)
