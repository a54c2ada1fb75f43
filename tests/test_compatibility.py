"""Files made by version 0.1.0, before the packages were rearranged."""

import csv
import shutil
from pathlib import Path

import pytest
import torch
from PIL import Image

import ganfill
from ganfill import cli
from ganfill.training.run_directory import read_checkpoint

OLD = Path(__file__).parent / "compatibility"
WORDS = [
    *("data=synthetic", "data.n=64", "resolution=32", "model.width=4", "latent.dim=8", "batch_size=32", "seed=0"),
    *("loss=non_saturating", "regularizer=r1", "augment=ada", "fd_samples=16", "sample_kimg=0.064", "log_kimg=0.032"),
    *("checkpoint_kimg=0.064", "device=cpu"),
]


@pytest.fixture
def run(tmp_path):
    shutil.copytree(OLD / "run", tmp_path / "run")
    return tmp_path / "run"


def test_an_old_training_resumes(run, capsys):
    assert cli.run(["train", *WORDS, f"out={run}", "kimg=0.256"]) == 0, capsys.readouterr().err
    with (run / "metrics.csv").open() as file:
        kimg = [float(row["kimg"]) for row in csv.DictReader(file)]
    assert kimg == [0.032, 0.064, 0.096, 0.128, 0.16, 0.192, 0.224, 0.256]
    assert read_checkpoint(run / "last.ckpt")["images_seen"] == 256


def test_an_old_training_with_the_former_default_loss_resumes_if_the_loss_is_given(run, capsys):
    config = run / "config.yaml"
    config.write_text(config.read_text().replace("losses.NonSaturating", "losses.Minimax"))
    words = [word for word in WORDS if not word.startswith("loss=")]
    assert cli.run(["train", *words, f"out={run}", "kimg=0.256"]) == 2
    assert "another configuration: loss._target_ (there ganfill.adversarial.losses.Minimax" in capsys.readouterr().err
    assert cli.run(["train", *words, "loss=minimax", f"out={run}", "kimg=0.256"]) == 0


def test_an_old_training_is_exported_as_it_was(run, tmp_path):
    assert cli.run(["export", f"run={run}", f"out={tmp_path / 'new.safetensors'}"]) == 0
    old, new = ganfill.load(OLD / "model.safetensors"), ganfill.load(tmp_path / "new.safetensors")
    z = old.latent.sample(2, torch.Generator().manual_seed(0))
    assert torch.equal(old.generator(z), new.generator(z))


def test_an_old_model_completes():
    model = ganfill.load(OLD / "model.safetensors")
    picture = Image.new("RGB", (40, 30), (200, 150, 100))
    assert model.complete(picture, "center", search="fast").size == (40, 30)
