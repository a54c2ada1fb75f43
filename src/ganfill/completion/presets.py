"""Searches put together and named."""

from ganfill.completion.blend import Blend, Paste, Poisson
from ganfill.completion.chunks import Search
from ganfill.completion.finish import Cut
from ganfill.completion.objective import Critic, Neighbourhood, Objective, Trust, log_fake, minus_log_real, uniform
from ganfill.completion.optimize import Adam
from ganfill.completion.parametrise import Clip
from ganfill.completion.posterior import PosteriorSampling
from ganfill.completion.route import Routed
from ganfill.completion.search import LatentSearch
from ganfill.completion.select import Selection
from ganfill.completion.start import FromPool, Proposals, from_prior
from ganfill.errors import UserError


def fast(
    steps: int = 0,
    cut_level: int = 1,
    cut_steps: int = 4,
    cut_rate: float = 0.1,
    pool: int = 2048,
    trust: float = 1.0,
    blend: Blend | None = None,
    precision: str = "auto",
    batch: int = 256,
) -> LatentSearch:
    """The encoder's guess and a few steps: milliseconds a picture. Without an encoder, give it steps.

    Args:
        steps: of Adam on z.
        cut_level: the stage of the generator whose features are freed at the end; 0 frees none.
        cut_steps: of Adam on them.
        cut_rate: step size of the features.
        pool: generated pictures to start from if the model has no encoder.
        trust: weight of what the encoder expects in the hole, see ``Trust``.
        blend: Poisson unless given.
        precision: ``auto``, ``bf16`` or ``fp32``.
        batch: pictures at once.
    """
    return standard(
        *(steps, 1, pool, 0.5, trust, cut_level, cut_steps),
        cut_rate=cut_rate,
        blend=blend,
        precision=precision,
        batch=batch,
    )


