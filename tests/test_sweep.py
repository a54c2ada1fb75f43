import csv
import signal
import time
from pathlib import Path

import pytest
import torch
from filelock import FileLock

from ganfill import cli, sweep
from ganfill.commands import train
from ganfill.training.run_directory import read_checkpoint
from tests.processes import Process
from tests.sweeps import words


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

    for cell, rows in (("loss=non_saturating,seed=0", 6), ("loss=minimax,seed=0", 9)):
        process = Process(sweep_words("killed"))
        while rows_of(tmp_path / "killed" / cell / "metrics.csv") < rows and process.is_alive():
            time.sleep(0.02)
        process.kill()
        assert process.wait() == -signal.SIGKILL, process.errors
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
    monkeypatch.chdir(tmp_path)
    nested = ["hydra.sweep.subdir=a/b", "out='${hydra:runtime.output_dir}'"]  # a path from the root, in a relative one
    cli.run(words("mine", "seed=0", "logger=wandb", *nested))
    cli.run(words(tmp_path / "mine", "seed=1", "logger=wandb", "logger.group=other"))
    cli.run(words(tmp_path / "multirun", "seed=2", "logger=wandb", f"out={tmp_path}/losses/hinge"))
    groups = [(config.logger.group, config.logger.name) for config in seen]
    assert groups == [("mine", None), ("other", None), ("losses", None)]
