"""The published searches, faithful, to compare with."""

from ganfill.images.blend import Blend, Paste, Poisson
from ganfill.search.initialization import from_prior
from ganfill.search.latent_search import LatentSearch, refuse_unusable
from ganfill.search.objective import ContextualWeights, DiscriminatorPrior, Objective, log_fake, minus_log_real, uniform
from ganfill.search.optimizers import Adam
from ganfill.search.parametrization import Clip


def amos2016(
    steps: int = 1000,
    rate: float = 0.01,
    prior_weight: float = 0.1,
    blend: Blend | None = None,
    precision: str = "auto",
    batch: int = 256,
) -> LatentSearch:
    """The search of Brandon Amos, "Image completion with deep learning in TensorFlow" (2016), at its last commit.

    One random start, plain sum of absolute differences over all known pixels, -log D(G(z)) as prior term, Adam, and a
    hard paste. z is clipped to [-1, 1] at every step only if the model was trained with a uniform prior, as his was.
    """
    refuse_unusable(steps=steps)
    return LatentSearch(
        rounds=((1, steps),),
        start=from_prior,
        objective=Objective(
            uniform, normalise=False, prior=DiscriminatorPrior(minus_log_real), prior_weight=prior_weight
        ),
        optimizer=Adam(rate),
        parametrise=Clip(),
        blend=blend or Paste(),
        precision=precision,
        batch=batch,
    )


def yeh2017(
    steps: int = 1500,
    rate: float = 0.01,
    prior_weight: float = 0.003,
    window: int = 7,
    blend: Blend | None = None,
    precision: str = "auto",
    batch: int = 256,
) -> LatentSearch:
    """The search of Yeh et al., "Semantic image inpainting with deep generative models" (CVPR 2017, arXiv 1607.07539).

    One random start, absolute differences weighted by the share of missing neighbours and summed (equation 4),
    log(1 - D(G(z))) as prior term (equation 5), Adam, and Poisson blending (equation 7). The paper names no learning
    rate; this one did best on validation faces (``experiments/results/yeh2017_rate.csv``). z is clipped to [-1, 1] at
    every step only if the model was trained with a uniform prior, as theirs was.
    """
    refuse_unusable(steps=steps, window=window)
    return LatentSearch(
        rounds=((1, steps),),
        start=from_prior,
        objective=Objective(
            ContextualWeights(window), normalise=False, prior=DiscriminatorPrior(log_fake), prior_weight=prior_weight
        ),
        optimizer=Adam(rate),
        parametrise=Clip(),
        blend=blend or Poisson(),
        precision=precision,
        batch=batch,
    )
