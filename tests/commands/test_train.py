import json
import os
import shutil
import signal
import time
from pathlib import Path

import pytest
import yaml

from ganfill import cli
from tests.processes import Process

EXPERIMENTS = Path(__file__).parents[2] / "experiments"
TINY = ["data=synthetic", "data.n=40", "batch_size=16", "resolution=32", "latent.dim=16", "model.width=4", "device=cpu"]
TINY += ["log_kimg=0.032", "precision=32-true"]


def test_train_leaves_a_complete_run_directory(tmp_path, capsys):
    out = tmp_path / "Lauf ä"
    assert cli.run(["train", *TINY, f"out={out}", "kimg=0.1", "latent=uniform", "loss=non_saturating"]) == 0
    assert capsys.readouterr().out.strip() == str(out)
    assert {path.name for path in out.iterdir()} == {
        *("config.yaml", "last.ckpt", "metrics.csv", "samples", "summary.json"),
        *("best.ckpt", "distances.csv", "distances_floor.json", "completions.csv", "completions"),
    }
    assert [path.name for path in (out / "completions").iterdir()] == ["kimg000000.png"]
    completed = [line.split(",")[:2] for line in (out / "completions.csv").read_text().splitlines()[1:]]
    assert completed == [[kimg, f"drawn/{i}"] for kimg in ("0.0", "0.112") for i in range(4)]
    assert (out / "distances.csv").read_text().startswith("kimg,seconds,fd_pyramid,kd_pyramid,diversity\n0.112,")
    summary = json.loads((out / "summary.json").read_text())
    assert summary["command"] == "train" and summary["figures"]["kimg"] == 0.112
    best = summary["figures"]["best_checkpoint"]
    assert best["distance"] == "fd_pyramid" and "not a trained network" in best["features"]
    assert f",{best['value']:g}," in (out / "distances.csv").read_text()
    assert summary["seconds"] > 0 and summary["versions"]["torch"]
    assert yaml.safe_load((out / "config.yaml").read_text())["loss"]["_target_"].endswith("NonSaturating")


def test_the_same_command_again_says_finished_and_more_kimg_continues(tmp_path, caplog):
    words = ["train", *TINY, f"out={tmp_path}"]
    assert cli.run([*words, "kimg=0.1"]) == 0
    assert cli.run([*words, "kimg=0.1"]) == 0
    assert "already trained to 0.112 kimg: nothing to do" in caplog.text
    assert cli.run([*words, "kimg=0.2"]) == 0
    assert json.loads((tmp_path / "summary.json").read_text())["figures"]["kimg"] == 0.208


def test_callbacks_are_dropped_and_added(tmp_path, monkeypatch, capsys):
    site = tmp_path / "site"
    site.mkdir()
    (site / "my_callbacks.py").write_text(
        "from pathlib import Path\nimport pytorch_lightning as pl\n"
        "class Note(pl.Callback):\n"
        "    def __init__(self, path):\n        self.path = path\n"
        "    def on_train_end(self, trainer, module):\n        Path(self.path).write_text(str(module.images_seen))\n"
        "class NoCallback:\n    pass\n"
    )
    monkeypatch.syspath_prepend(site)
    monkeypatch.setenv("GANFILL_PLUGINS", "my_callbacks")
    words = [
        "train",
        *TINY,
        "kimg=0.05",
        "+callbacks.mine._target_=my_callbacks.Note",
        f"+callbacks.mine.path={tmp_path}/note",
    ]
    assert cli.run([*words, f"out={tmp_path / 'a'}", "~callbacks.distances", "~callbacks.completions"]) == 0
    names = {path.name for path in (tmp_path / "a").iterdir()}
    assert names == {"config.yaml", "last.ckpt", "metrics.csv", "samples", "summary.json"}
    assert (tmp_path / "note").read_text() == "64"
    assert cli.run([*words, f"out={tmp_path / 'a'}", "callbacks=none", "kimg=0.1"]) == 0  # other callbacks resume
    assert (tmp_path / "note").read_text() == "112"
    assert cli.run(["train", *TINY, "kimg=0.05", f"out={tmp_path / 'b'}", "callbacks=none"]) == 0
    assert {path.name for path in (tmp_path / "b").iterdir()} == names - {"samples"}
    words = ["train", *TINY, f"out={tmp_path / 'c'}", "+callbacks.mine._target_=my_callbacks.NoCallback"]
    assert cli.run(words) == 2
    assert "callbacks.mine: my_callbacks.NoCallback is not a pytorch_lightning.Callback" in capsys.readouterr().err
    assert not (tmp_path / "c").exists()


