import math
from pathlib import Path

import numpy as np
import pytest

from ganfill.errors import UserError
from ganfill.runs.ranking import columns, measured, rank, times
from ganfill.runs.reader import RunRecord


def _cell(loss, seed=0, fd=(), state="finished", kimg=40.0, figures=None, name=None, **more):
    config = {"loss": {"_target_": f"losses.{loss}"}, "seed": seed, "data": {"seed": seed}}
    steps = 10.0 * np.arange(1, len(fd) + 1)
    distances = {"kimg": steps, "fd_face": np.array(fd, float)} | {k: np.array(v, float) for k, v in more.items()}
    metrics = {"kimg": np.array([1.0, 2.0, 3.0]), "images_per_second": np.array([50.0, math.nan, 70.0])}
    figures = {"kimg": kimg} | (figures or {})
    name = name or f"{loss},{seed}"
    return RunRecord(name, Path(name), config, metrics, distances if fd else {}, figures, state, ())


def test_best_and_last_values_of_a_cell():
    cell = _cell("A", fd=[9, 3, 3, math.nan, 5], diversity=[1, 2, 3, 4, math.nan], figures={"parameters_generator": 7})
    assert measured(cell) == {
        "kimg": 40.0,
        "parameters_generator": 7,
        "fd_face_best": 3.0,
        "fd_face_best_at": 20.0,
        "fd_face_last": 5.0,
        "diversity": 4.0,
    }
    assert measured(_cell("A", fd=[math.nan])) == {"kimg": 40.0}
    assert times(cell) == {"seconds": None, "images_per_second": 60.0}


def test_the_smallest_best_value_comes_first_and_what_has_none_last_by_name():
    cells = [_cell("D"), _cell("C", fd=[5, 4]), _cell("B", fd=[9, 2, 8]), _cell("A", state="failed: x")]
    entries, by = rank(cells, None, seeds_together=True)
    assert by == "fd_face_best"
    assert [entry.label for entry in entries] == ["loss=B", "loss=C", "loss=A", "loss=D"]
    assert [entry.row["rank"] for entry in entries] == [1, 2, None, None]
    assert [entry.row["state"] for entry in entries] == ["finished", "finished", "failed: x", "finished"]


def test_another_figure_to_rank_by():
    cells = [_cell("A", fd=[1, 9], kd_face=[3, 2]), _cell("B", fd=[4, 5], kd_face=[1, 1])]
    for by, first in (("fd_face", "A"), ("fd_face_last", "B"), ("kd_face_best", "B"), ("kimg", "A")):
        entries, found = rank(cells, by, seeds_together=True)
        assert entries[0].settings == {"loss": first} and found == ("fd_face_best" if by == "fd_face" else by)
    for wrong in ("seconds", "fd_hand", "loss"):
        with pytest.raises(UserError, match=f"by={wrong} is no figure.*fd_face_best"):
            rank(cells, wrong, seeds_together=True)


def test_without_any_figure_rows_are_in_the_order_of_their_names():
    entries, by = rank([_cell("B"), _cell("A")], None, seeds_together=True)
    assert by is None and [entry.row["rank"] for entry in entries] == [None, None]
    assert [entry.label for entry in entries] == ["loss=A", "loss=B"]


def test_seeds_become_a_mean_with_its_deviation():
    cells = [_cell(loss, seed, fd=[value]) for loss, seed, value in (("A", 0, 6), ("A", 1, 2), ("B", 0, 5))]
    entries, _ = rank(cells, None, seeds_together=True)
    first, second = entries
    assert first.settings == {"loss": "A"} and first.labels == ("loss=A, seed=0", "loss=A, seed=1")
    assert (first.row["n"], first.row["fd_face_best"]) == (2, 4.0)
    assert first.row["fd_face_best_sd"] == pytest.approx(math.sqrt(8))
    assert (second.row["n"], second.row["fd_face_best"]) == (1, 5.0) and "fd_face_best_sd" not in second.row
    apart, _ = rank(cells, None, seeds_together=False)
    assert [(entry.row["seed"], entry.row["fd_face_best"]) for entry in apart] == [(1, 2.0), (0, 5.0), (0, 6.0)]
    assert "n" not in columns(apart)


def test_only_finished_seeds_count_as_long_as_there_are_any():
    late = {"state": "at 20 of 40 kimg"}
    entries, _ = rank([_cell("A", 0, fd=[6]), _cell("A", 1, fd=[90], **late)], None, seeds_together=True)
    (row,) = (entry.row for entry in entries)
    assert (row["n"], row["fd_face_best"]) == (1, 6.0)
    assert row["state"] == "1 of 2 finished; seed=1 at 20 of 40 kimg"
    entries, _ = rank([_cell("A", seed, fd=[10 * seed], **late) for seed in (1, 2)], None, seeds_together=True)
    assert entries[0].row["fd_face_best"] == 15.0


def test_the_same_cell_twice_is_no_second_seed():
    cells = [_cell("A", 0, fd=[6], name="x"), _cell("A", 0, fd=[6], name="y")]
    assert len(rank(cells, None, seeds_together=True)[0]) == 2


def test_columns_are_in_a_fixed_order_whatever_rows_lack():
    cells = [
        _cell("A", fd=[1], diversity=[1]),
        _cell("B", 0, fd=[2], kd_face=[1], figures={"parameters_g": 5}),
        _cell("B", 1, fd=[3]),
    ]
    fd = ["fd_face_best", "fd_face_best_sd", "fd_face_best_at", "fd_face_last", "fd_face_last_sd"]
    kd = ["kd_face_best", "kd_face_best_at", "kd_face_last"]
    entries, _ = rank(cells, None, seeds_together=True)
    middle = ["diversity", "kimg", "parameters_g", "seconds", "images_per_second"]
    assert columns(entries) == ["rank", "loss", "n", *fd, *kd, *middle, "state", "cells"]
    assert entries[1].row["parameters_g"] == 5
