"""Searches put together and named."""

from dataclasses import replace

from ganfill.errors import UserError
from ganfill.images.blend import Blend, Poisson
from ganfill.search.hmc import PosteriorSampling
from ganfill.search.initialization import EncoderStart, FromPool
from ganfill.search.latent_search import LatentSearch, is_number, refuse_unusable
from ganfill.search.objective import ContextualWeights, EncoderPrior, Objective
from ganfill.search.optimizers import Adam
from ganfill.search.published import amos2016, yeh2017
from ganfill.search.refinement import FeatureOptimization
from ganfill.search.result import Search
from ganfill.search.routing import RoutedSearch
from ganfill.search.selection import Selection

SMOOTH = 0.1  # of the range [-1, 1], for searches that begin where they trust


def fast(
    steps: int = 40,
    starts: int = 2,
    pool: int = 2048,
    blend: Blend | None = None,
    precision: str = "auto",
    batch: int = 256,
) -> LatentSearch:
    """The encoder's guess alone: a few milliseconds a picture.

    Args:
        steps: of ``from_pool``, which a model without an encoder is searched by.
        starts: of the same.
        pool: of the same.
        blend: Poisson unless given.
        precision: ``auto``, ``bf16`` or ``fp32``.
        batch: pictures at once.
    """
    return LatentSearch(
        rounds=((1, 0),),
        start=EncoderStart(),
        blend=blend or Poisson(),
        precision=precision,
        batch=batch,
        fallback=from_pool(steps, starts, pool, blend=blend, precision=precision, batch=batch),
    )


def standard(
    steps: int = 200,
    starts: int = 8,
    pool: int = 2048,
    cut_level: int = 1,
    cut_steps: int = 30,
    cut_rate: float = 0.05,
    trust: float = 1.0,
    floor: float = 0.05,
    window: int = 7,
    jitter: float = 0.5,
    agreement: float = 0.5,
    num_candidates: int = 32,
    spread: float = 0.2,
    blend: Blend | None = None,
    precision: str = "auto",
    batch: int = 256,
) -> LatentSearch:
    """The search to use: from the encoder's guess, with the generator cut open.

    Deep inside the hole an answer follows its start, beside known pixels it follows those.

    Args:
        steps: of ``from_pool``, which a model without an encoder is searched by.
        starts: of the same.
        pool: of the same.
        cut_level: the stage of the generator whose features are freed.
        cut_steps: of Adam on them; 0 frees none.
        cut_rate: step size of the features.
        trust: weight of what the start shows in the hole, see ``EncoderPrior``; 0 follows known pixels alone.
        floor: contextual weight of known pixels far from the hole.
        window: neighbourhood of the contextual weights, in pixels.
        jitter: how far the answers after the first begin from the encoder's guess, 0 to 1.
        agreement: weight of the encoder's expectation in the ranking.
        num_candidates: candidates that several answers are chosen from.
        spread: how much worse than the best the other answers may score, so that they differ; 0 takes the best.
        blend: Poisson unless given.
        precision: ``auto``, ``bf16`` or ``fp32``.
        batch: pictures times candidates at once.
    """
    if not (is_number(trust) and trust >= 0 and is_number(jitter) and 0 <= jitter <= 1):
        raise UserError(
            f"search: trust={trust} jitter={jitter} cannot be used: give trust from 0, and jitter from 0 to 1"
        )
    fallback = from_pool(
        *(steps, starts, pool, cut_level, cut_steps, cut_rate),
        *(floor, window, blend, precision, batch),
    )
    return replace(
        fallback,
        objective=Objective(ContextualWeights(window, floor), smooth=SMOOTH),
        rounds=((1, 0),),
        start=EncoderStart(jitter=jitter),
        trust=EncoderPrior(trust) if trust else None,
        selection=Selection(agreement=agreement, spread=spread),
        num_candidates=num_candidates,
        refit=0,
        fallback=fallback,
    )


