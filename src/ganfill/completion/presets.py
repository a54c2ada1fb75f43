"""Searches put together and named."""

from ganfill.completion.blend import Blend, Paste, Poisson
from ganfill.completion.objective import Neighbourhood, Objective, log_fake, minus_log_real, uniform
from ganfill.completion.optimize import Adam
from ganfill.completion.parametrise import clip
from ganfill.completion.search import LatentSearch
from ganfill.completion.start import FromPool, from_prior
from ganfill.errors import UserError


def standard(
    steps: int = 200,
    starts: int = 8,
    pool: int = 2048,
    rate: float = 0.15,
    floor: float = 0.2,
    window: int = 7,
    held_out: float = 0.1,
    blend: Blend | None = None,
    precision: str = "auto",
    batch: int = 256,
) -> LatentSearch:
    """The search to use: well-chosen starts, successive halving, ranking by held-out pixels.

    Args:
        steps: in all; an eighth with all starts, an eighth with half of them, half with a quarter of them, and a quarter in
            which the answers are fitted to all that is known.
        starts: candidates of each picture, taken from the pool.
        pool: generated pictures to start from.
        rate: step size of Adam.
        floor: contextual weight of known pixels far from the hole.
        window: neighbourhood of the contextual weights, in pixels.
        held_out: share of known pixels that judge instead of being fitted.
        blend: Poisson unless given.
        precision: ``auto``, ``bf16`` or ``fp32``.
        batch: pictures times candidates at once.
    """
    _refuse_unusable(steps=steps, starts=starts, pool=pool, held_out=held_out, window=window)
    eighth, quarter = steps // 8, steps // 4
    first_rounds = [(starts, eighth), (max(1, starts // 2), eighth)]
    return LatentSearch(
        rounds=(*first_rounds, (max(1, starts // 4), steps - 2 * eighth - quarter)),
        start=FromPool(pool),
        objective=Objective(Neighbourhood(window, floor)),
        optimizer=Adam(rate, warmup=0.05, decay=0.5, noise=0.05),
        held_out=held_out,
        refit=quarter,
        blend=blend or Poisson(),
        precision=precision,
        batch=batch,
    )


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
    _refuse_unusable(steps=steps)
    return LatentSearch(
        rounds=((1, steps),),
        start=from_prior,
        objective=Objective(uniform, normalise=False, prior=minus_log_real, prior_weight=prior_weight),
        optimizer=Adam(rate),
        project=clip,
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
    _refuse_unusable(steps=steps, window=window)
    return LatentSearch(
        rounds=((1, steps),),
        start=from_prior,
        objective=Objective(Neighbourhood(window), normalise=False, prior=log_fake, prior_weight=prior_weight),
        optimizer=Adam(rate),
        project=clip,
        blend=blend or Poisson(),
        precision=precision,
        batch=batch,
    )


def _refuse_unusable(steps: int, starts: int = 1, pool: int = 1, held_out: float = 0.0, window: int = 1) -> None:
    """Raises ``UserError`` for settings that no search can work with."""
    sound = steps >= 0 and starts >= 1 and pool >= 1 and 0 <= held_out < 1 and window >= 1 and window % 2
    if not sound:
        raise UserError(
            f"search: steps={steps} starts={starts} pool={pool} held_out={held_out} window={window} cannot be used: "
            "give steps from 0, starts and pool from 1, held_out from 0 to below 1, and an odd window"
        )


PRESETS = {make.__name__: make for make in (standard, amos2016, yeh2017)}


def preset(name: str) -> LatentSearch:
    """The search of that name, with its own settings.

    Raises:
        UserError: there is none.
    """
    if name not in PRESETS:
        raise UserError(f"search={name} is no preset: use {', '.join(PRESETS)}")
    return PRESETS[name]()
