import csv
import os
import signal
import subprocess
import sys
import time
from itertools import product
from pathlib import Path

import pytest
import torch
import yaml
from filelock import FileLock

from ganfill import cli, sweep
from ganfill.commands import train
from ganfill.config_files import options
from ganfill.errors import UserError
from ganfill.training.run_directory import read_checkpoint

EXPERIMENTS = Path(__file__).resolve().parents[1] / "experiments"
SWEEPS = ["architectures", "ema", "latent", "learning_rates", "losses", "regularizers"]
TINY = ["data=synthetic", "data.n=40", "batch_size=16", "resolution=32", "latent.dim=16", "model.width=4", "device=cpu"]
TINY += ["log_kimg=0.032", "precision=32-true", "sample_kimg=0", "completion_kimg=0"]
CELLS = ["hydra.sweep.subdir=loss=${hydra.runtime.choices.loss},seed=${seed}", "out=${hydra:runtime.output_dir}"]


def words(directory, *more):
    return ["train", "-m", *TINY, *CELLS, "kimg=0.06", "loss=non_saturating", f"hydra.sweep.dir={directory}", *more]


def outcome(directory):
    """Weights, optimizers and measurements of every cell, without what depends on the time of day."""
    found = {}
    for path in sorted(directory.glob("*/last.ckpt")):
        checkpoint = read_checkpoint(path)
        found[path.parent.name] = (
            checkpoint["images_seen"],
            timeless(path.parent / "metrics.csv"),
            timeless(path.parent / "distances.csv"),
            checkpoint["state_dict"],
            checkpoint["optimizer_states"],
        )
    return found


def timeless(path):
    """The rows of a table without the columns that depend on the time of day."""
    with path.open(newline="") as file:
        rows = csv.DictReader(file)
        return [{k: v for k, v in row.items() if k not in ("seconds", "images_per_second")} for row in rows]


def same(a, b):
    if isinstance(a, torch.Tensor):
        return a.dtype == b.dtype and torch.equal(a, b)
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(same, a, b))
    return a == b


def rows_of(path):
    return len(path.read_text().splitlines()) if path.exists() else 0


def test_killed_twice_and_started_again_every_cell_is_bit_equal_to_an_undisturbed_sweep(tmp_path, monkeypatch):
    def sweep_words(name):
        more = ["loss=non_saturating,minimax", "seed=0,1", "kimg=0.5", "checkpoint_kimg=0.1", "model.width=8"]
        return words(tmp_path / name, *more, "fd_kimg=0.1", "fd_samples=8")

    environment = os.environ | {"OMP_NUM_THREADS": str(torch.get_num_threads())}
    for cell, rows in (("loss=non_saturating,seed=0", 6), ("loss=minimax,seed=0", 9)):
        command = [sys.executable, "-m", "ganfill", *sweep_words("killed")]
        with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
            while rows_of(tmp_path / "killed" / cell / "metrics.csv") < rows and process.poll() is None:
                time.sleep(0.02)
            assert process.poll() is None, process.communicate()[1]
            process.send_signal(signal.SIGKILL)
        assert not (tmp_path / "killed" / cell / "summary.json").exists()
    assert cli.run(sweep_words("killed")) == 0
    assert cli.run(sweep_words("undisturbed")) == 0
    killed, undisturbed = outcome(tmp_path / "killed"), outcome(tmp_path / "undisturbed")
    assert len(undisturbed) == 4 and all(len(cell[1]) == 16 and len(cell[2]) == 5 for cell in undisturbed.values())
    assert same(killed, undisturbed)
    monkeypatch.setattr("ganfill.report.plot_style.DPI", 30)  # plots are drawn quickly
    assert [cli.run(["leaderboard", str(tmp_path / name)]) for name in ("killed", "undisturbed")] == [0, 0]
    tables = [(tmp_path / name / "leaderboard.csv").read_bytes() for name in ("killed", "undisturbed")]
    assert tables[0] == tables[1] and b"fd_pyramid_best" in tables[0]


def test_finished_cells_are_skipped_before_anything_is_built(tmp_path, capsys, monkeypatch):
    assert cli.run(words(tmp_path, "seed=0,1")) == 0
    capsys.readouterr()
    monkeypatch.setattr(train, "build", None)
    assert cli.run(words(tmp_path, "seed=0,1")) == 0
    assert capsys.readouterr().err.count("already trained to 0.064 kimg: nothing to do") == 2
    (tmp_path / "loss=non_saturating,seed=1/summary.json").unlink()
    assert cli.run(words(tmp_path, "seed=0,1")) == 1


