"""Compares searches on the same pictures and holes."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from ganfill.benchmark.cache import CachedResult, ResultCache
from ganfill.benchmark.eval_case import EvalCase, run_search
from ganfill.benchmark.feature_distances import ORIGINAL, FeatureDistances
from ganfill.benchmark.search_entry import SearchEntry
from ganfill.benchmark.table import Figures, compare, compute_metrics, summarize
from ganfill.data.subsets import sha256
from ganfill.errors import UserError
from ganfill.metrics.pretrained import Lpips
from ganfill.report.table_files import Row

LPIPS_VERSION = "0.1 alex"

OpenBar = Callable[[str, int], AbstractContextManager[Callable[[float], object]]]


@dataclass
class Evaluation:
    """Results of an evaluation.

    Attributes:
        rows: of the table, one for each search and mask, and one for the originals where distances are measured.
        paired: differences from the search ``against``.
        shares: by search, (missing share, PSNR) of each picture, over all masks.
        sheets: by mask, the first answers to the first pictures by search, uint8 (M, R, R, 3).
        skipped: what could not be computed, and why.
    """

    rows: list[Row] = field(default_factory=list)
    paired: list[Row] = field(default_factory=list)
    shares: dict[str, list[tuple[float, float]]] = field(default_factory=dict)
    sheets: dict[str, dict[str, np.ndarray]] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Measures:
    """Additional measurements.

    Args:
        distances: from real pictures and from the originals, in feature networks.
        lpips: perceptual distance of whole finished pictures from the true ones.
    """

    distances: FeatureDistances | None = None
    lpips: Lpips | None = None


def evaluate(
    cases: Sequence[EvalCase],
    entries: Sequence[SearchEntry],
    cache: ResultCache,
    measures: Measures,
    against: str,
    sheet: int,
    open_bar: OpenBar,
) -> Evaluation:
    """Compares searches. A search that raises ``UserError`` is skipped with that reason.

    Args:
        cases: one for each mask.
        entries: the searches.
        cache: of results.
        measures: additional measurements.
        against: the word of the search that the others are compared with.
        sheet: pictures on a contact sheet.
        open_bar: ``(label, pictures)`` opens a progress bar, which is advanced by fractions of pictures.
    """
    result = Evaluation()
    for case in cases:
        truth, figures, sheets = case.pictures, dict[str, Figures](), dict[str, np.ndarray]()
        for entry in entries:
            word = entry.word
            try:
                with open_bar(f"{case.mask} {word}", len(truth)) as advance:
                    answer = run_search(case, entry, cache, advance)
                    advance(len(truth))  # a cached result is finished at once
            except UserError as error:
                result.skipped[f"{word} on {case.mask}"] = str(error)
                continue
            figures[word] = _figures(case, word, answer, cache, measures)
            sheets[word] = answer.arrays["finished"][:sheet, 0]
            result.rows.append(_row(case, word, answer, figures[word], measures))
            shares = zip(case.holes.mean((1, 2)).tolist(), figures[word]["psnr"].tolist(), strict=True)
            result.shares.setdefault(word, []).extend(shares)
        if measures.distances is not None and measures.distances.reference is not None:
            floor = measures.distances.from_set(truth.images, ORIGINAL, sha256(truth.images))
            result.rows.append({"search": ORIGINAL, "mask": case.mask, "n": len(truth)} | floor | _provenance(case))
        result.sheets[case.mask] = sheets
        if against in figures:
            for word, values in figures.items():
                if word != against:
                    result.paired += compare(case.mask, word, values, against, figures[against])
    return result


def _figures(case: EvalCase, word: str, result: CachedResult, cache: ResultCache, measures: Measures) -> Figures:
    """Returns the figures of a result, each (N,)."""
    figures = compute_metrics(result, case.pictures.images, case.holes)
    if measures.distances is not None:
        finished = result.arrays["finished"][:, 0]
        figures |= measures.distances.from_originals(finished, f"{case.mask}-{word}", result.digest)
    if measures.lpips is None:
        return figures
    compute = partial(measures.lpips, result.arrays["finished"][:, 0], case.pictures.images)
    depends = {"cell": result.digest, "lpips": LPIPS_VERSION}
    return figures | cache.get("lpips", depends, lambda: CachedResult({"lpips": compute()}, {})).arrays


def _row(case: EvalCase, word: str, result: CachedResult, figures: Figures, measures: Measures) -> Row:
    """Returns the row of a result."""
    row = {"search": word, "mask": case.mask, "n": len(case.pictures)} | summarize(figures)
    if measures.distances is not None:
        row |= measures.distances.from_set(result.arrays["finished"][:, 0], f"{case.mask}-{word}", result.digest)
    times = {key: result.facts[key] for key in ("seconds", "seconds_single", "passes")}
    measured_on = {key: result.facts[key] for key in ("machine", "threads", "torch")}
    answers = result.arrays["finished"].shape[1]
    return row | times | {"answers": answers} | _provenance(case) | measured_on | {"cell": result.digest[:12]}


def _provenance(case: EvalCase) -> Row:
    return {"model": case.model.digest[:12], "seed": case.seed, "device": str(case.model.device)}
