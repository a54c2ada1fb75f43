import shutil

import pytest
import torch
import yaml

from ganfill import cli
from ganfill.model_io import model_file
from ganfill.training import growing

TINY = [
    "data=synthetic",
    "data.n=40",
    "batch_size=16",
    "latent.dim=16",
    "device=cpu",
    "precision=32-true",
    "log_kimg=0.032",
]
TINY += ["callbacks=none", "checkpoint_kimg=0.032", "augment=diffaugment", "regularizer=r1", "regularizer.interval=1"]


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """A model of 32 pixels."""
    folder = tmp_path_factory.mktemp("small")
    assert cli.run(["train", *TINY, "resolution=32", "model.width=8", "kimg=0.032", f"out={folder}/run"]) == 0
    assert cli.run(["export", f"run={folder}/run", f"out={folder}/small.safetensors"]) == 0
    return folder / "small.safetensors"


@pytest.fixture
def grow(small, monkeypatch):
    """The words of a training of 64 pixels that grows from it."""
    monkeypatch.setattr(growing, "STEPS", 3)
    return ["train", *TINY, "resolution=64", "model.width=4", f"init={small}", "fade_kimg=0.1"]


def test_a_grown_training_that_was_cut_off_ends_with_the_same_weights(grow, small, tmp_path, caplog):
    assert cli.run([*grow, "kimg=0.128", f"out={tmp_path / 'a'}"]) == 0
    assert "generator: 18 of 25 tensors taken over; new: stages.3.0.weight, " in caplog.text
    model = tmp_path / "moved.safetensors"
    shutil.copy(small, model)
    words = [f"init={model}" if word.startswith("init=") else word for word in grow]
    assert cli.run([*words, "kimg=0.064", f"out={tmp_path / 'b'}"]) == 0
    model.unlink()  # only the start needs it
    assert cli.run([*words, "kimg=0.128", f"out={tmp_path / 'b'}"]) == 0
    a, b = (torch.load(tmp_path / out / "last.ckpt", weights_only=True)["state_dict"] for out in "ab")
    assert a.keys() == b.keys() and all(torch.equal(a[key], b[key]) for key in a)


def test_the_fade_changes_the_training(grow, tmp_path):
    for kimg in (0, 0.1):
        assert cli.run([*grow, f"fade_kimg={kimg}", "kimg=0.032", f"out={tmp_path / str(kimg)}"]) == 0
    states = [
        torch.load(tmp_path / out / "last.ckpt", weights_only=True)["state_dict"]["generator.to_rgb.0.weight"]
        for out in ("0", "0.1")
    ]
    assert not torch.equal(*states)


def test_an_exported_model_holds_nothing_of_the_fade_and_names_its_origin(grow, small, tmp_path, capsys):
    assert cli.run([*grow, "kimg=0.032", f"out={tmp_path / 'run'}"]) == 0
    assert cli.run(["export", f"run={tmp_path / 'run'}", f"out={tmp_path / 'model.safetensors'}"]) == 0
    model = model_file.load(tmp_path / "model.safetensors")
    assert model.generator(torch.zeros(1, 16)).shape == (1, 3, 64, 64)
    assert model.card["init"] == "small.safetensors" and "init" not in model.card["config"]
    assert str(small.parent) not in yaml.safe_dump(model.card)
    capsys.readouterr()
    assert cli.run(["info", f"{tmp_path / 'model.safetensors'}"]) == 0
    assert ", started from small.safetensors" in capsys.readouterr().out


def test_mistakes_leave_no_run_directory(grow, small, tmp_path, capsys):
    out = tmp_path / "out"
    for words, message in (
        (["model.width=8"], "cannot grow to 64 pixels: "),
        (["init=nobody"], "nobody: no such file, and no packaged model of that name"),
        (["fade_kimg=-1"], "fade_kimg must be a number from 0, got -1"),
    ):
        assert cli.run([*grow, *words, "kimg=0.032", f"out={out}"]) == 2
        assert message in capsys.readouterr().err
        assert not out.exists()
