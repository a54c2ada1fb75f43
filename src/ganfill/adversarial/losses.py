"""Adversarial losses on logits.

Each has ``discriminator(real_logits, fake_logits)`` and ``generator(fake_logits, real_logits)``, both to be minimized.
Logits are float tensors (N,), high for real pictures. A loss is a scalar tensor, a mean over the batch, so the losses of
equal micro-batches average to that of their batch. All use softplus(x) = log(1 + exp(x)), because
-log sigmoid(x) = softplus(-x) neither overflows nor loses its gradient.
"""

import math
from abc import ABC, abstractmethod

from torch import Tensor
from torch.nn.functional import relu, softplus


class Loss(ABC):
    """Pair of losses; the default for the generator is that of a critic, -D(G(z)).

    Attributes:
        relativistic: True if the generator's loss needs logits of real pictures by the updated discriminator.
        boundary: the logit between real and fake pictures; None if only differences of logits have a meaning.
        ideal: the lowest loss of the discriminator if fake pictures are distributed as real ones.
    """

    relativistic = False
    boundary: float | None = 0.0
    ideal = 0.0

    @abstractmethod
    def discriminator(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        """Returns the loss of the discriminator."""

    def generator(self, fake_logits: Tensor, real_logits: Tensor) -> Tensor:
        """-D(G(z)), averaged over the batch."""
        return -fake_logits.mean()


class NonSaturating(Loss):
    """The usual substitute: G minimizes -log D(G(z)) (Goodfellow et al. 2014, arXiv 1406.2661, end of section 3)."""

    ideal = math.log(4)

    def discriminator(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        """-log D(x) - log(1 - D(G(z))), averaged over the batch; equation 1 with reversed sign."""
        return softplus(-real_logits).mean() + softplus(fake_logits).mean()

    def generator(self, fake_logits: Tensor, real_logits: Tensor | None = None) -> Tensor:
        """-log D(G(z)), averaged over the batch."""
        return softplus(-fake_logits).mean()


class Minimax(NonSaturating):
    """The original game: G minimizes log(1 - D(G(z))) (equation 1), whose gradient vanishes where D rejects a fake."""

    def generator(self, fake_logits: Tensor, real_logits: Tensor | None = None) -> Tensor:
        """log(1 - D(G(z))), averaged over the batch; at most 0."""
        return -softplus(fake_logits).mean()


class LeastSquares(Loss):
    """Regresses logits to 1 for real and to 0 for fake (Mao et al. 2017, arXiv 1611.04076, equation 9)."""

    boundary = 0.5
    ideal = 0.25

    def discriminator(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        """((D(x) - 1)^2 + D(G(z))^2) / 2, averaged over the batch."""
        return ((real_logits - 1).square().mean() + fake_logits.square().mean()) / 2

    def generator(self, fake_logits: Tensor, real_logits: Tensor | None = None) -> Tensor:
        """(D(G(z)) - 1)^2 / 2, averaged over the batch."""
        return (fake_logits - 1).square().mean() / 2


class Hinge(Loss):
    """D has a margin of 1, G none (Lim and Ye 2017, arXiv 1705.02894; Miyato 2018, 1802.05957, eq. 16, 17)."""

    ideal = 2.0

    def discriminator(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        """max(0, 1 - D(x)) + max(0, 1 + D(G(z))), averaged over the batch."""
        return relu(1 - real_logits).mean() + relu(1 + fake_logits).mean()


class Wasserstein(Loss):
    """Difference of the critic's means (Arjovsky et al. 2017, arXiv 1701.07875, equations 2 and 3).

    Only with a bound on the slope of D, a gradient penalty or spectral normalization; without one the logits grow without
    end. The paper's weight clipping is not offered: Gulrajani et al. 2017 (arXiv 1704.00028) show its cost.
    """

    boundary = None

    def discriminator(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        """D(G(z)) - D(x), averaged over the batch; minus the estimated distance."""
        return fake_logits.mean() - real_logits.mean()


class Relativistic(Loss):
    """Compares each fake with a real picture (Jolicoeur-Martineau 2018, arXiv 1807.00734, section 4.1).

    RSGAN there; R3GAN (Huang et al. 2024, arXiv 2501.05441) calls it RpGAN and adds R1 and R2, without which it may not
    converge. Logits come in pairs, as many real as fake.
    """

    relativistic = True
    boundary = None
    ideal = math.log(2)

    def discriminator(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        """-log sigmoid(D(x) - D(G(z))), averaged over the pairs."""
        return softplus(fake_logits - real_logits).mean()

    def generator(self, fake_logits: Tensor, real_logits: Tensor) -> Tensor:
        """-log sigmoid(D(G(z)) - D(x)), averaged over the pairs."""
        return softplus(real_logits - fake_logits).mean()
