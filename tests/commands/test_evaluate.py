import csv
import json

import numpy as np
import pytest
import yaml
from PIL import Image

from ganfill import cli

NETWORK = """
from pathlib import Path


class Colours:
    def __init__(self, weights):
        self.scale = float(Path(weights).read_text())

    def __call__(self, pictures):
        return pictures.float().mean((2, 3)) * self.scale
"""
QUICK = "amos2016:steps=2:precision=fp32"


@pytest.fixture
def ganfill(model_path, store_path, tmp_path, monkeypatch, capsys):
    """Runs ``ganfill evaluate`` in an empty folder: words -> exit code and what it said."""
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "no weights"))

    def run(*words):
        given = [f"model={model_path}", f"data.path={store_path}", "device=cpu"]
        code = cli.run(["evaluate", *words, *given])
        said = capsys.readouterr()
        return code, said.out + said.err

    return run


@pytest.fixture
def features(tmp_path):
    """A word for a feature network."""
    (tmp_path / "net work.py").write_text(NETWORK)
    (tmp_path / "weights.txt").write_text("2")
    return f"colours={tmp_path / 'net work.py'}:Colours:{tmp_path / 'weights.txt'}"


def table(folder, name="table.csv"):
    with (folder / name).open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def summary(folder):
    return json.loads((folder / "summary.json").read_text("utf-8"))


def test_searches_are_compared_and_everything_is_written(ganfill, work, features):
    code, said = ganfill(
        f"search={QUICK},mean,nearest,telea", "mask=center,random", "n=5", f"features={features}", "out=o", "sheet=2"
    )
    assert code == 0 and said.startswith("o\n") and "random telea" in said
    rows = table(work / "o")
    assert list(rows[0])[:8] == ["search", "mask", "n", "psnr", "psnr_low", "psnr_high", "psnr_median", "ssim"]
    assert {
        "l1",
        "seam",
        "fd_colours",
        "kd_colours",
        "l2_colours",
        "l2_colours_low",
        "seconds",
        "seconds_single",
        "passes",
    } <= set(rows[0])
    assert [row["search"] for row in rows] == [QUICK, "mean", "nearest", "telea", "original"] * 2
    assert all(row["n"] == "5" and row["fd_colours"] for row in rows)
    assert all(row["model"] and row["device"] == "cpu" and row["seed"] == "0" for row in rows)
    paired = table(work / "o", "paired.csv")
    assert {row["against"] for row in paired} == {QUICK} and "l2_colours" in {row["figure"] for row in paired}
    with Image.open(work / "o/sheets/center.png") as sheet:
        assert sheet.width == 8 + 6 * 136
    page = (work / "o/report.html").read_text("utf-8")
    assert page.count("data:image/png;base64,") == 4 and "Skipped: lpips" in page and "nearest" in page
    markdown = (work / "o/table.md").read_text("utf-8")
    assert markdown.startswith("## center") and "## random" in markdown and "- lpips: " in markdown
    figures = summary(work / "o")["figures"]
    assert figures["pictures"]["n"] == 5 and len(figures["pictures"]["pixels"]) == 64
    assert set(figures["holes"]) == {"center", "random"} and figures["reference"]["n"] > 1
    assert set(figures["skipped"]) == {"lpips", "fid, kid"}


def test_again_computes_nothing_and_more_computes_what_is_new(ganfill, work, features):
    words = [f"features={features}", "n=4", "out=o"]
    counts = []
    for search in ("mean,telea", "mean,telea", "mean,telea,biharmonic"):
        assert ganfill(f"search={search}", *words)[0] == 0
        counts.append((summary(work / "o")["figures"]["computed"], table(work / "o")[0]))
    # A search has a cell, features and distances; the originals have features and distances, the reference has features.
    assert [count for count, _ in counts] == [9, 0, 3]
    assert counts[0][1] == counts[1][1] == counts[2][1]


def test_sheets_of_masks_that_were_left_out_are_removed(ganfill, work):
    for mask, sheets in (("center,left", ["center.png", "left.png"]), ("left,box", ["box.png", "left.png"])):
        assert ganfill("search=mean", f"mask={mask}", "n=3", "out=o")[0] == 0
        assert sorted(path.name for path in (work / "o/sheets").iterdir()) == sheets


def test_what_is_not_there_is_skipped_with_its_reason(ganfill, work, store_path):
    index = json.loads((store_path / "index.json").read_text())
    for picture in index["pictures"]:
        picture["split"] = "test"
    (store_path / "index.json").write_text(json.dumps(index))
    assert ganfill("search=nearest,mean", "n=3", "out=o")[0] == 0
    assert [row["search"] for row in table(work / "o")] == ["mean"] and not (work / "o/paired.csv").exists()
    skipped = summary(work / "o")["figures"]["skipped"]
    assert skipped["nearest"] == "there are no training pictures"
    assert skipped["fd, kd, l2"] == "no feature network was given" and "nothing is downloaded" in skipped["lpips"]
    assert ganfill("search=nearest", "n=3", "out=o")[0] == 2


