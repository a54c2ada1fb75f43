"""Adversarial losses on logits.

Each offers ``discriminator(real_logits, fake_logits)`` and ``generator(fake_logits, real_logits)``, both to be minimised.
Logits are float tensors (N,), positive for real; a loss is a scalar tensor. softplus(x) = log(1 + exp(x)) is used
throughout because -log sigmoid(x) = softplus(-x) neither overflows nor loses its gradient.
"""

import torch
from torch.nn.functional import softplus


class NonSaturating:
    """The usual substitute: G minimises -log D(G(z)) (Goodfellow et al. 2014, arXiv 1406.2661, end of section 3)."""

    relativistic = False

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
