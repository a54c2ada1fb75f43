"""The named searches. Their defaults are stated here; ``conf/search/`` repeats them as keys of the command line."""

from dataclasses import replace

from ganfill.errors import UserError
from ganfill.images.blend import Blend, Poisson
from ganfill.search.hmc import PosteriorSampling
from ganfill.search.initialization import EncoderStart, PoolStart
from ganfill.search.latent_search import LatentSearch, check_settings
from ganfill.search.objective import ContextualWeights, EncoderPrior, Objective
from ganfill.search.optimizers import Adam
from ganfill.search.published import amos2016, yeh2017
from ganfill.search.refinement import FeatureOptimization
from ganfill.search.result import Search
from ganfill.search.routing import RoutedSearch
from ganfill.search.selection import Selection
from ganfill.search.w_prior import GaussianPrior

SMOOTH = 0.1  # in units of [-1, 1], for searches that start close to the answer


def fast(
    steps: int = 40,
    starts: int = 2,
    pool: int = 2048,
    blend: Blend | None = None,
    precision: str = "auto",
    batch: int = 256,
) -> LatentSearch:
    """The encoder's answer without a search: a few milliseconds for each picture.

    Several answers are chosen as in ``standard``, among variations of it.

    Args:
        steps, starts, pool: for a model without an encoder: see ``from_pool``.
        blend, precision, batch: see ``from_pool``.
    """
    return LatentSearch(
        rounds=((1, 0),),
        start=EncoderStart(jitter=0.5),
        selection=Selection(agreement=0.5, spread=0.2),
        num_candidates=32,
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
    """The recommended search: starts from the encoder's answer and optimizes features of the generator.

    An answer follows the known pixels near the edge of the hole, and the encoder's picture deep inside.

    Args:
        steps, starts, pool: for a model without an encoder: see ``from_pool``.
        cut_level, cut_steps, cut_rate, floor, window, blend, precision, batch: see ``from_pool``.
        trust: weight of the encoder's picture in the hole; 0 uses known pixels only.
        jitter: how far the answers after the first start from the encoder's, 0 to 1.
        agreement: weight of the encoder's picture in the ranking.
        num_candidates: number of candidates that several answers are chosen from.
        spread: share by which the scores of further answers may exceed the best, so that they differ; 0 takes the best.
    """
    if not (_is_number(trust) and trust >= 0 and _is_number(jitter) and 0 <= jitter <= 1):
        raise UserError(
            f"search: trust={trust} jitter={jitter} cannot be used: give trust from 0, and jitter from 0 to 1"
        )
    fallback = from_pool(
        steps, starts, pool, cut_level, cut_steps, cut_rate,
        floor=floor, window=window, blend=blend, precision=precision, batch=batch,
    )  # fmt: skip
    return replace(
        fallback,
        objective=Objective(ContextualWeights(window, floor), smooth=SMOOTH),
        rounds=((1, 0),),
        start=EncoderStart(jitter=jitter),
        encoder_prior=EncoderPrior(trust) if trust else None,
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
    """Makes more steps than ``standard``; with an encoder, also gives the mean answer, which has the smallest squared error.

    Args:
        steps, starts, pool: for a model without an encoder: see ``from_pool``.
        cut_steps, blend, precision, batch: see ``from_pool``.
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
    cut_prior: float = 0.0,
    floor: float = 0.05,
    window: int = 7,
    blend: Blend | None = None,
    precision: str = "auto",
    batch: int = 256,
) -> LatentSearch:
    """The search without an encoder: starts from generated pictures that match the known pixels.

    An eighth of the steps goes to all candidates, an eighth to half of them, half to a quarter of them, and a quarter to the
    answers. Held-out pixels rank the candidates.

    Args:
        steps: number of Adam steps on z.
        starts: number of candidates for each picture, taken from the pool.
        pool: number of generated pictures to start from.
        cut_level: stage of the generator whose features are optimized at the end.
        cut_steps: number of Adam steps on the features; 0 leaves them out.
        cut_rate: step size of the features.
        cut_prior: weight of the prior of W+, the features of a StyleGAN2 at level 1, such as 0.003; 0 leaves it out.
        floor: weight of known pixels far from the hole, relative to the largest.
        window: side in pixels of the neighborhood that weights a known pixel; odd.
        blend: Poisson by default.
        precision: ``auto``, ``bf16`` or ``fp32``.
        batch: pictures times candidates on the device at once; the candidates of one picture stay together.
    """
    check_settings(steps=steps, starts=starts, pool=pool, window=window)
    if not (_is_number(cut_prior) and cut_prior >= 0) or (cut_prior and cut_level != 1):
        raise UserError(
            f"search: cut_prior={cut_prior} cut_level={cut_level} cannot be used: give cut_prior from 0, with cut_level=1"
        )
    prior = GaussianPrior(cut_prior) if cut_prior else None
    eighth, quarter = steps // 8, steps // 4
    first_rounds = [(starts, eighth), (max(1, starts // 2), eighth)]
    return LatentSearch(
        rounds=(*first_rounds, (max(1, starts // 4), steps - 2 * eighth - quarter)),
        start=PoolStart(pool),
        objective=Objective(ContextualWeights(window, floor)),
        optimizer=Adam(0.15, warmup=0.05, decay=0.5, noise=0.05),
        selection=Selection(held_out=0.1),
        refit=quarter,
        refinement=FeatureOptimization(cut_level, cut_steps, cut_rate, prior) if cut_steps else None,
        blend=blend or Poisson(),
        precision=precision,
        batch=batch,
    )


def auto(
    tiny: float = 0.008, scattered: float = 0.6, blend: Blend | None = None, precision: str = "auto", batch: int = 256
) -> RoutedSearch:
    """Uses ``standard`` for wide holes and biharmonic filling for tiny or scattered ones.

    Args:
        tiny: share of the picture up to which a hole is tiny.
        scattered: mean share of known pixels among the neighbors of missing pixels from which a hole is scattered.
        blend, precision, batch: see ``from_pool``.
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
    """Samples of the posterior, with their mean and a 90 % interval for every pixel.

    Args:
        chains: number of Markov chains for each picture.
        burn_in: number of proposals of each chain before sampling.
        samples: number of samples of each chain.
        leaps: number of leapfrog steps of a proposal.
        correlated: number of known values that count as one, because neighboring errors are correlated.
        steps: number of Adam steps before the chains start.
        agreement, spread: see ``standard``.
        blend, precision, batch: see ``from_pool``.
    """
    check_settings(steps=steps, starts=chains)
    if min(samples, leaps) < 1 or burn_in < 0 or not (_is_number(correlated) and correlated > 0):
        raise UserError(
            f"search: samples={samples} leaps={leaps} burn_in={burn_in} correlated={correlated} cannot be used: "
            "give samples and leaps from 1, burn_in from 0, and correlated above 0"
        )
    initial_search = LatentSearch(
        rounds=((chains, steps),),
        start=EncoderStart(),
        optimizer=Adam(0.1, decay=0.5),
        selection=Selection(agreement=agreement),
    )
    return PosteriorSampling(
        initial_search, chains, burn_in, samples, leaps, correlated,
        selection=Selection(agreement=agreement, spread=spread), blend=blend or Poisson(), precision=precision, batch=batch,
    )  # fmt: skip


PRESETS = {make.__name__: make for make in (fast, standard, best, posterior, auto, from_pool, amos2016, yeh2017)}


def preset(name: str) -> Search:
    """Returns the search with this name, with its default settings.

    Raises:
        UserError: there is no such preset.
    """
    if name not in PRESETS:
        raise UserError(f"search={name} is no preset: use {', '.join(PRESETS)}")
    return PRESETS[name]()


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
