import csv
import json
import re
import shutil

import numpy as np
import pytest
import yaml
from PIL import Image

from ganfill import cli

FILES = ("leaderboard.csv", "leaderboard_speed.csv", "leaderboard.md", "leaderboard.html")
PICTURES = ("leaderboard_distances.png", "leaderboard_losses.png", "leaderboard_samples.png")
SIDE = 8


@pytest.fixture(autouse=True)
def _coarse(monkeypatch):
    monkeypatch.setattr("ganfill.report.plot_style.DPI", 30)  # plots are drawn quickly


def _grid(path, shade, n=24):
    """A sample grid as trainings write it: eight in a row, two white pixels around each."""
    rows = n // 8
    grid = np.full((2 + rows * (SIDE + 2), 2 + 8 * (SIDE + 2), 3), 255, np.uint8)
    for i in range(n):
        y, x = 2 + i // 8 * (SIDE + 2), 2 + i % 8 * (SIDE + 2)
        grid[y : y + SIDE, x : x + SIDE] = (shade, 5 * i, 0)
    path.parent.mkdir(exist_ok=True)
    Image.fromarray(grid).save(path)


def _run(sweep, loss, seed, fd, end=4, speed=100, diversity=50):
    directory = sweep / f"loss={loss.lower()},seed={seed}"
    directory.mkdir(parents=True)
    config = {
        "loss": {"_target_": f"ganfill.adversarial.losses.{loss}"},
        "out": str(directory),
        "kimg": 4,
        "resolution": SIDE,
        "seed": seed,
    }
    (directory / "config.yaml").write_text(yaml.safe_dump(config))
    with (directory / "metrics.csv").open("w", newline="") as file:
        rows = [[kimg, 1 / kimg, kimg, f"{1000 * kimg / speed:.6g}", speed] for kimg in range(1, end + 1)]
        csv.writer(file).writerows([["kimg", "loss_d", "loss_g", "seconds", "images_per_second"], *rows])
    with (directory / "distances.csv").open("w", newline="") as file:
        rows = [[kimg, 10 * kimg, fd + (kimg - 2) ** 2, fd / 1000, diversity] for kimg in range(1, end + 1)]
        csv.writer(file).writerows([["kimg", "seconds", "fd_face", "kd_face", "diversity"], *rows])
    (directory / "last.ckpt").touch()
    for kimg in (0, end):
        _grid(directory / f"samples/kimg{kimg:06d}_ema.png", 40 * (kimg > 0) + int(fd))
    if end == 4:
        summary = {"figures": {"kimg": 4, "parameters_generator": 1234}}
        (directory / "summary.json").write_text(json.dumps(summary))
    return directory


@pytest.fixture
def sweep(tmp_path):
    for loss, fd in (("Minimax", 20), ("Hinge", 10)):
        for seed in (0, 1):
            _run(tmp_path / "losses", loss, seed, fd + 2 * seed)
    return tmp_path / "losses"


