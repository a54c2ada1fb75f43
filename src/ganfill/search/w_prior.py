"""The distribution of w, the latent vector behind the mapping network of a StyleGAN2, and a prior that it gives to W+."""

from collections.abc import Callable
from dataclasses import dataclass
from weakref import WeakKeyDictionary

import torch
from torch import nn
from torch.nn.functional import leaky_relu

from ganfill.errors import UserError
from ganfill.models.truncation import draw_w, has_w
from ganfill.search.networks import Networks

SLOPE = 5.0  # undoes the leaky ReLU with slope 0.2 at the end of the mapping network

_moments: "WeakKeyDictionary[nn.Module, tuple[torch.Tensor, torch.Tensor]]" = WeakKeyDictionary()


@dataclass(frozen=True)
class GaussianPrior:
    """The prior of Wulff and Torralba 2020 (arXiv 2009.06529) for an optimization of W+.

    The inverse of the last leaky ReLU of the mapping network makes the distribution of w nearly normal: v = leaky(w, 5) has
    the density N(mean, covariance). W+ can fit almost any picture; the prior keeps it near the pictures of the training.

    Args:
        weight: of (v - mean)^T covariance^-1 (v - mean) / dim, averaged over the layers, which is about 1 for a w of the
            mapping network.
    """

    weight: float

    def __call__(self, networks: Networks) -> Callable[[torch.Tensor], torch.Tensor]:
        """Returns the penalty (M,) as a function of ws (M, layers, w_dim).

        Raises:
            UserError: the generator has no mapping network.
        """
        if not has_w(networks.model):
            raise UserError(
                f"search.cut_prior={self.weight} needs a generator with a mapping network, such as a StyleGAN2: "
                "give search.cut_prior=0"
            )
        mean, precision = moments(networks)

        def penalty(ws: torch.Tensor) -> torch.Tensor:
            v = leaky_relu(ws, SLOPE) - mean
            return self.weight * ((v @ precision) * v).mean((1, 2))

        return penalty


@torch.no_grad()
def moments(networks: Networks) -> tuple[torch.Tensor, torch.Tensor]:
    """Returns the mean (w_dim,) and the inverse covariance (w_dim, w_dim) of v; cached as long as the generator lives."""
    generator = networks.model.generator
    if generator not in _moments:
        v = leaky_relu(draw_w(networks.model), SLOPE).double()
        covariance = v.T.cov()
        # Directions without variance would weigh without limit.
        covariance += 1e-4 * covariance.diagonal().mean() * torch.eye(len(covariance)).to(covariance)
        _moments[generator] = v.mean(0).float(), torch.linalg.inv(covariance).float()
    return _moments[generator]