def best(
    steps: int = 400,
    starts: int = 16,
    pool: int = 2048,
    cut_steps: int = 60,
    blend: Blend | None = None,
    precision: str = "auto",
    batch: int = 256,
) -> LatentSearch:
    """More steps than ``standard``, and with an encoder a mean answer, closest to the truth in squares.

    Args:
        steps: of ``from_pool``, which a model without an encoder is searched by.
        starts: of the same.
        pool: of the same.
        cut_steps: of Adam with the generator cut open.
        blend: Poisson unless given.
        precision: ``auto``, ``bf16`` or ``fp32``.
        batch: pictures times candidates at once.
    """
    search = standard(steps, starts, pool, cut_steps=cut_steps, blend=blend, precision=precision, batch=batch)
    return replace(search, average=True)


def from_pool(
    steps: int = 200,
    starts: int = 8,
    pool: int = 2048,
    cut_level: int = 1,
    cut_steps: int = 20,
    cut_rate: float = 0.05,
    floor: float = 0.05,
    window: int = 7,
    blend: Blend | None = None,
    precision: str = "auto",
    batch: int = 256,
) -> LatentSearch:
    """The search without an encoder: well-chosen starts, successive halving, ranking by held-out pixels, a cut at the end.

    Args:
        steps: of Adam in all; an eighth with all starts, an eighth with half of them, half with a quarter of them, and a
            quarter in which the answers are fitted to all that is known.
        starts: candidates of each picture, taken from the pool.
        pool: generated pictures to start from.
        cut_level: the stage of the generator whose features are freed at the end.
        cut_steps: of Adam on them; 0 frees none.
        cut_rate: step size of the features.
        floor: contextual weight of known pixels far from the hole.
        window: neighbourhood of the contextual weights, in pixels.
        blend: Poisson unless given.
        precision: ``auto``, ``bf16`` or ``fp32``.
        batch: pictures times candidates at once.
    """
    refuse_unusable(steps=steps, starts=starts, pool=pool, window=window)
    eighth, quarter = steps // 8, steps // 4
    first_rounds = [(starts, eighth), (max(1, starts // 2), eighth)]
    return LatentSearch(
        rounds=(*first_rounds, (max(1, starts // 4), steps - 2 * eighth - quarter)),
        start=FromPool(pool),
        objective=Objective(ContextualWeights(window, floor)),
        optimizer=Adam(0.15, warmup=0.05, decay=0.5, noise=0.05),
        selection=Selection(held_out=0.1),
        refit=quarter,
        finish=[FeatureOptimization(cut_level, cut_steps, cut_rate)] if cut_steps else [],
        blend=blend or Poisson(),
        precision=precision,
        batch=batch,
    )


def auto(
    tiny: float = 0.008,
    scattered: float = 0.6,
    blend: Blend | None = None,
    precision: str = "auto",
    batch: int = 256,
) -> RoutedSearch:
    """``standard`` for wide holes, biharmonic filling for tiny and thinly scattered ones; it says how many.

    Args:
        tiny: share of the picture up to which a hole is tiny.
        scattered: share of known ones among the neighbours of missing pixels from which on they are scattered.
        blend: Poisson unless given.
        precision: ``auto``, ``bf16`` or ``fp32``.
        batch: pictures at once.
    """
    return RoutedSearch(standard(precision=precision, batch=batch), tiny, scattered, blend or Poisson())


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
    refuse_unusable(steps=steps, starts=chains)
    if min(samples, leaps) < 1 or burn_in < 0 or not (is_number(correlated) and correlated > 0):
        raise UserError(
            f"search: samples={samples} leaps={leaps} burn_in={burn_in} correlated={correlated} cannot be used: "
            "give samples and leaps from 1, burn_in from 0, and correlated above 0"
        )
    begin = LatentSearch(
        rounds=((chains, steps),),
        start=EncoderStart(),
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


PRESETS = {make.__name__: make for make in (fast, standard, best, posterior, auto, from_pool, amos2016, yeh2017)}


def preset(name: str) -> Search:
    """The search of that name, with its own settings.

    Raises:
        UserError: there is none.
    """
    if name not in PRESETS:
        raise UserError(f"search={name} is no preset: use {', '.join(PRESETS)}")
    return PRESETS[name]()