def _rows(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_a_finished_sweep(sweep, capsys):
    assert cli.run(["leaderboard", str(sweep)]) == 0
    output = capsys.readouterr()
    assert output.out.strip() == str(sweep / "leaderboard.html") and output.err == ""
    first, second = _rows(sweep / "leaderboard.csv")
    assert (first["rank"], first["loss"], first["n"], first["state"]) == ("1", "Hinge", "2", "finished")
    assert (first["fd_face_best"], first["fd_face_best_sd"], first["fd_face_best_at"]) == ("11", "1.41421", "2")
    assert (first["fd_face_last"], first["kd_face_best"], first["diversity"]) == ("15", "0.011", "50")
    assert (first["kimg"], first["parameters_generator"]) == ("4", "1234")
    assert first["runs"] == "loss=hinge,seed=0; loss=hinge,seed=1"
    assert (second["rank"], second["loss"], second["fd_face_best"]) == ("2", "Minimax", "21")
    assert not {"seconds", "images_per_second"} & first.keys()
    speed = _rows(sweep / "leaderboard_speed.csv")[0]
    assert (speed["loss"], speed["seconds"], speed["images_per_second"]) == ("Hinge", "40", "100")
    written = (sweep / "leaderboard.md").read_text("utf-8")
    assert "| 1 | 11 ± 1.41 | Hinge | 2 | 2 |" in written and "## Every run" in written
    page = (sweep / "leaderboard.html").read_text("utf-8")
    assert page.count("data:image/png;base64,") == 3 and not re.search(r"(src|href)=\"(?!data:)", page)


def test_a_collapsed_run_is_ranked_last_and_the_page_says_why(sweep):
    _run(sweep, "Wasserstein", 0, 1, diversity=0.008)
    assert cli.run(["leaderboard", str(sweep)]) == 0
    rows = _rows(sweep / "leaderboard.csv")
    assert [(row["rank"], row["loss"]) for row in rows] == [("1", "Hinge"), ("2", "Minimax"), ("3", "Wasserstein")]
    reason = "collapsed or undertrained: diversity 0.008 is below 0.4"
    assert rows[2]["state"] == f"finished; {reason}"
    page, written = ((sweep / f"leaderboard.{end}").read_text("utf-8") for end in ("html", "md"))
    for text in (page, written):
        assert reason in text and "Such runs are ranked last" in text
    table = page[: page.index("Every run")]
    assert re.findall(r'<button type="button" title="(\w+)', table)[:3] == ["rank", "fd_face_best", "state"]
    best = re.findall(r'class="number best" data-order="([\d.]+)"', table)
    assert best and float(min(best, key=float)) > 0.002  # neither the FD of 1 nor the KD of 0.001 is bold


def test_plots_follow_a_dark_page_and_samples_do_not(sweep):
    assert cli.run(["leaderboard", str(sweep)]) == 0
    pictures = re.findall(
        r'<img( class="plot")? src="data:[^"]+" alt="([^"]+)"', (sweep / "leaderboard.html").read_text("utf-8")
    )
    assert [(bool(plot), caption.split()[0]) for plot, caption in pictures] == [
        (True, "Distances"),
        (True, "Losses,"),
        (False, "Samples"),
    ]


def test_the_features_behind_the_distances_are_described(sweep):
    for path in sweep.glob("*/distances.csv"):
        path.write_text(path.read_text().replace("fd_face", "fd_pixels").replace("kd_face", "kd_mine"))
    assert cli.run(["leaderboard", str(sweep)]) == 0
    page = (sweep / "leaderboard.html").read_text("utf-8")
    assert "ranked by fd_pixels_best (8x8 thumbnails, colour and layout only)" in page
    assert "FD-pixels: 8x8 thumbnails, colour and layout only." in page
    assert "KD-mine: features of the given network mine." in page


def test_the_sheet_shows_the_last_sixteen_pictures_of_every_cell_in_the_order_of_the_table(sweep):
    assert cli.run(["leaderboard", str(sweep)]) == 0
    with Image.open(sweep / "leaderboard_samples.png") as image:
        sheet = np.array(image)
    assert sheet.shape[1] == 8 + 16 * (64 + 8)
    places = [22 + 8 + row * (22 + 64 + 2 * 8) + 32 for row in range(4)]  # captions above strips
    for column in range(16):
        x = 8 + column * (64 + 8) + 32
        assert sheet[places, x].tolist() == [[red, 5 * column, 0] for red in (50, 52, 60, 62)]


def test_a_resumed_sweep_gives_the_same_table(sweep, tmp_path):
    assert cli.run(["leaderboard", str(sweep), f"out={tmp_path / 'one'}"]) == 0
    other = tmp_path / "again/losses"
    for loss, fd in (("Hinge", 10), ("Minimax", 20)):
        for seed in (1, 0):
            _run(other, loss, seed, fd + 2 * seed, speed=37)
    assert cli.run(["leaderboard", str(other), f"out={tmp_path / 'two'}"]) == 0
    one, two = ({name: (tmp_path / out / name).read_bytes() for name in FILES} for out in ("one", "two"))
    assert one["leaderboard.csv"] == two["leaderboard.csv"]
    assert one["leaderboard_speed.csv"] != two["leaderboard_speed.csv"]


def test_the_same_cells_give_the_same_bytes(sweep):
    def files():
        assert cli.run(["leaderboard", str(sweep)]) == 0
        return {name: (sweep / name).read_bytes() for name in FILES + PICTURES}

    assert files() == files()


def test_what_is_not_finished_is_listed_after_everything_is_written(sweep, capsys):
    _run(sweep, "Wasserstein", 0, 5, end=3)
    late = _run(sweep, "Relativistic", 0, 7, end=1)
    (late / "failed.txt").write_text("the loss became NaN | after 1 kimg\nTraceback\n")
    shutil.rmtree(late / "samples")
    assert cli.run(["leaderboard", f"runs={sweep}", "group=null"]) == 1
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and "2 of 6 runs are not finished" in error
    assert "loss=wasserstein,seed=0 (at 3 of 4 kimg)" in error and "(failed: the loss became NaN | after" in error
    rows = _rows(sweep / "leaderboard.csv")
    assert [row["rank"] for row in rows] == list("123456") and rows[0]["state"] == "at 3 of 4 kimg"
    assert all((sweep / name).stat().st_size for name in FILES + PICTURES)
    page = (sweep / "leaderboard.html").read_text("utf-8")
    assert "4 of 6 runs are finished" in page and "failed: the loss became NaN" in page


def test_cells_that_have_not_started_are_counted(sweep, capsys):
    names = sorted(path.name for path in sweep.iterdir())
    (sweep / "cells.txt").write_text("\n".join([*names, "loss=relativistic,seed=0", ""]))
    assert cli.run(["leaderboard", str(sweep)]) == 1
    assert "1 of 5 runs are not finished: loss=relativistic,seed=0 (not started)" in capsys.readouterr().err
    assert [row["rank"] for row in _rows(sweep / "leaderboard.csv")] == ["1", "2", ""]
    assert "4 of 5 runs are finished" in (sweep / "leaderboard.html").read_text("utf-8")


def test_damaged_files_are_one_line_each_and_nothing_else_is_lost(sweep, caplog):
    runs = sorted(path for path in sweep.iterdir())
    (runs[0] / "config.yaml").write_text("loss: [Hinge")
    with (runs[1] / "distances.csv").open("a") as file:
        file.write("5,50,1")
    (runs[2] / "metrics.csv").write_text("images,loss_d\n1,2\n")
    (runs[3] / "samples/kimg000004_ema.png").write_bytes(b"\x89PNG\r\n\x1a\n damaged")
    assert cli.run(["leaderboard", str(sweep)]) == 0
    lines = caplog.messages
    assert len(lines) == 4
    for line, beginning in zip(
        lines,
        (
            "loss=hinge,seed=0/config.yaml cannot be read",
            "loss=hinge,seed=1/distances.csv: line 6 is cut off",
            "loss=minimax,seed=0/metrics.csv has no column kimg",
            "loss=minimax,seed=1/samples/kimg000004_ema.png cannot be read as a picture",
        ),
        strict=True,
    ):
        assert line.startswith(beginning) and "\n" not in line
        assert line.split(" cannot")[0] in (sweep / "leaderboard.html").read_text("utf-8")
    rows = _rows(sweep / "leaderboard.csv")
    assert [row["fd_face_best"] for row in rows] == ["10", "12", "21"]
    assert rows[0]["runs"] == "loss=hinge,seed=0" and rows[0]["loss"] == ""


def test_a_grid_of_another_size_is_left_out(sweep, caplog):
    path = sorted(sweep.iterdir())[0] / "samples/kimg000004_ema.png"
    Image.new("RGB", (50, 50)).save(path)
    assert cli.run(["leaderboard", str(sweep)]) == 0
    assert "kimg000004_ema.png is not a grid of pictures of 8 pixels" in caplog.text


def test_cells_without_anything(tmp_path, capsys):
    (tmp_path / "a").mkdir()
    (tmp_path / "a/config.yaml").write_text("kimg: 4\n")
    assert cli.run(["leaderboard", str(tmp_path), f"out={tmp_path / 'out'}"]) == 1
    assert "1 of 1 runs are not finished: a (not started)" in capsys.readouterr().err
    assert _rows(tmp_path / "out/leaderboard.csv")[0]["runs"] == "a"
    assert not (tmp_path / "out/leaderboard_losses.png").exists()
    assert "not started" in (tmp_path / "out/leaderboard.html").read_text("utf-8")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["runs=nowhere"], "nowhere is not a directory"),
        (["runs=."], ". holds no training at any depth: give a directory that ganfill train has written to"),
        (["runs=.", "group=loss"], "group=loss is not known: use seed, or null"),
        ([], "leaderboard needs runs=..."),
    ],
)
def test_mistakes_are_one_line(words, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert cli.run(["leaderboard", *words]) == 2
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1


def test_values_that_no_training_writes_stop_neither_the_leaderboard_nor_the_report(sweep):
    runs = sorted(path for path in sweep.iterdir())
    (runs[0] / "distances.csv").write_text("kimg,fd_face,diversity\n1,1e308,1\n2,-1e308,1\n3,1e99,1\ninf,2,1\n")
    (runs[0] / "metrics.csv").write_text("kimg,loss_d,seconds\n1,1e308,1\n2,-1e308,2\n3,1e99,3\n4,-1e99,nan\n")
    (runs[1] / "summary.json").write_text('{"figures": {"kimg": Infinity, "parameters": NaN}, "config": [1]}')
    (runs[2] / "config.yaml").write_text(
        "{kimg: [1], minutes: x, resolution: y, seed: [1], loss: {_target_: [x]}, model: 5}"
    )
    (runs[3] / "summary.json").write_text('{"figures": {"kimg": 1' + "0" * 400 + "}}")
    (sweep / "importance.json").write_text('{"seed": "much"}')
    assert cli.run(["leaderboard", str(sweep)]) in (0, 1)
    assert len(_rows(sweep / "leaderboard.csv")) >= 2 and not (sweep / "leaderboard_importance.png").exists()
    for run in runs:
        assert cli.run(["report", f"run={run}"]) == 0
