"""Real tiny trainings that were logged offline, read back by wandb's own reader."""

import csv
import json
import os

import numpy as np
import pytest
from PIL import Image

from ganfill.model_io import model_file
from tests.processes import Process

TINY = ["data=synthetic", "data.n=40", "batch_size=16", "resolution=32", "latent.dim=16", "model.width=4", "device=cpu"]
TINY += ["precision=32-true", "log_kimg=0.064", "checkpoint_kimg=0.064", "fd_kimg=0.064", "fd_samples=8"]
TINY += ["sample_kimg=0.064", "completion_kimg=0.064", "logger=wandb", "logger.group=tests", "terms=none, really"]
TINY += ["logger.tags=small,tests", "logger.notes=a note, with a comma", "logger.job_type=train", "logger.entity=us"]
FAILING = ["optimizer.generator.lr=1e39", "completion_kimg=0"]
FIGURES = {
    *("losses/loss_d", "losses/loss_g", "losses/penalty", "logits/logit_real", "logits/logit_fake"),
    *("gradients/gradient_d", "gradients/gradient_g", "speed/seconds", "speed/images_per_second"),
    *("distances/fd_pyramid", "distances/kd_pyramid", "distances/diversity"),
}
COMPLETIONS = {"completions/psnr_hole", "completions/l1_hole", "completions/score"}
PICTURES = {"samples/ema", "samples/raw", "samples/interpolation", "completions/sheet"}
TABLE = "completions/table"


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    """Where a training in two parts and one that failed lie."""
    work = tmp_path_factory.mktemp("wandb")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("WANDB")}
    environment |= {"WANDB_MODE": "offline", "HOME": str(work)}
    for expected, words in (
        (0, ["out=Lauf ä", "kimg=0.128"]),
        (0, ["out=Lauf ä", "kimg=0.256"]),
        (2, ["out=failed", "kimg=0.256", *FAILING]),
    ):
        # In a process of its own: wandb leaves temporary directories to be cleaned up when it ends.
        process = Process(["train", *TINY, *words], environment=environment, folder=work)
        assert process.wait() == expected, process.errors
        assert "anonymous" not in process.errors
    return work


@pytest.fixture(scope="module")
def out(work):
    return work / "Lauf ä"


@pytest.fixture(scope="module")
def parts(out, wandb_offline):
    """The records of both parts."""
    return [wandb_offline.records(part) for part in wandb_offline.parts(out)]


@pytest.fixture(scope="module")
def rows(parts, wandb_offline):
    """The histories of both parts, one after the other."""
    return [row for part in parts for row in wandb_offline.history(part)]


def of(kind, records):
    return [record[kind] for record in records if record["type"] == kind]


