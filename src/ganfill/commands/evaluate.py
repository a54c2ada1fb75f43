"""``ganfill evaluate``: compares searches, or evaluates a generator."""

import logging
import shlex
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from ganfill.benchmark import write_report
from ganfill.benchmark.baselines import NEAREST, nearest_picture
from ganfill.benchmark.cache import ResultCache
from ganfill.benchmark.compare import Measures, evaluate
from ganfill.benchmark.eval_case import EvalCase
from ganfill.benchmark.feature_distances import FeatureDistances
from ganfill.benchmark.generator import count_steps, evaluate_generator
from ganfill.benchmark.search_entry import SearchEntry, parse_search
from ganfill.commands.summary import commit, write_summary
from ganfill.config import as_words
from ganfill.data import subsets
from ganfill.data.store import ImageStore
from ganfill.data.subsets import Pictures, sha256
from ganfill.devices import choose_device, describe
from ganfill.errors import UserError
from ganfill.images.masks import KINDS
from ganfill.locks import hold_directory
from ganfill.metrics.features import FeatureNetwork, load_networks
from ganfill.metrics.pretrained import Skipped, inception, lpips
from ganfill.model_io import model_file
from ganfill.models.model import Model
from ganfill.progress import WITHOUT_RATE, progress_bar

log = logging.getLogger(__name__)

WHOLE = {"n": 1, "answers": 1, "samples": 1, "sheet": 0}  # least values
SPLITS = ("test", "train")


def run(config: DictConfig) -> Path:
    """Evaluates searches or a generator; returns ``config.out``.

    Raises:
        UserError: a search, mask, picture or file of the configuration does not exist or does not fit.
    """
    _check(config)
    with hold_directory(Path(str(config.out))):
        return _evaluate(config)


def _evaluate(config: DictConfig) -> Path:
    started, out = time.perf_counter(), Path(str(config.out))
    model = model_file.load(config.model, choose_device(config.device))
    store = _open(config, model)
    networks, skipped = load_networks(as_words(config.features)), dict[str, str]()
    network = inception(config.inception)
    if isinstance(network, Skipped):
        skipped["fid, kid"] = network.reason
    else:
        networks.append(network)
    evaluation = _evaluate_generator if config.generator else _compare_searches
    figures = evaluation(config, out, model, store, networks, skipped)
    for what, reason in skipped.items():
        log.warning("skipped %s: %s", what, reason)
    write_summary(out, "evaluate", config, figures | {"skipped": skipped}, time.perf_counter() - started)
    return out


def _compare_searches(
    config: DictConfig,
    out: Path,
    model: Model,
    store: ImageStore | None,
    networks: list[FeatureNetwork],
    skipped: dict[str, str],
) -> dict[str, Any]:
    chosen = _choose(config, model, store)
    entries = _entries(config, store, chosen, skipped)
    against = str(config.against or entries[0].word)
    if against not in (entry.word for entry in entries):
        raise UserError(f"against={against} is not among the searches: give one of the words of search=")
    masks = as_words(config.mask)
    digest = "" if store is None else store.digest
    cases = [EvalCase(model, chosen, mask, config.answers, config.seed, digest) for mask in masks]
    cache = ResultCache(out / "cells")
    reference = None if store is None else subsets.reference(store, chosen, config.seed)
    measures = _measures(config, model, networks, chosen, reference, cache, skipped)
    result = evaluate(cases, entries, cache, measures, against, config.sheet, _bar)
    result.skipped |= skipped
    skipped |= result.skipped
    facts = _facts(config, model, store) | {"pictures": f"{len(chosen)}, ids {chosen.digests['ids'][:12]}"}
    if not result.shares:  # rows may hold the originals alone
        raise UserError(f"search={config.search}: none could be evaluated: {'; '.join(result.skipped.values())}")
    write_report.write(out, result, cases, config.sheet, facts)
    return {
        "rows": len(result.rows),
        "computed": cache.computed,
        "found": cache.found,
        "pictures": {"n": len(chosen)} | chosen.digests,
        "holes": {case.mask: sha256(case.holes) for case in cases},
        "reference": None if reference is None else {"n": len(reference)} | reference.digests,
        "model": model.digest,
        "store": digest,
    }


