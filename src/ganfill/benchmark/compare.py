"""Searches compared: on the same pictures, with the same holes, by the same figures."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from ganfill.benchmark.cache import CachedResult, ResultCache
from ganfill.benchmark.cells import EvalCase, find_cell
from ganfill.benchmark.contestants import SearchEntry
from ganfill.benchmark.feature_distances import FeatureDistances
from ganfill.benchmark.table import Figures, compare, compute_metrics, summarise
from ganfill.data.subsets import sha256
from ganfill.errors import UserError
from ganfill.metrics.pretrained import Lpips
from ganfill.report.table_files import Row

ORIGINAL = "original"  # the true pictures themselves: how far apart real pictures are
LPIPS_VERSION = "0.1 alex"

Progress = Callable[[str, int], AbstractContextManager[Callable[[float], object]]]


@dataclass
class Evaluation:
    """What came out.

    Attributes:
        rows: of the table, one for each search and mask, and one for the originals where distances are measured.
        paired: differences from the search that all are compared with.
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
    """What is measured beside the figures that every evaluation has.

    Args:
        yardstick: measures distances from real pictures.
        lpips: the perceptual distance of whole finished pictures from the true ones.
    """

    yardstick: FeatureDistances | None = None
    lpips: Lpips | None = None


def evaluate(
    scenes: Sequence[EvalCase],
    contestants: Sequence[SearchEntry],
    shelf: ResultCache,
    measures: Measures,
    against: str,
    sheet: int,
    progress: Progress,
) -> Evaluation:
    """Compares searches. One that refuses its task with a ``UserError`` is skipped with that reason.

    Args:
        scenes: one for each mask.
        contestants: the searches.
        shelf: where cells are kept.
        measures: what is measured in addition.
        against: the word of the search that the others are compared with.
        sheet: pictures on a contact sheet.
        progress: ``(label, pictures)`` opens a bar, whose value is told pictures in fractions.
    """
    result = Evaluation()
    for scene in scenes:
        truth, figures, sheets = scene.pictures, dict[str, Figures](), dict[str, np.ndarray]()
        for contestant in contestants:
            word = contestant.word
            try:
                with progress(f"{scene.mask} {word}", len(truth)) as advance:
                    cell = find_cell(scene, contestant, shelf, advance)
                    advance(len(truth))  # what is found on the shelf is done as well
            except UserError as error:
                result.skipped[f"{word} on {scene.mask}"] = str(error)
                continue
            figures[word] = _figures(scene, cell, shelf, measures)
            sheets[word] = cell.arrays["finished"][:sheet, 0]
            result.rows.append(_row(scene, word, cell, figures[word], measures))
            shares = zip(scene.holes.mean((1, 2)).tolist(), figures[word]["psnr"].tolist(), strict=True)
            result.shares.setdefault(word, []).extend(shares)
        if measures.yardstick is not None:
            floor = measures.yardstick.measure(truth.images, ORIGINAL, sha256(truth.images))
            result.rows.append({"search": ORIGINAL, "mask": scene.mask, "n": len(truth)} | floor | _provenance(scene))
        result.sheets[scene.mask] = sheets
        if against in figures:
            others = {word: its for word, its in figures.items() if word != against}
            for word, its in others.items():
                result.paired += compare(scene.mask, word, its, against, figures[against])
    return result


def _figures(scene: EvalCase, cell: CachedResult, shelf: ResultCache, measures: Measures) -> Figures:
    """The figures of a cell, each (N,)."""
    figures = compute_metrics(cell, scene.pictures.images, scene.holes)
    if measures.lpips is None:
        return figures
    compute = partial(measures.lpips, cell.arrays["finished"][:, 0], scene.pictures.images)
    depends = {"cell": cell.digest, "lpips": LPIPS_VERSION}
    return figures | shelf.get("lpips", depends, lambda: CachedResult({"lpips": compute()}, {})).arrays


def _row(scene: EvalCase, word: str, cell: CachedResult, figures: Figures, measures: Measures) -> Row:
    """The cell's row of the table."""
    row = {"search": word, "mask": scene.mask, "n": len(scene.pictures)} | summarise(figures)
    if measures.yardstick is not None:
        row |= measures.yardstick.measure(cell.arrays["finished"][:, 0], f"{scene.mask}-{word}", cell.digest)
    times = {key: cell.facts[key] for key in ("seconds", "seconds_single", "passes")}
    measured_on = {key: cell.facts[key] for key in ("machine", "threads", "torch")}
    answers = cell.arrays["finished"].shape[1]
    return row | times | {"answers": answers} | _provenance(scene) | measured_on | {"cell": cell.digest[:12]}


def _provenance(scene: EvalCase) -> Row:
    return {"model": scene.model.digest[:12], "seed": scene.seed, "device": str(scene.model.device)}
