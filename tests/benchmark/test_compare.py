from contextlib import contextmanager

import numpy as np
import pytest
import torch

from ganfill.benchmark.cache import ResultCache
from ganfill.benchmark.compare import Measures, evaluate
from ganfill.benchmark.eval_case import EvalCase
from ganfill.benchmark.feature_distances import FeatureDistances
from ganfill.benchmark.search_entry import SearchEntry, parse_search
from ganfill.data.store import ImageStore
from ganfill.data.subsets import choose, reference
from ganfill.errors import UserError
from ganfill.metrics.features import FeatureNetwork


@pytest.fixture
def store(store_path):
    return ImageStore.open(store_path)


@pytest.fixture
def compare(model, store, tmp_path):
    """Compares the mean, Telea and a search that refuses, on two masks."""
    chosen = choose(store, "test", ["a/", "b/"], 6, 0)

    def refuse(*arguments, **options):
        raise UserError("it needs an encoder")

    words = [parse_search("mean", None), SearchEntry("refusing", refuse, {}), parse_search("telea", None)]  # pyright: ignore
    bars: dict[str, float] = {}

    @contextmanager
    def progress(label, total):
        bars[label] = 0

        def advance(count):
            bars[label] = min(total, bars[label] + count)

        yield advance

    def run(measures=None, against="mean"):
        cases = [EvalCase(model, chosen, mask) for mask in ("center", "box")]
        cache = ResultCache(tmp_path / "cells")
        return evaluate(cases, words, cache, measures or Measures(), against, 3, progress), cache, bars

    return run


def test_every_search_has_a_row_for_every_mask_and_who_refuses_is_skipped(compare):
    result, cache, bars = compare()
    assert [(row["mask"], row["search"]) for row in result.rows] == [
        ("center", "mean"),
        ("center", "telea"),
        ("box", "mean"),
        ("box", "telea"),
    ]
    assert result.skipped == {
        "refusing on center": "it needs an encoder",
        "refusing on box": "it needs an encoder",
    }
    row = result.rows[0]
    assert row["n"] == 6 and row["psnr_low"] < row["psnr"] < row["psnr_high"] and row["passes"] == 0
    assert {"seconds", "seconds_single", "model", "seed", "device", "machine", "threads", "torch", "cell"} <= set(row)
    assert cache.computed == 4 and bars["box telea"] == 6


def test_again_computes_nothing_and_fills_the_bars(compare):
    first = compare()[0]
    result, cache, bars = compare()
    assert result.rows == first.rows and result.paired == first.paired
    assert (cache.computed, cache.found) == (0, 4) and bars["center mean"] == 6


def test_pairs_shares_and_sheets(compare):
    result = compare(against="telea")[0]
    assert {(row["mask"], row["search"], row["against"]) for row in result.paired} == {
        ("center", "mean", "telea"),
        ("box", "mean", "telea"),
    }
    by_search = {row["search"]: row["psnr"] for row in result.rows if row["mask"] == "box"}
    difference = next(row for row in result.paired if row["mask"] == "box" and row["figure"] == "psnr")["difference"]
    assert difference == pytest.approx(by_search["mean"] - by_search["telea"])
    assert len(result.shares["telea"]) == 12 and result.shares["telea"][0][0] == 0.25
    assert [list(result.sheets[mask]) for mask in ("center", "box")] == [["mean", "telea"]] * 2
    assert result.sheets["box"]["mean"].shape == (3, 32, 32, 3)


def test_who_is_compared_with_nothing_that_worked_has_no_pairs(compare):
    assert compare(against="refusing")[0].paired == []


def test_distances_stand_beside_those_of_the_originals(compare, store, tmp_path):
    network = FeatureNetwork("colours", lambda batch: batch.float().mean((2, 3)), "1")
    chosen = choose(store, "test", ["a/", "b/"], 6, 0)
    real = reference(store, chosen, 0)
    assert real is not None
    distances = FeatureDistances(chosen, real, [network], torch.device("cpu"), ResultCache(tmp_path / "cells"))
    lpips_calls = []

    def lpips(finished, truth):
        lpips_calls.append(len(finished))
        return np.abs(finished.astype(float) - truth).mean((1, 2, 3))

    for _ in range(2):
        rows = compare(Measures(distances, lpips))[0].rows
    distances = {(row["mask"], row["search"]): row["fd_colours"] for row in rows}
    assert distances["center", "original"] == distances["box", "original"] < distances["center", "mean"]
    original = next(row for row in rows if row["search"] == "original")
    assert "psnr" not in original and "l2_colours" not in original and original["n"] == 6 and original["seed"] == 0
    assert 0 < rows[0]["l2_colours_low"] <= rows[0]["l2_colours"]
    assert rows[0]["lpips_low"] <= rows[0]["lpips"] and lpips_calls == [6] * 4