def table(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def files(out, value):
    """The file of a picture or table, which lies with one of the parts."""
    (path,) = out.glob(f"wandb/offline-run-*/files/{value['path']}")
    return path


def test_a_resumed_training_continues_its_run(out, parts):
    assert len(parts) == 2
    runs = [run for part in parts for run in of("run", part)]
    assert [run["run_id"] for run in runs] == [(out / "wandb_id.txt").read_text()] * 2
    assert {(run["project"], run["run_group"], run["display_name"]) for run in runs} == {("ganfill", "tests", "Lauf ä")}


def test_it_ends_with_the_right_exit_code(work, parts, wandb_offline):
    assert [wandb_offline.exit_code(part) for part in parts] == [0, 0]
    (failed,) = wandb_offline.parts(work / "failed")
    assert wandb_offline.exit_code(wandb_offline.records(failed)) == 1


def test_every_moment_is_one_row_whose_step_is_images_seen(rows):
    assert [row["_step"] for row in rows] == [0, 64, 128, 192, 256]
    assert [row["kimg"] for row in rows] == [0, 0.064, 0.128, 0.192, 0.256]
    everything = COMPLETIONS | PICTURES | {TABLE}
    for row in rows:
        assert {name for name in row if "/" in name} == (everything | FIGURES if row["_step"] else everything)


def test_charts_are_drawn_over_kimg(parts):
    for part in parts:
        axes = {metric.get("glob_name"): metric.get("step_metric") for metric in of("metric", part)}
        assert axes["*"] == "kimg"


def test_figures_are_those_of_the_files(out, rows):
    for name in ("metrics", "distances"):
        for written, row in zip(table(out / f"{name}.csv"), rows[1:], strict=True):
            for column in set(written) - {"kimg", "seconds", "images_per_second"}:
                (key,) = (key for key in row if key.endswith(f"/{column}"))
                assert row[key] == pytest.approx(float(written[column]), rel=1e-4), key
    written = table(out / "completions.csv")
    for i, row in enumerate(rows):
        for key in COMPLETIONS:
            mean = np.mean([float(each[key.partition("/")[2]]) for each in written[4 * i : 4 * i + 4]])
            assert row[key] == pytest.approx(mean, rel=1e-4)


def test_pictures_are_there_and_the_last_are_those_of_the_run_directory(out, rows):
    for row in rows:
        for name in PICTURES:
            assert row[name]["_type"] == "image-file" and files(out, row[name]).is_file()
    paths = {"completions/sheet": "completions/kimg000000.png"}
    for name in PICTURES:
        path = paths.get(name, f"samples/kimg000000_{name.partition('/')[2]}.png")
        with Image.open(files(out, rows[-1][name])) as logged, Image.open(out / path) as written:
            assert (np.asarray(logged) == np.asarray(written)).all(), name


def test_each_moment_has_a_small_table_of_completions(work, out, parts, rows):
    written = table(out / "completions.csv")
    for i, row in enumerate(rows):
        assert (row[TABLE]["_type"], row[TABLE]["nrows"], row[TABLE]["ncols"]) == ("table-file", 4, 9)
        content = json.loads(files(out, row[TABLE]).read_text())
        answers = ["answer 1", "score 1", "answer 2", "score 2"]
        assert content["columns"] == ["picture", "original", "damaged", *answers, "psnr_hole", "l1_hole"]
        for cells, line in zip(content["data"], written[4 * i : 4 * i + 4], strict=True):
            assert cells[0] == line["picture"]
            found = [cells[content["columns"].index(name)] for name in ("score 1", "psnr_hole", "l1_hole")]
            assert found == pytest.approx([float(line[name]) for name in ("score", "psnr_hole", "l1_hole")], rel=1e-4)
            assert cells[4] <= cells[6]
    tables = [a["manifest"]["contents"] for part in parts for a in of("artifact", part) if a["type"] == "run_table"]
    assert len(tables) == 5 and not list(work.glob(".local/share/wandb/*"))
    assert all(entry["local_path"].startswith(str(out / "wandb")) for contents in tables for entry in contents)
    for contents in tables:
        sizes = set()
        for entry in contents:
            if entry["path"].endswith(".png"):
                with Image.open(entry["local_path"]) as picture:
                    sizes.add(picture.size)
        assert sizes == {(192, 192)}


def test_the_configuration_is_there(parts, wandb_offline):
    first, second = (wandb_offline.config(part) for part in parts)
    assert first["loss"]["_target_"].endswith("NonSaturating") and first["optimizer"]["generator"]["lr"] == 0.0002
    assert (first["kimg"], second["kimg"]) == (0.128, 0.256)
    assert first["precision"] == "32-true" and first["pictures"] == 40 and first["versions"]["torch"]


def test_the_run_has_tags_notes_and_a_job_type(parts):
    run = of("run", parts[0])[0]
    assert run["tags"] == ["small", "tests"] and run["notes"] == "a note, with a comma"
    assert (run["job_type"], run["entity"], run["run_group"]) == ("train", "us", "tests")


def test_the_model_file_is_an_artifact_with_its_card(out, parts, wandb_offline):
    identity = (out / "wandb_id.txt").read_text()
    for part, kimg in zip(parts, (0.128, 0.256), strict=True):
        (artifact,) = (each for each in wandb_offline.artifacts(part) if each["type"] == "model")
        assert artifact["name"] == f"model-{identity}" and artifact["aliases"] == ["latest"]
        (entry,) = artifact["manifest"]["contents"]
        assert entry["path"] == "model.safetensors" and entry["local_path"].startswith(str(out / "wandb"))
        model = model_file.load(entry["local_path"])
        assert json.loads(artifact["metadata"]) == model.card
        assert model.card["kimg"] == model.card["metrics"]["kimg"] == kimg and model.card["terms"] == "none, really"


def test_the_outline_counts_what_a_dashboard_shows(out, wandb_offline):
    first, second = (wandb_offline.outline(part) for part in wandb_offline.parts(out))
    assert set(first["keys"]) == FIGURES | COMPLETIONS | PICTURES | {TABLE}
    assert first["keys"]["losses/loss_d"] == {"moments": 2, "kimg": [0.064, 0.128]}
    assert first["files"] == dict.fromkeys(sorted(first["files"]), 3) and set(first["files"]) == PICTURES | {TABLE}
    assert second["steps"] == [192, 256] and second["exit_code"] == 0 and second["group"] == "tests"
    assert [each["type"] for each in second["artifacts"]] == ["run_table", "run_table", "model"]
