import signal
import time
from importlib.util import find_spec

import pytest
import yaml

from ganfill import cli, optuna_sweeper
from ganfill.errors import UserError
from ganfill.training.callbacks.pruning import STORAGE, open_study
from tests.processes import Process

needs_optuna = pytest.mark.skipif(not find_spec("optuna"), reason="sweeper=optuna needs optuna, in the extra sweep")
TINY = ["data=synthetic", "data.n=40", "batch_size=16", "resolution=32", "latent.dim=16", "model.width=4", "device=cpu"]
TINY += ["log_kimg=0.032", "precision=32-true", "sample_kimg=0", "completion_kimg=0", "fd_samples=8"]
RATE = "optimizer.generator.lr"


def words(out, *more):
    space = ["loss=hinge,minimax", f"{RATE}=tag(log,interval(1e-4,1e-2))", "kimg=0.2", "fd_kimg=0.04"]
    return ["train", "-m", *TINY, "sweeper=optuna", f"out={out}", *space, *more]


def trials(out):
    return open_study(out).get_trials()


def outcome(out):
    return [(trial.state.name, trial.params, trial.value, trial.intermediate_values) for trial in trials(out)]


@pytest.fixture(autouse=True)
def _no_storage(monkeypatch):
    monkeypatch.setenv(STORAGE, "")


@needs_optuna
def test_killed_and_started_again_a_sweep_ends_as_if_undisturbed(tmp_path):
    killed, undisturbed = tmp_path / "1" / "sweep", tmp_path / "2" / "sweep"  # the name decides about pruning
    process = Process(words(killed, "n_trials=3", "checkpoint_kimg=0.05", "kimg=0.4"))
    table = killed / "0001" / "metrics.csv"
    while (not table.exists() or len(table.read_text().splitlines()) < 3) and process.is_alive():
        time.sleep(0.02)
    process.kill()
    assert process.wait() == -signal.SIGKILL, process.errors
    assert [trial.state.name for trial in trials(killed)][1:] == ["RUNNING"]
    for out in (killed, undisturbed):
        assert cli.run(words(out, "n_trials=3", "checkpoint_kimg=0.05", "kimg=0.4")) == 0
    assert outcome(killed) == outcome(undisturbed) and len(trials(killed)) == 3
    settings = yaml.safe_load((killed / "0002" / "config.yaml").read_text())
    assert settings["optimizer"]["generator"]["lr"] == trials(killed)[2].params[RATE]
    assert cli.run(words(killed, "n_trials=3", "checkpoint_kimg=0.05", "kimg=0.4")) == 0
    assert len(trials(killed)) == 3


@needs_optuna
def test_a_training_behind_others_is_pruned_and_the_leaderboard_tells_it_apart(tmp_path, capsys, monkeypatch):
    import optuna

    out = tmp_path / "sweep"
    out.mkdir()
    study = open_study(out, pruner=optuna.pruners.HyperbandPruner(10, 100))
    space = {"loss": optuna.distributions.CategoricalDistribution(["hinge", "minimax"])}
    space[RATE] = optuna.distributions.FloatDistribution(1e-4, 1e-2, log=True)
    for _ in range(30):
        trial = study.ask(space)
        for step in range(10, 100, 10):
            trial.report(trial.params[RATE], step)
            trial.should_prune()
        study.tell(trial, trial.params[RATE])
    assert cli.run(words(out, "n_trials=31")) == 0
    last = trials(out)[30]
    assert last.state.name == "PRUNED" and min(last.intermediate_values) >= 10
    assert "trial 30: pruned at 0." in capsys.readouterr().err
    assert not (out / "0030" / "summary.json").exists()
    monkeypatch.setattr("ganfill.report.plot_style.DPI", 30)
    assert cli.run(["leaderboard", str(out)]) == 0  # it is not unfinished
    page = (out / "leaderboard.html").read_text()
    assert "0 of 1 runs are finished, 1 pruned" in page and "Importance of each key" in page
    assert (out / "leaderboard_importance.png").exists()
    assert ",pruned at 0." in (out / "leaderboard.csv").read_text()


