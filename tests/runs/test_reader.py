import json
from pathlib import Path

import numpy as np
import pytest
import yaml

from ganfill.runs.reader import read_curve, read_runs

ROWS = "kimg,loss_d,seconds\r\n10,0.5,1.5\r\n20,0.25,3\r\n"


def _cell(directory, config=None, rows=ROWS, kimg=None, checkpoint=True, **summary):
    directory.mkdir(parents=True)
    (directory / "config.yaml").write_text(yaml.safe_dump({"kimg": 40, "out": str(directory)} | (config or {})))
    if rows:
        (directory / "metrics.csv").write_text(rows)
    if checkpoint:
        (directory / "last.ckpt").touch()
    if kimg is not None:
        (directory / "summary.json").write_text(json.dumps({"figures": {"kimg": kimg}} | summary))
    return directory


def test_cells_are_found_at_any_depth_in_the_order_of_their_names(tmp_path):
    for name in ("b", "a/deep/down", "c"):
        _cell(tmp_path / name)
    _cell(tmp_path / "c/.hydra")
    _cell(tmp_path / "c/wandb/run/files")
    for part in ("encoder", "inpainter"):
        _cell(tmp_path / part, {part: {"width": 4}})
    (tmp_path / "empty").mkdir()
    assert [cell.name for cell in read_runs(tmp_path)] == ["a/deep/down", "b", "c"]
    assert [cell.name for cell in read_runs(tmp_path / "b")] == ["b"]
    assert read_runs(tmp_path / "empty") == []


def test_planned_cells_that_do_not_exist_yet_are_not_started(tmp_path, monkeypatch):
    _cell(tmp_path / "losses/b", kimg=40)
    (tmp_path / "losses/a/.hydra").mkdir(parents=True)
    (tmp_path / "losses/cells.txt").write_text("b\na\nc\n../beside\n../../outside\n")
    found = [
        ("beside", "not started"),
        ("losses/a", "not started"),
        ("losses/b", "finished"),
        ("losses/c", "not started"),
    ]
    assert [(cell.name, cell.state) for cell in read_runs(tmp_path)] == found
    assert [cell.name for cell in read_runs(tmp_path / "losses")] == ["a", "b", "c"]
    monkeypatch.chdir(tmp_path / "losses")
    assert [cell.name for cell in read_runs(Path())] == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("changes", "state"),
    [
        ({"kimg": 40.096}, "finished"),
        ({}, "at 20 of 40 kimg"),
        ({"kimg": 20}, "at 20 of 40 kimg"),  # made longer since
        ({"checkpoint": False}, "at 20 of 40 kimg, without a checkpoint"),
        ({"rows": ""}, "at 0 of 40 kimg"),
        ({"rows": "", "checkpoint": False}, "not started"),
        ({"config": {"minutes": 5}}, "at 0.05 of 5 minutes"),
        ({"config": {"minutes": 5}, "kimg": 20}, "finished"),
        ({"config": {"minutes": 5}, "kimg": 20, "config_then": 5}, "finished"),
        ({"config": {"minutes": 5}, "kimg": 20, "config_then": 3}, "at 0.05 of 5 minutes"),
    ],
)
def test_how_far_a_cell_is(changes, state, tmp_path):
    if "config_then" in changes:
        changes = dict(changes)
        minutes = changes.pop("config_then")
        directory = _cell(tmp_path / "a", **changes)
        (directory / "summary.json").write_text(json.dumps({"figures": {"kimg": 20}, "config": {"minutes": minutes}}))
    else:
        _cell(tmp_path / "a", **changes)
    (cell,) = read_runs(tmp_path)
    assert cell.state == state and cell.finished == (state == "finished") and cell.problems == ()


def test_a_failure_is_described_by_its_first_line_unless_the_cell_got_to_its_end_later(tmp_path):
    for name, kimg in (("late", None), ("done", 40)):
        (_cell(tmp_path / name, kimg=kimg) / "failed.txt").write_text("the loss became NaN \nTraceback\n")
    (tmp_path / "bare").mkdir()
    (tmp_path / "bare/failed.txt").touch()
    assert [cell.state for cell in read_runs(tmp_path)] == [
        "failed: no reason was given",
        "finished",
        "failed: the loss became NaN",
    ]


def test_the_last_of_rows_for_the_same_images_counts(tmp_path):
    (tmp_path / "metrics.csv").write_text("kimg,loss_d\n10,1\n20,2\n10,3\n")
    problems = []
    curve = read_curve(tmp_path / "metrics.csv", problems)
    assert curve["kimg"].tolist() == [10, 20] and curve["loss_d"].tolist() == [3, 2] and problems == []


@pytest.mark.parametrize(
    ("text", "kept", "problem"),
    [
        ("kimg,a\n1,2\n3", [1], "line 3 is cut off"),
        ("kimg,a\n1,2\n3,45", [1], "line 3 is cut off"),  # what stood behind 45 is lost
        ("kimg,a\n1,2\nx,2\n4\n5,6\n", [1, 5], "2 lines, first 3, are cut off"),
        ("kimg,a\n1,2\n\0\0,3\n", [1], "line 3 is cut off or not numeric"),
        ("a,b\n1,2\n", None, "has no column kimg"),
        ("", None, "has no column kimg"),
        ("kimg,a\n", [], None),
        ("kimg,a\n1,\n2,nan\n", [1, 2], None),
    ],
)
def test_damaged_rows_are_left_out_with_one_line(text, kept, problem, tmp_path):
    (tmp_path / "distances.csv").write_bytes(text.encode())
    problems = []
    curve = read_curve(tmp_path / "distances.csv", problems)
    assert ("kimg" in curve) == (kept is not None)
    if kept is not None:
        assert curve["kimg"].tolist() == kept
    assert len(problems) == (problem is not None)
    if problem:
        assert problem in problems[0] and problems[0].startswith("distances.csv") and "\n" not in problems[0]
    assert read_curve(tmp_path / "nowhere.csv", problems) == {}


@pytest.mark.parametrize("content", [b"a: [1", b"\xff\xfe", b"- 1\n", b"just words"])
def test_a_configuration_that_cannot_be_read_is_one_line_and_the_cell_stays(content, tmp_path):
    (_cell(tmp_path / "a", kimg=40) / "config.yaml").write_bytes(content)
    (cell,) = read_runs(tmp_path)
    assert cell.config is None and cell.finished
    assert np.array_equal(cell.metrics["loss_d"], [0.5, 0.25])
    (problem,) = cell.problems
    assert problem.startswith("a/config.yaml ") and "\n" not in problem


def test_a_damaged_summary_makes_a_cell_unfinished(tmp_path):
    (_cell(tmp_path / "a") / "summary.json").write_text('{"figures": {"kimg"')
    (cell,) = read_runs(tmp_path)
    assert cell.state == "at 20 of 40 kimg" and len(cell.problems) == 1 and "summary.json" in cell.problems[0]
