from itertools import product
from pathlib import Path

import pytest
import yaml

from ganfill import cli, sweep
from ganfill.config_files import options
from ganfill.errors import UserError
from ganfill.sweep_plan import finished_kimg
from tests.sweeps import CELLS, TINY, words

EXPERIMENTS = Path(__file__).resolve().parents[1] / "experiments"


SWEEPS = ["architectures", "ema", "latent", "learning_rates", "losses", "regularizers"]


def test_a_dry_run_lists_the_jobs_and_writes_nothing(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    sweep = ["train", "-m", *TINY, "seed=0,1", "loss=hinge", "out=runs/${seed}"]
    assert cli.run([*sweep, "--dry-run"]) == 0
    assert capsys.readouterr().out == "2 jobs\n  runs/0  seed=0\n  runs/1  seed=1\n"
    assert cli.run([*sweep, "--cfg", "job", "--resolve"]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith("# runs/0\n") and "---\n# runs/1\n" in shown and "\nseed: 1\n" in shown
    assert not list(tmp_path.iterdir())


def test_paths_need_no_key(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for name in ("a.png", "b=1, c.png"):
        Path(name).touch()
    for paths, shown in ((["a.png"], " a.png"), (["a.png", "b=1, c.png"], "\n- a.png\n- b=1, c.png")):
        assert cli.run(["complete", "-m", *paths, "mask=center,half", "--cfg", "job"]) == 0
        assert f"images:{shown}\n" in capsys.readouterr().out


@pytest.mark.parametrize("out", ["file", "file/${seed}"])
def test_a_file_in_place_of_a_run_directory_is_named_before_a_job_starts(out, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("file").touch()
    assert cli.run(["train", "-m", *TINY, "seed=0,1" if "seed" in out else "seed=0", f"out={out}"]) == 2
    assert capsys.readouterr().err == "ganfill: out=file is a file: choose another out for the run directories\n"


@pytest.mark.parametrize("more", [["mask=center,left", "out=ev"], ["seed=0,1"], ["n=3,4,5", "out='ev/${seed}'"]])
def test_evaluations_that_would_overwrite_each_others_tables_are_refused(more, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert cli.run(["evaluate", "-m", "data.path=store", "search=mean", *more]) == 2
    said = capsys.readouterr().err
    assert "is the directory of several jobs: put the settings that differ into it, out='...${seed}', or give " in said
    assert "without -m" in said and not list(tmp_path.rglob("table.csv"))


def test_results_of_another_command_are_named_before_a_job_starts(tmp_path, capsys):
    (tmp_path / "1").mkdir()
    (tmp_path / "1/summary.json").write_text('{"command": "complete"}')
    assert cli.run(["train", "-m", *TINY, "seed=0,1", f"out={tmp_path}/${{seed}}"]) == 2
    assert f"out={tmp_path}/1 holds the results of complete, not of train" in capsys.readouterr().err
    assert [path.name for path in tmp_path.rglob("*")] == ["1", "summary.json"]


def test_what_is_finished_is_looked_for_without_writing(tmp_path):
    assert cli.run(words(tmp_path, "seed=0")) == 0
    config = tmp_path / "loss=non_saturating,seed=0/config.yaml"
    before = config.read_bytes(), config.stat().st_mtime_ns
    plain = yaml.safe_load(before[0])
    assert finished_kimg(config.parent, plain | {"kimg": 0.05}) == 0.064
    assert finished_kimg(config.parent, plain | {"kimg": 1}) is None
    with pytest.raises(UserError, match="holds a training with another configuration: seed"):
        finished_kimg(config.parent, plain | {"seed": 1})
    assert (config.read_bytes(), config.stat().st_mtime_ns) == before


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["launcher=jobli"], "launcher=jobli is not known: did you mean joblib?"),
        (["trainer=single,ddp"], "trainer=ddp is refused in a sweep"),
        (["seed=0,1", "out=same"], "out=same is the directory of several jobs"),
        (["kimg=abc,0.1"], "kimg must be a number above 0, got abc"),
        (["minutes=1,x"], "minutes must be a number above 0 or null, got x"),
        (["loss=minmax"], "loss=minmax is not known: did you mean minimax?"),
        (["seed=0,1", "out=a/${sed}"], "sed is not a key of ganfill train: did you mean seed, step"),
        (
            ["hydra.sweep.subdir=${sed}"],
            "hydra.sweep.subdir takes its value from sed, which is not a key of ganfill train",
        ),
        (["tests"], "tests: write data=tests\n"),
        (["nowhere"], "nowhere is not key=value: settings are written key=value"),
    ],
)
def test_a_mistake_is_reported_before_any_cell_starts(tmp_path, capsys, more, message):
    assert cli.run(words(tmp_path, *more)) == 2
    assert capsys.readouterr().err.startswith(f"ganfill: {message}")
    assert not list(tmp_path.glob("*/config.yaml"))


def test_ddp_chosen_by_a_configuration_is_refused(tmp_path, capsys):
    (tmp_path / "trainer").mkdir()
    (tmp_path / "trainer/ddp.yaml").write_text("devices: 2\n")
    choice = f"{'override ' if options('trainer') else ''}trainer"
    primary = {"defaults": ["train", {choice: "ddp"}, "_self_"], "hydra": {"mode": "MULTIRUN"}}
    (tmp_path / "several.yaml").write_text(yaml.safe_dump(primary))
    more = [*TINY, *CELLS, "seed=0,1", f"hydra.sweep.dir={tmp_path / 'sweep'}"]
    assert cli.run(["train", "-cd", str(tmp_path), "-cn", "several", *more]) == 2
    assert "trainer=ddp is refused in a sweep" in capsys.readouterr().err


def test_a_single_training_by_a_configuration_of_ones_own_may_use_ddp(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.yaml").write_text("defaults: [train, _self_]\nout: here\n")
    seen = []
    monkeypatch.setattr(sweep, "load", lambda command: seen.append)
    assert cli.run(["train", "-cd", ".", "-cn", "mine", *TINY, "trainer=ddp"]) == 0
    assert [config.trainer._target_.rpartition(".")[2] for config in seen] == ["DDP"]
    assert not (tmp_path / "cells.txt").exists()


def test_options_may_stand_anywhere(tmp_path):
    command = [*TINY, *CELLS, "loss=minimax", "kimg=0.03", f"hydra.sweep.dir={tmp_path}", "-cn", "losses", "seed=0"]
    assert cli.run(["train", *command, "-cd", str(EXPERIMENTS), "regularizer=none"]) == 0
    assert (tmp_path / "loss=minimax,seed=0/summary.json").exists()


@pytest.mark.parametrize("name", SWEEPS)
def test_every_sweep_names_its_cells_and_its_first_trains(tmp_path, name):
    source = (EXPERIMENTS / f"{name}.yaml").read_text()
    settings = yaml.safe_load(source)
    assert source.startswith("#") and f"ganfill train -cd experiments -cn {name} " in source and "# Learned: " in source
    assert settings["hydra"]["sweep"]["dir"] == f"runs/{name}"
    params = {key: str(values).split(",") for key, values in settings["hydra"]["sweeper"]["params"].items()}
    for group, values in params.items():
        assert not options(group) or set(values) <= set(options(group))
    assert settings["fd_kimg"] == 10 and settings.get("fd_samples") == (1000 if "minutes" in settings else None)
    assert 5 <= len(list(product(*params.values()))) <= 15
    tiny = [word for word in TINY if "latent.dim" not in word or name != "latent"]
    first = [f"{key}={values[0]}" for key, values in params.items()]
    command = ["train", "-cd", str(EXPERIMENTS), "-cn", name, *tiny, *first, f"hydra.sweep.dir={tmp_path}", "kimg=0.03"]
    assert cli.run(command) == 0
    (cell,) = (path.parent.name for path in tmp_path.glob("*/summary.json"))
    assert "=" in cell and values_named(cell, params)


def values_named(cell, params):
    """Whether a cell's name tells a value for each of the sweep's parameters, up to how a number is written."""
    settings = dict(pair.split("=") for pair in cell.split(","))
    return len(settings) == len(params)