def standard(
    steps: int = 20,
    starts: int = 1,
    pool: int = 2048,
    jitter: float = 0.5,
    trust: float = 1.0,
    cut_level: int = 1,
    cut_steps: int = 20,
    rate: float = 0.08,
    cut_rate: float = 0.05,
    floor: float = 0.05,
    window: int = 7,
    held_out: float = 0.0,
    agreement: float = 0.5,
    spread: float = 0.2,
    average: int = 0,
    blend: Blend | None = None,
    precision: str = "auto",
    batch: int = 256,
) -> LatentSearch:
    """The search to use: from the encoder's guess along z, then with the generator cut open.

    Args:
        steps: of Adam on z: a quarter with all starts, a quarter with half of them, and half with one.
        starts: candidates of each picture; never fewer than answers.
        pool: generated pictures to start from if the model has no encoder.
        jitter: how far the starts after the first are from the encoder's guess, 0 to 1.
        trust: weight of what the encoder expects in the hole, see ``Trust``.
        cut_level: the stage of the generator whose features are freed at the end; 0 frees none.
        cut_steps: of Adam on them.
        rate: step size of z.
        cut_rate: step size of the features.
        floor: contextual weight of known pixels far from the hole.
        window: neighbourhood of the contextual weights, in pixels.
        held_out: share of known pixels that judge instead of being fitted.
        agreement: weight of the encoder's expectation in the ranking.
        spread: how much worse than the best the other answers may score, so that they differ.
        average: answers that are finished and averaged, see ``best``; 0 for none.
        blend: Poisson unless given.
        precision: ``auto``, ``bf16`` or ``fp32``.
        batch: pictures times candidates at once.
    """
    _refuse_unusable(steps=steps, starts=starts, pool=pool, held_out=held_out, window=window)
    quarter = steps // 4
    last = max(1, average)
    return LatentSearch(
        rounds=((max(starts, last), quarter), (max(last, starts // 2), quarter), (last, steps - 2 * quarter)),
        start=Proposals(jitter=jitter, pool=FromPool(pool)),
        objective=Objective(Neighbourhood(window, floor)),
        trust=Trust(trust) if trust else None,
        optimizer=Adam(rate, decay=0.5),
        selection=Selection(held_out, agreement, spread),
        finish=[Cut(cut_level, cut_steps, cut_rate)] if cut_level and cut_steps else [],
        average=average,
        blend=blend or Poisson(),
        precision=precision,
        batch=batch,
    )


def best(
    steps: int = 40,
    starts: int = 16,
    average: int = 8,
    cut_steps: int = 40,
    blend: Blend | None = None,
    precision: str = "auto",
    batch: int = 256,
) -> LatentSearch:
    """More starts and steps than ``standard``, and the mean of several answers beside them.

    Args:
        steps: of Adam on z.
        starts: candidates of each picture.
        average: answers that are finished and averaged.
        cut_steps: of Adam with the generator cut open.
        blend: Poisson unless given.
        precision: ``auto``, ``bf16`` or ``fp32``.
        batch: pictures times candidates at once.
    """
    return standard(steps, starts, average=average, cut_steps=cut_steps, blend=blend, precision=precision, batch=batch)


def auto(
    depth: float = 1.5,
    blend: Blend | None = None,
    precision: str = "auto",
    batch: int = 256,
) -> Routed:
    """``standard`` for wide holes, biharmonic filling for tiny and scattered ones; it says which.

    Args:
        depth: mean distance of a hole's pixels from known ones, in pixels, up to which it is not searched for.
        blend: Poisson unless given.
        precision: ``auto``, ``bf16`` or ``fp32``.
        batch: pictures at once.
    """
    return Routed(standard(precision=precision, batch=batch), depth, blend or Poisson())


def posterior(
    chains: int = 4,
    burn_in: int = 20,
    samples: int = 20,
    leaps: int = 5,
    correlated: float = 48.0,
    steps: int = 20,
    agreement: float = 0.5,
    spread: float = 0.2,
    blend: Blend | None = None,
    precision: str = "auto",
    batch: int = 256,
) -> PosteriorSampling:
    """Samples of what may have been there, with their mean and an interval for every pixel.

    Args:
        chains: for each picture.
        burn_in: proposals of each chain before samples count.
        samples: of each chain.
        leaps: steps of a proposal.
        correlated: known values that count as one, see ``PosteriorSampling``.
        steps: of Adam before the chains begin.
        agreement: weight of the encoder's guess in the ranking.
        spread: how much worse than the best the other answers may score, so that they differ.
        blend: Poisson unless given.
        precision: ``auto``, ``bf16`` or ``fp32``.
        batch: pictures times chains at once.
    """
    _refuse_unusable(steps=steps, starts=chains)
    begin = LatentSearch(
        rounds=((chains, steps),),
        start=Proposals(),
        optimizer=Adam(0.1, decay=0.5),
        selection=Selection(agreement=agreement),
    )
    return PosteriorSampling(
        begin,
        chains,
        burn_in,
        samples,
        leaps,
        correlated=correlated,
        selection=Selection(0.0, agreement, spread),
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
        objective=Objective(uniform, normalise=False, prior=Critic(minus_log_real), prior_weight=prior_weight),
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
    _refuse_unusable(steps=steps, window=window)
    return LatentSearch(
        rounds=((1, steps),),
        start=from_prior,
        objective=Objective(Neighbourhood(window), normalise=False, prior=Critic(log_fake), prior_weight=prior_weight),
        optimizer=Adam(rate),
        parametrise=Clip(),
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


PRESETS = {make.__name__: make for make in (fast, standard, best, posterior, auto, amos2016, yeh2017)}


def preset(name: str) -> Search:
    """The search of that name, with its own settings.

    Raises:
        UserError: there is none.
    """
    if name not in PRESETS:
        raise UserError(f"search={name} is no preset: use {', '.join(PRESETS)}")
    return PRESETS[name]()