def test_another_configuration_is_refused_with_the_keys_that_differ(tmp_path, capsys):
    assert cli.run(["train", *TINY, f"out={tmp_path}", "kimg=0.05"]) == 0
    before = (tmp_path / "config.yaml").read_bytes()
    words = [
        "train",
        *TINY,
        f"out={tmp_path}",
        "kimg=0.05",
        "seed=1",
        "loss=minimax",
        "optimizer.generator.lr=1e-3",
    ]
    assert cli.run(words) == 2
    error = capsys.readouterr().err
    for key in ("seed (there 0, now 1)", "loss._target_", "optimizer.generator.lr (there 0.0002, now 0.001)"):
        assert key in error
    assert (tmp_path / "config.yaml").read_bytes() == before


def test_refused_pictures_leave_the_configuration_and_new_terms_reach_it(tmp_path, store_path, capsys):
    words = [word for word in TINY if not word.startswith("data")] + [f"out={tmp_path / 'run'}", "callbacks=none"]
    assert cli.run(["train", *words, f"data.path={store_path}", "kimg=0.05"]) == 0
    config = tmp_path / "run/config.yaml"
    before = config.read_bytes()
    index = json.loads((store_path / "index.json").read_text())
    index["pictures"][-1]["sha256"] = "0" * 64
    other = shutil.copytree(store_path, tmp_path / "other")
    (other / "index.json").write_text(json.dumps(index))
    assert cli.run(["train", *words, f"data.path={other}", "kimg=0.1", "terms=CC0"]) == 2
    assert "was trained on other pictures than those in" in capsys.readouterr().err
    assert config.read_bytes() == before
    assert cli.run(["train", *words, f"data.path={store_path}", "kimg=0.05", "terms=CC0"]) == 0
    assert yaml.safe_load(config.read_text())["terms"] == "CC0"


def test_tensorboard_gets_scalars_grids_and_the_configuration(tmp_path):
    pytest.importorskip("tensorboard")
    assert cli.run(["train", *TINY, f"out={tmp_path}", "kimg=0.05", "logger=tensorboard"]) == 0
    (events,) = (tmp_path / "tensorboard").glob("events.*")
    content = events.read_bytes()
    for name in ("losses/loss_d", "distances/fd_pyramid", "completions/psnr_hole", "completions/sheet", "config"):
        assert name.encode() in content
    assert all(f"samples/{name}".encode() in content for name in ("ema", "raw", "interpolation"))
    assert not (tmp_path / "wandb").exists()


def launch(words, **environment):
    clean = {key: value for key, value in os.environ.items() if not key.startswith("WANDB")}
    process = Process(words, environment=clean | {"HOME": environment.pop("home")} | environment)
    process.wait()
    return process


def test_a_sweep_makes_one_wandb_run_for_each_job_without_an_account(tmp_path, wandb_offline):
    words = ["train", "-m", *TINY, "kimg=0.05", "logger=wandb", "seed=0,1", f"hydra.sweep.dir={tmp_path / 'sweep'}"]
    words += ["hydra.sweep.subdir=seed${seed}", "out=${hydra:runtime.output_dir}"]
    finished = launch(words, home=str(tmp_path), TMPDIR=str(tmp_path))
    assert finished.exitcode == 0, finished.errors
    assert finished.errors.count("wandb: no account found, logging offline") == 2
    runs = [sorted((tmp_path / "sweep" / f"seed{seed}" / "wandb").glob("offline-run-*")) for seed in (0, 1)]
    assert [len(found) for found in runs] == [1, 1]
    names = {found[0].name.rsplit("-", 1)[1] for found in runs}
    assert len(names) == 2
    assert names == {(tmp_path / "sweep" / f"seed{seed}" / "wandb_id.txt").read_text() for seed in (0, 1)}
    grids = list((tmp_path / "sweep/seed0/wandb").rglob("media/images/samples/*.png"))
    assert len(grids) >= 2
    outlines = [wandb_offline.outline(*wandb_offline.parts(tmp_path / f"sweep/seed{seed}")) for seed in (0, 1)]
    assert [(each["group"], each["exit_code"]) for each in outlines] == [("sweep", 0)] * 2