def test_a_table_of_the_originals_only_is_a_mistake(ganfill, features):
    code, said = ganfill("search=posterior", "answers=200", f"features={features}", "n=3", "out=o")
    assert code == 2 and "none could be evaluated" in said


def test_the_generators_own_pictures_are_found_again(ganfill, work):
    code, _ = ganfill("pictures=generator", "n=3", f"search={QUICK},random", "answers=2", "out=o")
    assert code == 0
    rows = table(work / "o")
    assert float(rows[1]["diversity"]) > 0 and rows[0]["answers"] == "2"
    assert {"psnr_best_of_k", "psnr_mean_of_k", "rank_correlation", "first_beats_median"} <= set(rows[0])
    assert summary(work / "o")["figures"]["reference"] is None


def test_a_generator_is_judged(ganfill, work, features):
    code, _ = ganfill("generator=true", "samples=12", f"features={features}", "out=o")
    assert code == 0
    figures = {row["figure"]: row["value"] for row in table(work / "o", "generator.csv")}
    assert {"fd_colours", "floor_fd_colours", "precision_colours", "recall_colours"} <= set(figures)
    assert float(figures["fd_colours"]) > float(figures["floor_fd_colours"])
    assert (work / "o/report.html").read_text("utf-8").count("data:image/png;base64,") == 2
    assert (work / "o/sheets/samples.png").is_file() and (work / "o/sheets/neighbours.png").is_file()
    assert summary(work / "o")["figures"]["generator"]["fd_colours"] == pytest.approx(
        float(figures["fd_colours"]), 1e-5
    )


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["search=standart"], "search=standart: there is no standart"),
        (["search=mean,mean"], "search=mean,mean: give one or more, without repetition"),
        (["mask=centre"], "mask=centre is not a kind of hole"),
        (["search=mean", "against=telea"], "against=telea is not among the searches"),
        (["n=0"], "n must be a whole number from 1, got 0"),
        (["answers=1.5"], "answers must be a whole number from 1, got 1.5"),
        (["split=val"], "split=val is not known"),
        (["pictures=nobody"], "pictures=nobody: "),
        (["features=x"], "does not have the form NAME=FILE.py:CLASS:WEIGHTS"),
        (["lpips=nowhere.pth"], "nowhere.pth cannot be read"),
        (["generator=perhaps"], "generator must be true or false, got perhaps"),
        (["serch=mean"], "serch is not a key of ganfill evaluate: did you mean search, answers?"),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2(ganfill, words, message):
    code, said = ganfill(*words)
    assert code == 2 and message in said and said.count("ganfill: ") == 1 and "Traceback" not in said


def test_a_store_of_another_size_or_none_is_a_mistake(model_path, store_path, capsys):
    assert cli.run(["evaluate", f"model={model_path}", "data.path=null"]) == 2
    assert "data.path=null is only possible with pictures=generator" in capsys.readouterr().err
    assert cli.run(["evaluate", "model=faces64", f"data.path={store_path}", "device=cpu"]) == 2
    assert "holds pictures of 32 pixels, the model draws 64" in capsys.readouterr().err


def test_a_sweep_over_models_and_seeds(ganfill, work, model_path):
    code, said = ganfill(
        "-m", f"search=mean,{QUICK}", "mask=[center,left]", "seed=0,1", "n=3", "out='o${seed}'", "hydra.sweep.dir=s"
    )
    assert code == 0, said
    assert [len(table(work / f"o{seed}")) for seed in (0, 1)] == [4, 4]
    assert {row["seed"] for row in table(work / "o1")} == {"1"}
    assert summary(work / "o0")["config"]["model"] == str(model_path)


def test_a_file_of_experiments_names_many_searches(ganfill, work):
    content = {"defaults": ["evaluate", "_self_"], "search": ["mean", "telea", QUICK], "n": 3, "out": "named"}
    (work / "mine.yaml").write_text(yaml.safe_dump(content))
    code, said = ganfill("-cd", ".", "-cn", "mine", "mask=left")
    assert code == 0, said
    assert [(row["search"], row["mask"]) for row in table(work / "named")] == [
        ("mean", "left"),
        ("telea", "left"),
        (QUICK, "left"),
    ]
    assert ganfill("-cd", ".", "-cn", "mine", f"search={QUICK}", "out=other")[0] == 0
    assert [row["search"] for row in table(work / "other")] == [QUICK]
    assert not (work / "outputs").exists()


def test_known_pixels_of_kept_answers_are_the_pictures(ganfill, work, store_path):
    assert ganfill("search=biharmonic", "n=3", "pictures=a/", "out=o")[0] == 0
    with np.load(next((work / "o/cells").glob("center-biharmonic*.npz"))) as cell:
        finished = cell["finished"][:, 0]
    truth = np.load(store_path / "images.npy")[[0, 1, 3]]
    known = np.ones((32, 32), bool)
    known[8:24, 8:24] = False
    assert np.array_equal(finished[:, known], truth[:, known]) and not np.array_equal(finished, truth)