def test_a_dry_run_lists_the_jobs_and_writes_nothing(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    sweep = ["train", "-m", *TINY, "seed=0,1", "loss=hinge", "out=runs/${seed}"]
    assert cli.run([*sweep, "--dry-run"]) == 0
    assert capsys.readouterr().out == "2 jobs\n  runs/0  seed=0\n  runs/1  seed=1\n"
    assert cli.run([*sweep, "--cfg", "job", "--resolve"]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith("# runs/0\n") and "---\n# runs/1\n" in shown and "\nseed: 1\n" in shown
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("out", ["file", "file/${seed}"])
def test_a_file_in_place_of_a_run_directory_is_named_before_a_job_starts(out, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("file").touch()
    assert cli.run(["train", "-m", *TINY, "seed=0,1" if "seed" in out else "seed=0", f"out={out}"]) == 2
    assert capsys.readouterr().err == "ganfill: out=file is a file: choose another out for the run directories\n"


def test_a_failing_cell_stops_no_other_and_tells_its_reason(tmp_path, capsys):
    rates = "optimizer.generator.lr=2e-4,1e39"
    subdir = "hydra.sweep.subdir=rate=${optimizer.generator.lr},seed=${seed}"
    assert cli.run(words(tmp_path, rates, "seed=0,1", subdir)) == 1
    assert len(list(tmp_path.glob("*/summary.json"))) == 2
    failed = sorted(path.parent.name for path in tmp_path.glob("*/failed.txt"))
    assert failed == ["rate=1e+39,seed=0", "rate=1e+39,seed=1"]
    reason = (tmp_path / failed[0] / "failed.txt").read_text()
    assert "became NaN or infinite" in reason and reason.count("\n") == 1
    output = capsys.readouterr().err
    assert "ganfill: 2 of 4 jobs failed; the same command again continues them" in output
    assert all(f"  {tmp_path / name}: the training became NaN" in output for name in failed)


def test_whatever_happens_to_a_cell_is_kept_and_forgotten_when_it_succeeds(tmp_path, monkeypatch):
    def short_of_memory(*arguments, **settings):
        raise MemoryError("37 GiB\nwere asked for")

    with monkeypatch.context() as patch:
        patch.setattr(train, "fit", short_of_memory)
        assert cli.run(words(tmp_path, "seed=0")) == 1
    report = tmp_path / "loss=non_saturating,seed=0/failed.txt"
    assert report.read_text().startswith("MemoryError: 37 GiB\nTraceback")
    assert cli.run(words(tmp_path, "seed=0")) == 0
    assert not report.exists()


def test_an_interrupt_stops_the_whole_sweep(tmp_path, monkeypatch, capsys):
    def interrupted(*arguments, **settings):
        raise KeyboardInterrupt

    monkeypatch.setattr(train, "fit", interrupted)
    assert cli.run(words(tmp_path, "seed=0,1")) == 130
    assert "interrupted; the same command again continues" in capsys.readouterr().err
    assert not (tmp_path / "loss=non_saturating,seed=1/config.yaml").exists()
    assert (tmp_path / "cells.txt").read_text() == "loss=non_saturating,seed=0\nloss=non_saturating,seed=1\n"
    assert cli.run(["leaderboard", str(tmp_path)]) == 1
    assert "2 of 2 runs are not finished: loss=non_saturating,seed=0 (not st" in capsys.readouterr().err


def test_what_is_finished_is_looked_for_without_writing(tmp_path):
    assert cli.run(words(tmp_path, "seed=0")) == 0
    config = tmp_path / "loss=non_saturating,seed=0/config.yaml"
    before = config.read_bytes(), config.stat().st_mtime_ns
    plain = yaml.safe_load(before[0])
    assert sweep.finished_kimg(config.parent, plain | {"kimg": 0.05}) == 0.064
    assert sweep.finished_kimg(config.parent, plain | {"kimg": 1}) is None
    with pytest.raises(UserError, match="holds a training with another configuration: seed"):
        sweep.finished_kimg(config.parent, plain | {"seed": 1})
    assert (config.read_bytes(), config.stat().st_mtime_ns) == before


def test_a_reason_is_there_as_a_whole_or_not_at_all(tmp_path, monkeypatch):
    def killed_while_writing(path, text):
        path.touch()
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "write_bytes", killed_while_writing)
    with pytest.raises(KeyboardInterrupt):
        sweep._fail(tmp_path, "no luck")
    assert [*tmp_path.iterdir()] == []


@pytest.mark.parametrize("launcher", ["launcher=joblib", "hydra/launcher=submitit_local"])
def test_in_other_processes_cells_fail_as_loudly(tmp_path, capsys, launcher):
    pytest.importorskip("joblib")
    pytest.importorskip("submitit")
    rates = ["optimizer.generator.lr=1e39,2e-4", "hydra.sweep.subdir=rate=${optimizer.generator.lr}"]
    assert cli.run(words(tmp_path, *rates, launcher)) == 1
    assert (tmp_path / "rate=0.0002/summary.json").exists()
    assert f"  {tmp_path / 'rate=1e+39'}: the training became NaN" in capsys.readouterr().err


def test_a_process_that_is_killed_is_a_failure(tmp_path, capsys):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sweep, "run_as_hydra_application", killed)
        assert cli.run(words(tmp_path, "seed=0")) == 1
    assert "seed=0: the launcher gave up: ProcessLookupError: -9" in capsys.readouterr().err


def killed(*arguments):
    """Hydra as it is when the system kills a process of joblib's."""
    raise ProcessLookupError(-9)


def test_a_directory_that_another_process_is_at_work_in_is_left_alone(tmp_path, capsys):
    cell = tmp_path / "loss=non_saturating,seed=0"
    cell.mkdir()
    with FileLock(cell / ".lock"):
        assert cli.run(words(tmp_path, "seed=0")) == 1
    assert f"{cell} is in use by another process" in capsys.readouterr().err
    assert not (cell / "failed.txt").exists() and not (cell / "config.yaml").exists()


def test_a_wandb_run_is_grouped_by_the_sweep(tmp_path, monkeypatch):
    seen = []
    monkeypatch.setattr(sweep, "load", lambda command: seen.append)
    cli.run(words(tmp_path / "mine", "seed=0", "logger=wandb"))
    cli.run(words(tmp_path / "mine", "seed=1", "logger=wandb", "logger.group=other"))
    assert [(config.logger.group, config.logger.name) for config in seen] == [("mine", None), ("other", None)]


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["launcher=jobli"], "launcher=jobli is not known: did you mean joblib?"),
        (["trainer=single,ddp"], "trainer=ddp is refused in a sweep"),
        (["seed=0,1", "out=same"], "out=same is the directory of several jobs"),
        (["kimg=abc,0.1"], "kimg must be a number above 0, got abc"),
        (["minutes=1,x"], "minutes must be a number above 0 or null, got x"),
        (["loss=minmax"], "loss=minmax is not known: did you mean minimax?"),
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
