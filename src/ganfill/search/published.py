"""The two published latent searches, for comparison, written out as in the papers.

A picture y with a hole is completed by the generated picture G(z) that minimizes, over z,

    L(z) = sum_i w_i |G(z)_i - y_i|  +  lambda * prior(D(G(z)))

The first term is the contextual loss over the known pixels i: G(z) should agree with them. The second term is the prior
loss: G(z) should look real to the discriminator D. The hole of y is then filled with the pixels of G(z).
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from torch.nn.functional import softplus

from ganfill.images.blend import Blend, Paste, Poisson
from ganfill.models.model import Model
from ganfill.search.batching import Recorder, in_chunks
from ganfill.search.initialization import from_prior
from ganfill.search.latent_search import check_settings
from ganfill.search.networks import Networks
from ganfill.search.objective import ContextualWeights, uniform
from ganfill.search.optimizers import Adam
from ganfill.search.result import DEFAULTS, Completion, SearchOptions
from ganfill.search.selection import lowest, masked_l1, take
from ganfill.search.target import Target


def amos2016(
    steps: int = 1000,
    rate: float = 0.01,
    prior_weight: float = 0.1,
    blend: Blend | None = None,
    precision: str = "auto",
    batch: int = 256,
) -> "PublishedSearch":
    """The search of Brandon Amos, "Image completion with deep learning in TensorFlow" (2016), at its last commit.

    All known pixels have the weight 1. The prior loss is -log D(G(z)), and the answer is pasted into the hole.

    Args:
        steps: number of Adam steps.
        rate: step size.
        prior_weight: factor lambda of the prior loss.
        blend: Paste by default.
        precision: ``auto``, ``bf16`` or ``fp32``.
        batch: pictures times answers on the device at once.
    """
    check_settings(steps=steps)
    return PublishedSearch(uniform, minus_log_real, steps, rate, prior_weight, blend or Paste(), precision, batch)


def yeh2017(
    steps: int = 1500,
    rate: float = 0.01,
    prior_weight: float = 0.003,
    window: int = 7,
    blend: Blend | None = None,
    precision: str = "auto",
    batch: int = 256,
) -> "PublishedSearch":
    """The search of Yeh et al., "Semantic image inpainting with deep generative models" (CVPR 2017, arXiv 1607.07539).

    Known pixels are weighted by the share of missing pixels around them (equation 4). The prior loss is log(1 - D(G(z)))
    (equation 5), and Poisson blending fills the hole (equation 7). The paper gives no learning rate; this one did best on
    validation faces (``experiments/results/yeh2017_rate.csv``).

    Args:
        steps: number of Adam steps.
        rate: step size.
        prior_weight: factor lambda of the prior loss.
        window: side in pixels of the neighborhood that weights a known pixel; odd.
        blend: Poisson by default.
        precision: ``auto``, ``bf16`` or ``fp32``.
        batch: pictures times answers on the device at once.
    """
    check_settings(steps=steps, window=window)
    weights = ContextualWeights(window)
    return PublishedSearch(weights, log_fake, steps, rate, prior_weight, blend or Poisson(), precision, batch)


def minus_log_real(logits: torch.Tensor) -> torch.Tensor:
    """Returns -log D(x) for logits of x: the non-saturating loss of the generator."""
    return softplus(-logits)


def log_fake(logits: torch.Tensor) -> torch.Tensor:
    """Returns log(1 - D(x)) for logits of x."""
    return -softplus(logits)


@dataclass(frozen=True)
class PublishedSearch:
    """Gradient descent on z from one random start for each answer.

    Args:
        weights: maps known (N, 1, R, R) to the weights w of the pixels, 0 in the hole.
        prior: maps the discriminator's logits (M,) to the prior loss (M,).
        steps, rate, prior_weight, blend, precision, batch: see ``amos2016``.
    """

    weights: Callable[[torch.Tensor], torch.Tensor]
    prior: Callable[[torch.Tensor], torch.Tensor]
    steps: int
    rate: float
    prior_weight: float
    blend: Blend
    precision: str
    batch: int

    def __call__(
        self, model: Model, images: torch.Tensor, holes: torch.Tensor, options: SearchOptions = DEFAULTS
    ) -> Completion:
        """Searches for every picture, see ``Search``."""
        networks = Networks(model, self.precision)
        target = Target.of(images, holes, networks.device)
        search = partial(self.search, networks, options)
        return in_chunks(search, target, options, self.steps, items=options.answers, batch=self.batch)

    def search(self, networks: Networks, options: SearchOptions, target: Target, recorder: Recorder) -> Completion:
        """Searches for one chunk of N pictures."""
        k, latent = options.answers, networks.model.latent
        weights = self.weights(target.known)
        z = from_prior(networks, target, weights, k, options.seed).flatten(0, 1)
        y, w = target.image.repeat_interleave(k, 0), weights.repeat_interleave(k, 0)
        adam = Adam(self.rate).begin(z, self.steps)

        for _ in range(self.steps):
            z = adam.point.detach().requires_grad_()
            generated = networks.generate(z)
            contextual_loss = (w * (generated - y).abs()).flatten(1).sum(1)
            prior_loss = self.prior(networks.logits(generated))
            loss = contextual_loss + self.prior_weight * prior_loss
            (gradient,) = torch.autograd.grad(loss.sum(), z)
            recorder(generated.detach().unflatten(0, (-1, k)), loss.detach().unflatten(0, (-1, k)))
            adam.step(gradient)
            # Clipped to [-1, 1] for a uniform prior, as published; a normal one has no bounds.
            adam.point = latent.clip(adam.point)

        with torch.no_grad():
            pictures = networks.generate(adam.point).unflatten(0, (-1, k))
        scores = masked_l1(pictures, target.image, target.known)
        if not self.steps:
            recorder(pictures, scores)
        order = lowest(scores, k)
        scores = take(scores, order).cpu()
        return Completion(
            take(pictures, order).cpu(),
            take(adam.point.unflatten(0, (-1, k)), order).cpu(),
            scores,
            errors=scores,
            frames=recorder.frames,
            passes=self.steps * k + k / 3,
        )
