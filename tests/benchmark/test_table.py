import csv

import numpy as np
import pytest

from ganfill.benchmark.cache import CachedResult
from ganfill.benchmark.table import compare, compute_metrics, summarize
from ganfill.report.table_files import columns, markdown, write_csv


@pytest.fixture
def truth():
    return np.random.default_rng(0).integers(60, 180, (4, 16, 16, 3), dtype=np.uint8)


@pytest.fixture
def holes():
    holes = np.zeros((4, 16, 16), bool)
    holes[:, 4:12, 4:12] = True
    return holes


def answered(truth, holes, *levels):
    """A cell whose answers are off by so many levels."""
    answers = [np.where(holes[..., None], truth.astype(int) + level, truth).astype(np.uint8) for level in levels]
    scores = np.tile(np.arange(len(levels), dtype=float), (len(truth), 1))
    return CachedResult({"finished": np.stack(answers, 1), "scores": scores}, {})


def test_the_first_answer_is_judged(truth, holes):
    figures = compute_metrics(answered(truth, holes, 10), truth, holes)
    assert set(figures) == {"psnr", "ssim", "l1", "seam"}
    assert figures["l1"] == pytest.approx(10) and figures["seam"] == pytest.approx(10)


def test_several_answers_are_judged_together(truth, holes):
    figures = compute_metrics(answered(truth, holes, 10, -10, 40), truth, holes)
    assert figures["l1"] == pytest.approx(10)
    assert figures["psnr_best_of_k"] == pytest.approx(figures["psnr"])
    assert figures["psnr_mean_of_k"] == pytest.approx(20 * np.log10(255 / 13), abs=0.05)  # (10 - 10 + 40) / 3
    assert figures["diversity"] == pytest.approx((20 + 30 + 50) / 3)
    assert figures["rank_correlation"] == pytest.approx(np.sqrt(0.75))
    assert figures["first_beats_median"].tolist() == [0.5] * 4


def test_estimates_are_judged_if_there_are_any(truth, holes):
    cell = answered(truth, holes, 10)
    cell.arrays.update(mean=truth, low=truth - 1, high=truth + 1)
    figures = compute_metrics(cell, truth, holes)
    assert (figures["psnr_mean"] > 100).all() and (figures["coverage"] == 1).all()


def test_means_have_intervals_and_the_median_follows_psnr():
    row = summarize({"psnr": np.array([10.0, 20, 60]), "seam": np.array([np.nan] * 3)})
    assert list(row)[:4] == ["psnr", "psnr_low", "psnr_high", "psnr_median"]
    assert row["psnr"] == 30 and row["psnr_median"] == 20 and row["psnr_low"] < 30 < row["psnr_high"]
    assert np.isnan(row["seam"])


def test_a_comparison_is_paired():
    spread = np.array([10.0, 20, 30, 40])
    rows = compare("center", "new", {"psnr": spread + 1, "l1": spread}, "old", {"psnr": spread, "l1": spread - 2})
    assert [(row["figure"], row["difference"], row["better_share"]) for row in rows] == [
        ("psnr", 1, 1),
        ("l1", 2, 0),
    ]
    assert all(row["difference_low"] == row["difference"] == row["difference_high"] for row in rows)
    assert rows[0] | {"mask": "center", "search": "new", "against": "old", "n": 4} == rows[0]


def test_columns_come_as_they_are_met_and_provenance_last():
    rows = [{"search": "a", "psnr": 1.0, "torch": "2", "cell": "x"}, {"search": "b", "coverage": 0.9}]
    assert columns(rows) == ["search", "psnr", "coverage", "torch", "cell"]


def test_csv_leaves_empty_what_is_not_known(tmp_path):
    write_csv(tmp_path / "t.csv", [{"search": "a,b", "psnr": 1 / 3, "n": 2}, {"search": "c", "psnr": np.nan}])
    with (tmp_path / "t.csv").open(newline="") as file:
        assert list(csv.reader(file)) == [["search", "psnr", "n"], ["a,b", "0.333333", "2"], ["c", "", ""]]
    assert [path.name for path in tmp_path.iterdir()] == ["t.csv"]


def test_markdown_puts_intervals_behind_means():
    rows = [
        {"search": "a|b", "psnr": 17.456, "psnr_low": 16.0, "psnr_high": 18.0, "fd_x": None},
        {"search": "c", "psnr": np.nan, "psnr_low": np.nan, "psnr_high": np.nan, "fd_x": 0.01234},
    ]
    lines = markdown(rows, ["search", "psnr", "fd_x"]).splitlines()
    assert lines == [
        "| search | psnr | fd_x |",
        "|---|---|---|",
        "| a\\|b | 17.46 (16.00 to 18.00) | – |",
        "| c | – | 0.0123 |",
    ]
    assert markdown([{"fd": 4.5, "fd_sd": 0.25}], ["fd"]).splitlines()[2] == "| 4.5 ± 0.250 |"


def test_a_csv_of_chosen_columns(tmp_path):
    write_csv(tmp_path / "a.csv", [{"model": "m", "fd": 1.23456789}, {"fd": np.nan, "more": 1}], ["model", "fd"])
    assert (tmp_path / "a.csv").read_text() == "model,fd\nm,1.23457\n,\n"