@needs_optuna
def test_a_database_is_shared_and_its_address_is_in_no_configuration(tmp_path, capsys):
    storage = f"sqlite:///{tmp_path}/study.db"
    for name in ("a", "b"):
        out = tmp_path / name / "sweep"
        assert cli.run(words(out, "n_trials=" + {"a": "1", "b": "2"}[name], f"storage={storage}", "fd_kimg=0.1")) == 0
    assert (tmp_path / "a/sweep/0000/summary.json").exists() and (tmp_path / "b/sweep/0001/summary.json").exists()
    assert not (tmp_path / "b/sweep/0000").exists() and not (tmp_path / "b/sweep/study.journal").exists()
    assert "study.db" not in (tmp_path / "a/sweep/0000/config.yaml").read_text()
    assert "study.db" not in (tmp_path / "a/sweep/0000/summary.json").read_text()
    capsys.readouterr()
    assert cli.run(words(tmp_path / "c", "storage=nodb://me:secret@host/x")) == 2
    error = capsys.readouterr().err
    assert "storage=host/x cannot be opened" in error and "secret" not in error.splitlines()[-1]


@needs_optuna
def test_a_sweep_stops_when_trial_after_trial_fails(tmp_path, capsys):
    assert cli.run(words(tmp_path / "sweep", "fd_kimg=0")) == 2
    assert "3 trials in a row failed: sweeper=optuna needs distances: give fd_kimg=N" in capsys.readouterr().err
    assert [trial.state.name for trial in trials(tmp_path / "sweep")] == ["FAIL"] * 3


@needs_optuna
@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["loss=hinge,hing"], "loss=hing is not known"),
        (["kimg=interval(-1,1)"], "kimg must be"),
        (["n_trials=0"], "n_trials must be at least 1, got 0"),
        (["latent.dim=range(8,8)"], "latent.dim=range(8,8) is not a range to draw from"),
        (["loss=hinge", f"{RATE}=0.1"], "nothing to vary"),
    ],
)
def test_mistakes_are_found_before_a_trial_starts(tmp_path, capsys, more, message):
    assert cli.run(words(tmp_path / "sweep", *more)) == 2
    assert message in capsys.readouterr().err
    assert not list(tmp_path.rglob("config.yaml")) and not (tmp_path / "sweep" / "study.journal").exists()


@needs_optuna
def test_a_file_chooses_optuna_and_its_ranges(tmp_path, capsys):
    defaults = ["train", {"override data": "synthetic"}, {"override hydra/sweeper": "optuna"}, "_self_"]
    params = {"loss": "hinge,minimax", RATE: "tag(log,interval(1e-4,1e-2))"}
    hydra = {"mode": "MULTIRUN", "sweep": {"dir": str(tmp_path / "sweep")}, "sweeper": {"params": params}}
    (tmp_path / "search.yaml").write_text(yaml.safe_dump({"defaults": defaults, "hydra": hydra}))
    file = ["train", "-cd", str(tmp_path), "-cn", "search", "--dry-run"]
    assert cli.run([*file, "n_trials=7", "loss=hinge,wasserstein"]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith("7 trials in") and "wasserstein" in shown and "minimax" not in shown
    assert cli.run([*file, "out=elsewhere"]) == 2
    assert "out=elsewhere: give the directory of the sweep as hydra.sweep.dir=DIR" in capsys.readouterr().err


@needs_optuna
def test_dry_run_lists_examples_and_leaves_nothing(tmp_path, capsys):
    assert cli.run([*words(tmp_path / "sweep", "n_trials=7"), "--dry-run"]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith(f"7 trials in {tmp_path}/sweep, with values such as\n") and "loss=minimax" in shown
    assert not (tmp_path / "sweep").exists()


def test_without_optuna_the_extra_is_named(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("ganfill.errors.find_spec", lambda package: None)
    assert cli.run(words(tmp_path / "sweep")) == 2
    assert "sweeper=optuna needs optuna: pip install 'ganfill[sweep]'" in capsys.readouterr().err


def test_short_names_become_hydras():
    given = ["-m", "sweeper=optuna", "n_trials=9", "metric=kd", "storage=sqlite:///a?b=c", "out=runs/a", "loss=a,b"]
    assert optuna_sweeper.split("train", given) == [
        *("-m", "hydra/sweeper=optuna", "hydra.sweeper.n_trials=9", "hydra.sweeper.metric=kd"),
        *("hydra.sweeper.storage=sqlite:///a?b=c", "hydra.sweep.dir=runs/a", "loss=a,b"),
    ]
    assert optuna_sweeper.split("train", ["-m", "out=runs/a"]) == ["-m", "out=runs/a"]
    assert optuna_sweeper.split("train", ["-cn", "a", "metric=kd", "seed=1"])[2:] == [
        "hydra.sweeper.metric=kd",
        "seed=1",
    ]
    for command, mistaken in (("train", "sweeper=ax"), ("evaluate", "sweeper=optuna"), ("train", "sweeper=optuna")):
        with pytest.raises(UserError, match="sweeper="):
            optuna_sweeper.split(command, ["-m", mistaken])
