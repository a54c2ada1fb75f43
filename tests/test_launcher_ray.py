"""Sweeps on Ray; CI does not install it."""

import pytest

from ganfill import cli

pytest.importorskip("ray")
pytest.importorskip("hydra_plugins.hydra_ray_launcher")

TINY = [
    "data=synthetic",
    "data.n=40",
    "batch_size=8",
    "model.width=4",
    "resolution=32",
    "device=cpu",
    "precision=32-true",
]
TINY += ["sample_kimg=0", "fd_kimg=0", "completion_kimg=0"]


def test_jobs_run_on_ray_and_the_failure_of_one_stops_no_other(tmp_path, capfd, monkeypatch):
    monkeypatch.chdir(tmp_path)
    sweep = ["train", "-m", *TINY, "kimg=0.032", "launcher=ray", "out=runs/${hydra:runtime.choices.loss}"]
    assert cli.run([*sweep, "loss=hinge,wasserstein", "gap_aware=true"]) == 1
    assert (tmp_path / "runs/hinge/last.ckpt").is_file()
    message = capfd.readouterr().err
    assert "1 of 2 jobs failed" in message and "Wasserstein has none" in message
