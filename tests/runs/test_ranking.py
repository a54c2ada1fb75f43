import math
from pathlib import Path

import numpy as np
import pytest

from ganfill.errors import UserError
from ganfill.runs.ranking import columns, measured, rank, times
from ganfill.runs.reader import RunRecord


def _run(loss, seed=0, fd=(), state="finished", kimg=40.0, figures=None, name=None, **more):
    config = {"loss": {"_target_": f"losses.{loss}"}, "seed": seed, "data": {"seed": seed}}
    steps = 10.0 * np.arange(1, len(fd) + 1)
    distances = {"kimg": steps, "fd_face": np.array(fd, float)} | {k: np.array(v, float) for k, v in more.items()}
    metrics = {"kimg": np.array([1.0, 2.0, 3.0]), "images_per_second": np.array([50.0, math.nan, 70.0])}
    figures = {"kimg": kimg} | (figures or {})
    name = name or f"{loss},{seed}"
    return RunRecord(name, Path(name), config, metrics, distances if fd else {}, figures, state, ())


def test_best_and_last_values_of_a_run():
    run = _run("A", fd=[9, 3, 3, math.nan, 5], diversity=[1, 2, 3, 4, math.nan], figures={"parameters_generator": 7})
    assert measured(run) == {
        "kimg": 40.0,
        "parameters_generator": 7,
        "fd_face_best": 3.0,
        "fd_face_best_at": 20.0,
        "fd_face_last": 5.0,
        "diversity": 4.0,
    }
    assert measured(_run("A", fd=[math.nan])) == {"kimg": 40.0}
    assert times(run) == {"seconds": None, "images_per_second": 60.0}


def test_the_smallest_best_value_comes_first_and_what_has_none_last_by_name():
    runs = [_run("D"), _run("C", fd=[5, 4]), _run("B", fd=[9, 2, 8]), _run("A", state="failed: x")]
    entries, by = rank(runs, None, seeds_together=True)
    assert by == "fd_face_best"
    assert [entry.label for entry in entries] == ["loss=B", "loss=C", "loss=A", "loss=D"]
    assert [entry.row["rank"] for entry in entries] == [1, 2, None, None]
    assert [entry.row["state"] for entry in entries] == ["finished", "finished", "failed: x", "finished"]


def test_another_figure_to_rank_by():
    runs = [_run("A", fd=[1, 9], kd_face=[3, 2]), _run("B", fd=[4, 5], kd_face=[1, 1])]
    for by, first in (("fd_face", "A"), ("fd_face_last", "B"), ("kd_face_best", "B"), ("kimg", "A")):
        entries, found = rank(runs, by, seeds_together=True)
        assert entries[0].settings == {"loss": first} and found == ("fd_face_best" if by == "fd_face" else by)
    for wrong in ("seconds", "fd_hand", "loss"):
        with pytest.raises(UserError, match=f"by={wrong} is not a figure.*fd_face_best"):
            rank(runs, wrong, seeds_together=True)


def test_without_any_figure_rows_are_in_the_order_of_their_names():
    entries, by = rank([_run("B"), _run("A")], None, seeds_together=True)
    assert by is None and [entry.row["rank"] for entry in entries] == [None, None]
    assert [entry.label for entry in entries] == ["loss=A", "loss=B"]


def test_seeds_become_a_mean_with_its_deviation():
    runs = [_run(loss, seed, fd=[value]) for loss, seed, value in (("A", 0, 6), ("A", 1, 2), ("B", 0, 5))]
    entries, _ = rank(runs, None, seeds_together=True)
    first, second = entries
    assert first.settings == {"loss": "A"} and first.labels == ("loss=A, seed=0", "loss=A, seed=1")
    assert (first.row["n"], first.row["fd_face_best"]) == (2, 4.0)
    assert first.row["fd_face_best_sd"] == pytest.approx(math.sqrt(8))
    assert (second.row["n"], second.row["fd_face_best"]) == (1, 5.0) and "fd_face_best_sd" not in second.row
    apart, _ = rank(runs, None, seeds_together=False)
    assert [(entry.row["seed"], entry.row["fd_face_best"]) for entry in apart] == [(1, 2.0), (0, 5.0), (0, 6.0)]
    assert "n" not in columns(apart)


def test_only_finished_seeds_count_as_long_as_there_are_any():
    late = {"state": "at 20 of 40 kimg"}
    entries, _ = rank([_run("A", 0, fd=[6]), _run("A", 1, fd=[90], **late)], None, seeds_together=True)
    (row,) = (entry.row for entry in entries)
    assert (row["n"], row["fd_face_best"]) == (1, 6.0)
    assert row["state"] == "1 of 2 finished; seed=1 at 20 of 40 kimg"
    entries, _ = rank([_run("A", seed, fd=[10 * seed], **late) for seed in (1, 2)], None, seeds_together=True)
    assert entries[0].row["fd_face_best"] == 15.0


def test_collapsed_runs_come_last_whatever_their_distances():
    runs = [_run("Grey", fd=[1, 1], diversity=[0.9, 0.008]), _run("Faces", fd=[9, 5], diversity=[0.1, 0.8])]
    runs += [_run("Unknown", fd=[7]), _run("Empty")]
    entries, by = rank(runs, None, seeds_together=True)
    assert by == "fd_face_best"
    assert [(entry.settings["loss"], entry.row["rank"], entry.collapsed) for entry in entries] == [
        ("Faces", 1, False),
        ("Unknown", 2, False),
        ("Grey", 3, True),
        ("Empty", None, False),
    ]
    assert entries[2].row["state"] == "finished; collapsed or undertrained: diversity 0.008 is below 0.4"
    assert entries[0].row["state"] == "finished"


def test_one_collapsed_seed_puts_its_row_last_and_is_named():
    runs = [_run(loss, seed, fd=[fd], diversity=[diversity]) for loss, seed, fd, diversity in
            (("A", 0, 2, 0.9), ("A", 1, 1, 0.01), ("B", 0, 8, 0.9), ("B", 1, 8, 0.9))]  # fmt: skip
    entries, _ = rank(runs, None, seeds_together=True)
    assert [entry.label for entry in entries] == ["loss=B", "loss=A"]
    assert entries[1].row["state"] == "finished; seed=1 collapsed or undertrained: diversity 0.01 is below 0.4"


def test_the_same_run_twice_is_no_second_seed():
    runs = [_run("A", 0, fd=[6], name="x"), _run("A", 0, fd=[6], name="y")]
    assert len(rank(runs, None, seeds_together=True)[0]) == 2


def test_columns_are_in_a_fixed_order_whatever_rows_lack():
    runs = [
        _run("A", fd=[1], diversity=[1]),
        _run("B", 0, fd=[2], kd_face=[1], figures={"parameters_g": 5}),
        _run("B", 1, fd=[3]),
    ]
    fd = ["fd_face_best", "fd_face_best_sd", "fd_face_best_at", "fd_face_last", "fd_face_last_sd"]
    kd = ["kd_face_best", "kd_face_best_at", "kd_face_last"]
    entries, _ = rank(runs, None, seeds_together=True)
    middle = ["diversity", "kimg", "parameters_g", "seconds", "images_per_second"]
    assert columns(entries) == ["rank", "loss", "n", *fd, *kd, *middle, "state", "runs"]
    assert entries[1].row["parameters_g"] == 5
