"""Adversarial losses on logits.

Each offers ``discriminator(real_logits, fake_logits)`` and ``generator(fake_logits, real_logits)``, both to be minimised.
Logits are float tensors (N,), the larger the more real; a loss is a scalar tensor, a mean over the batch, so that the
losses of equal micro-batches average to that of their batch. softplus(x) = log(1 + exp(x)) is used throughout because
-log sigmoid(x) = softplus(-x) neither overflows nor loses its gradient.

``relativistic`` tells whether the generator's loss needs logits of real pictures (by the discriminator as it is now).
``boundary`` is the logit that parts real pictures from fake ones; None where only differences of logits have a meaning.
"""

from typing import Protocol

import torch
from torch.nn.functional import relu, softplus


class Loss(Protocol):
    """What all have in common."""

    relativistic: bool
    boundary: float | None

    def discriminator(self, real_logits: torch.Tensor, fake_logits: torch.Tensor) -> torch.Tensor:
        """What the discriminator minimises."""
        ...

    def generator(self, fake_logits: torch.Tensor, real_logits: torch.Tensor) -> torch.Tensor:
        """What the generator minimises."""
        ...


class NonSaturating:
    """The usual substitute: G minimises -log D(G(z)) (Goodfellow et al. 2014, arXiv 1406.2661, end of section 3)."""

    relativistic = False
    boundary: float | None = 0.0

    def discriminator(self, real_logits: torch.Tensor, fake_logits: torch.Tensor) -> torch.Tensor:
        """-log D(x) - log(1 - D(G(z))), averaged over the batch; equation 1 with its sign turned."""
        return softplus(-real_logits).mean() + softplus(fake_logits).mean()

    def generator(self, fake_logits: torch.Tensor, real_logits: torch.Tensor | None = None) -> torch.Tensor:
        """-log D(G(z)), averaged over the batch."""
        return softplus(-fake_logits).mean()


class Minimax(NonSaturating):
    """The game as written: G minimises log(1 - D(G(z))) (equation 1); its gradient fades where D is sure of a fake."""

    def generator(self, fake_logits: torch.Tensor, real_logits: torch.Tensor | None = None) -> torch.Tensor:
        """log(1 - D(G(z))), averaged over the batch; at most 0."""
        return -softplus(fake_logits).mean()


class LeastSquares:
    """Logits are drawn to 1 for real and to 0 for fake (Mao et al. 2017, arXiv 1611.04076, equation 9)."""

    relativistic = False
    boundary: float | None = 0.5

    def discriminator(self, real_logits: torch.Tensor, fake_logits: torch.Tensor) -> torch.Tensor:
        """((D(x) - 1)^2 + D(G(z))^2) / 2, averaged over the batch."""
        return ((real_logits - 1).square().mean() + fake_logits.square().mean()) / 2

    def generator(self, fake_logits: torch.Tensor, real_logits: torch.Tensor | None = None) -> torch.Tensor:
        """(D(G(z)) - 1)^2 / 2, averaged over the batch."""
        return (fake_logits - 1).square().mean() / 2


class Hinge:
    """D stops at a margin of 1, G has none (Lim and Ye 2017, arXiv 1705.02894; Miyato 2018, 1802.05957, eq. 16, 17)."""

    relativistic = False
    boundary: float | None = 0.0

    def discriminator(self, real_logits: torch.Tensor, fake_logits: torch.Tensor) -> torch.Tensor:
        """max(0, 1 - D(x)) + max(0, 1 + D(G(z))), averaged over the batch."""
        return relu(1 - real_logits).mean() + relu(1 + fake_logits).mean()

    def generator(self, fake_logits: torch.Tensor, real_logits: torch.Tensor | None = None) -> torch.Tensor:
        """-D(G(z)), averaged over the batch."""
        return -fake_logits.mean()


class Wasserstein:
    """The critic's gap (Arjovsky et al. 2017, arXiv 1701.07875, equations 2 and 3); only with a bound on D's slope.

    Without one (a gradient penalty or spectral normalisation) the logits grow without end. The paper's own bound, to
    clip the weights, is not offered: Gulrajani et al. 2017 (arXiv 1704.00028) show what it costs.
    """

    relativistic = False
    boundary: float | None = None

    def discriminator(self, real_logits: torch.Tensor, fake_logits: torch.Tensor) -> torch.Tensor:
        """D(G(z)) - D(x), averaged over the batch; minus the estimated distance."""
        return fake_logits.mean() - real_logits.mean()

    def generator(self, fake_logits: torch.Tensor, real_logits: torch.Tensor | None = None) -> torch.Tensor:
        """-D(G(z)), averaged over the batch."""
        return -fake_logits.mean()


class Relativistic:
    """Each fake is judged beside a real picture (Jolicoeur-Martineau 2018, arXiv 1807.00734, section 4.1).

    RSGAN there; R3GAN (Huang et al. 2024, arXiv 2501.05441) calls it RpGAN and adds R1 and R2, without which it need
    not converge. Logits come in pairs, as many real as fake.
    """

    relativistic = True
    boundary: float | None = None

    def discriminator(self, real_logits: torch.Tensor, fake_logits: torch.Tensor) -> torch.Tensor:
        """-log sigmoid(D(x) - D(G(z))), averaged over the pairs."""
        return softplus(fake_logits - real_logits).mean()

    def generator(self, fake_logits: torch.Tensor, real_logits: torch.Tensor) -> torch.Tensor:
        """-log sigmoid(D(G(z)) - D(x)), averaged over the pairs."""
        return softplus(real_logits - fake_logits).mean()