def _evaluate_generator(
    config: DictConfig,
    out: Path,
    model: Model,
    store: ImageStore | None,
    networks: list[FeatureNetwork],
    skipped: dict[str, str],
) -> dict[str, Any]:
    if store is None:
        raise UserError("generator=true compares with training pictures: give data.path=...")
    training, held_out = (store.images[store.rows(split)] for split in ("train", "test"))
    held_out = held_out if len(held_out) else None
    total = count_steps(training, networks, config.samples, held_out)
    with _bar("pictures", total) as advance:
        report = evaluate_generator(
            model, training, networks, config.samples, config.seed, advance, neighbours=12, held_out=held_out
        )
    skipped |= {name: why for name, why in report.figures.items() if isinstance(why, str)}
    write_report.write_generator(out, report, skipped, _facts(config, model, store))
    return {"generator": report.figures, "model": model.digest, "store": store.digest}


def _check(config: DictConfig) -> None:
    """Raises ``UserError`` for values that cannot be used."""
    for key, least in WHOLE.items():
        if not isinstance(config[key], int) or config[key] < least:
            raise UserError(f"{key}={config[key]} cannot be used: give a whole number from {least}")
    for key in ("lpips", "inception"):
        if not isinstance(config[key], str | None):
            raise UserError(f"{key}={config[key]} is not a path: give the path of its weights, or leave it out")
    if config.split not in SPLITS:
        raise UserError(f"split={config.split} is not known: use {' or '.join(SPLITS)}")
    for mask in (masks := as_words(config.mask)):
        if mask not in KINDS:
            raise UserError(f"mask={mask} is not a kind of hole: use {', '.join(KINDS)}")
    for key, words in (("mask", masks), ("search", as_words(config.search))):
        if not words or len(set(words)) < len(words):
            raise UserError(f"{key}={','.join(words)}: give one or more, without repetition")


def _open(config: DictConfig, model: Model) -> ImageStore | None:
    if config.data.path is None:
        return None
    store = ImageStore.open(Path(str(config.data.path)))
    if store.resolution != model.resolution:
        raise UserError(
            f"data.path={config.data.path} holds pictures of {store.resolution} pixels, the model draws "
            f"{model.resolution}: prepare them with resolution={model.resolution}"
        )
    return store


def _choose(config: DictConfig, model: Model, store: ImageStore | None) -> Pictures:
    prefixes = as_words(config.pictures)
    if prefixes == [subsets.GENERATOR]:
        return subsets.generated(model, config.n, config.seed)
    if store is None:
        raise UserError("data.path=null is only possible with pictures=generator: give data.path=...")
    return subsets.choose(store, config.split, prefixes, config.n, config.seed)


def _entries(
    config: DictConfig, store: ImageStore | None, chosen: Pictures, skipped: dict[str, str]
) -> list[SearchEntry]:
    baseline = None
    if store is not None and len(rows := subsets.training_rows(store, chosen)):
        baseline = nearest_picture(store.images, rows)
    entries = []
    for word in as_words(config.search):
        entry = parse_search(word, baseline)
        if entry is None:
            skipped[NEAREST] = "there are no training pictures"
        else:
            entries.append(entry)
    if not entries:
        raise UserError("search=nearest needs training pictures, and there are none: give other searches too")
    return entries


def _measures(
    config: DictConfig,
    model: Model,
    networks: list[FeatureNetwork],
    chosen: Pictures,
    reference: Pictures | None,
    cache: ResultCache,
    skipped: dict[str, str],
) -> Measures:
    """Returns LPIPS and distances, as far as weights and pictures are available."""
    perceptual = lpips(config.lpips, model.device)
    if isinstance(perceptual, Skipped):
        skipped["lpips"] = perceptual.reason
        perceptual = None
    if not networks:
        skipped["fd, kd, l2"] = "no feature network was given"
        return Measures(None, perceptual)
    if reference is None:
        names = ", ".join(name for network in networks for name in network.distance_names)
        skipped[names] = "there are no training pictures of the same sources to compare with"
    return Measures(FeatureDistances(chosen, reference, networks, model.device, cache), perceptual)


def _facts(config: DictConfig, model: Model, store: ImageStore | None) -> dict[str, str]:
    """Returns the conditions of the measurement, for the report."""
    return {
        "model": f"{config.model}, {model.digest[:12]}",
        "data": "none" if store is None else f"{config.data.path}, {store.digest[:12]}",
        "seed": str(config.seed),
        "device": f"{model.device}, {describe(model.device)}",
        "commit": (commit() or "none")[:12],
        "command": shlex.join(["ganfill", *sys.argv[1:]]),
    }


@contextmanager
def _bar(label: str, total: int) -> Iterator[Callable[[float], object]]:
    """Opens a progress bar in pictures."""
    with progress_bar(total=total, desc=label, unit="picture", bar_format=WITHOUT_RATE) as bar:
        yield lambda count: bar.update(min(count, bar.total - bar.n))