def test_the_sweep_of_losses_runs_and_resumes(tmp_path):
    words = ["train", "-cd", str(EXPERIMENTS), "-cn", "losses", *TINY, "kimg=0.05", f"hydra.sweep.dir={tmp_path}"]
    words += ["loss=minimax,non_saturating", "seed=0,1"]
    first = launch(words, home=str(tmp_path))
    assert first.exitcode == 0, first.errors
    cells = {path.parent.name: path.stat().st_mtime_ns for path in tmp_path.glob("*/last.ckpt")}
    assert set(cells) == {f"loss={loss},seed={seed}" for loss in ("minimax", "non_saturating") for seed in (0, 1)}
    (tmp_path / "loss=minimax,seed=1/last.ckpt").unlink()
    second = launch(words, home=str(tmp_path))
    assert second.exitcode == 0, second.errors
    assert second.errors.count("nothing to do") == 3
    again = {path.parent.name: path.stat().st_mtime_ns for path in tmp_path.glob("*/last.ckpt")}
    assert [name for name in cells if cells[name] != again[name]] == ["loss=minimax,seed=1"]


def test_a_mistake_before_the_first_checkpoint_locks_nothing(tmp_path):
    assert cli.run(["train", *TINY, f"out={tmp_path}", "kimg=0.05", "resolution=50"]) == 2
    assert cli.run(["train", *TINY, f"out={tmp_path}", "kimg=0.05"]) == 0


def test_a_lost_summary_is_written_by_the_next_run(tmp_path):
    words = ["train", *TINY, f"out={tmp_path}", "kimg=0.05"]
    assert cli.run(words) == 0
    before = json.loads((tmp_path / "summary.json").read_text())["figures"]
    (tmp_path / "summary.json").unlink()
    assert cli.run(words) == 0
    assert json.loads((tmp_path / "summary.json").read_text())["figures"] == before
    assert before["kimg"] == 0.064 and before["best_checkpoint"]["distance"] == "fd_pyramid"


@pytest.mark.parametrize("word", ["optimizer.generator.lr=-1", "optimizer.discriminator.betas=[0.5]"])
def test_an_optimizer_that_refuses_its_settings_is_one_line(tmp_path, capsys, word):
    assert cli.run(["train", *TINY, f"out={tmp_path}", "kimg=0.05", word]) == 2
    assert "the optimizer refuses its settings" in capsys.readouterr().err


def test_weights_that_become_infinite_are_never_saved(tmp_path, capsys):
    words = ["train", *TINY, f"out={tmp_path}", "kimg=0.2", "checkpoint_kimg=0.016", "optimizer.generator.lr=1e39"]
    assert cli.run(words) == 2
    assert "became NaN or infinite" in capsys.readouterr().err
    assert not (tmp_path / "last.ckpt").exists()


@pytest.mark.parametrize(
    ("number", "ended"),
    [(signal.SIGINT, "interrupted"), (signal.SIGTERM, "ended by SIGTERM")],
    ids=["Ctrl-C", "SIGTERM"],
)
def test_interrupted_it_says_how_to_continue(tmp_path, number, ended):
    process = Process(["train", *TINY, f"out={tmp_path}", "kimg=1000", "checkpoint_kimg=0.016"])
    try:
        while not (tmp_path / "last.ckpt").exists() and process.is_alive():
            time.sleep(0.05)
        os.kill(process.pid, number)
        assert process.wait(60) == 128 + number
    finally:
        process.kill()  # or one that does not listen would go on for ever
    assert process.errors.splitlines()[-1] == f"ganfill: {ended}; the same command again continues"


def test_a_resumed_sweep_keeps_its_wandb_runs_apart(tmp_path):
    words = ["train", "-m", *TINY, "kimg=0.05", "logger=wandb", "seed=0,1", f"hydra.sweep.dir={tmp_path / 'sweep'}"]
    words += ["hydra.sweep.subdir=seed${seed}", "out=${hydra:runtime.output_dir}"]
    assert launch(words, home=str(tmp_path), TMPDIR=str(tmp_path)).exitcode == 0
    shutil.rmtree(tmp_path / "sweep/seed1")
    again = launch(words, home=str(tmp_path), TMPDIR=str(tmp_path))
    assert again.exitcode == 0, again.errors
    assert [len(list((tmp_path / f"sweep/seed{seed}/wandb").glob("offline-run-*"))) for seed in (0, 1)] == [1, 1]
