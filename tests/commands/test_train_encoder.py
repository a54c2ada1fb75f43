import json
import shutil

import numpy as np
import pytest
import torch
from PIL import Image

import ganfill
from ganfill import cli
from ganfill.model_io import model_file

TINY = ["data=synthetic", "data.n=40", "batch_size=16", "encoder.width=4", "device=cpu", "precision=32-true"]
TINY += ["log_kimg=0.032", "kimg=0.1"]


@pytest.fixture
def words(tmp_path, model_path):
    return ["train-encoder", *TINY, f"model={model_path}", f"out={tmp_path / 'run'}"]


def test_a_model_gets_its_encoder_and_completes(words, tmp_path, model_path, capsys):
    assert cli.run(words) == 0
    out = tmp_path / "run"
    assert capsys.readouterr().out.strip() == str(out / "model.safetensors")
    names = {"config.yaml", "last.ckpt", "metrics.csv", "model.safetensors", "summary.json"}
    assert {path.name for path in out.iterdir()} == names
    before, after = ganfill.load(model_path), ganfill.load(out / "model.safetensors")
    assert before.encoder is None and after.encoder is not None and not after.encoder.training
    for name, value in before.generator.state_dict().items():
        assert torch.equal(after.generator.state_dict()[name], value)
    assert after.logit_centre == before.logit_centre and torch.equal(after.mean_picture, before.mean_picture)
    encoder = after.card["encoder"]
    arguments = {"resolution": 32, "latent_dim": 8, "width": 4}
    assert encoder["class"] == "ganfill.models.encoder.Encoder" and encoder["arguments"] == arguments
    assert encoder["kimg"] == 0.112 and encoder["pictures"] == 40 and encoder["metrics"]["kimg"] == 0.096
    assert {key: value for key, value in after.card.items() if key != "encoder"} == before.card
    summary = json.loads((out / "summary.json").read_text())
    assert summary["command"] == "train-encoder" and summary["figures"]["sha256_of_content"] == after.digest
    assert summary["figures"]["bytes"] == (out / "model.safetensors").stat().st_size

    pixels = np.random.default_rng(0).integers(0, 256, (40, 40, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    complete = ["complete", str(tmp_path / "a.png"), "mask=center", f"out={tmp_path / 'filled'}", "search=fast"]
    assert cli.run([*complete, f"model={out / 'model.safetensors'}", "device=cpu"]) == 0
    with Image.open(tmp_path / "filled/a.png") as filled:
        changed = (np.array(filled) != pixels).any(2)
    assert changed[10:30, 10:30].mean() > 0.9 and changed.sum() == changed[10:30, 10:30].sum()


def test_the_weights_in_the_file_are_those_of_the_checkpoint(words, tmp_path):
    assert cli.run(words) == 0
    saved = torch.load(tmp_path / "run/last.ckpt", weights_only=True)["state_dict"]
    encoder = model_file.load(tmp_path / "run/model.safetensors").encoder.state_dict()
    assert all(torch.equal(saved[f"encoder.{name}"], value) for name, value in encoder.items())


def test_the_same_command_again_trains_nothing_and_gives_the_same_file(words, tmp_path, capsys):
    assert cli.run(words) == 0
    out = tmp_path / "run"
    model, trained = (out / "model.safetensors").read_bytes(), (out / "last.ckpt").stat().st_mtime_ns
    capsys.readouterr()
    assert cli.run(words) == 0
    assert (out / "last.ckpt").stat().st_mtime_ns == trained
    assert (out / "model.safetensors").read_bytes() == model
    assert capsys.readouterr().out.strip() == str(out / "model.safetensors")
    (out / "model.safetensors").unlink()
    assert cli.run(words) == 0
    assert (out / "model.safetensors").read_bytes() == model


def test_half_a_file_is_smaller(words, tmp_path, model_path):
    assert cli.run([*words, "half=true"]) == 0
    file = tmp_path / "run/model.safetensors"
    assert file.stat().st_size < 2 * model_path.stat().st_size
    assert next(model_file.load(file).encoder.parameters()).dtype == torch.float32


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("model=nothing", "model=nothing: no such file, and no packaged model of that name"),
        ("model=notes.txt", "notes.txt is not a model file"),
        ("optimizer.rate=1", "optimizer.rate is not a key of ganfill train-encoder"),
        ("resolution=64", "resolution=64 must be 32 for this model: leave it out"),
        ("latent_dim=9", "latent_dim=9 must be 8 for this model: leave it out"),
        ("batch_size=1", "batch_size must be a whole number from 2, got 1"),
        ("encoder.width=wide", "encoder.width must be a whole number, got wide"),
        ("precision=half", "precision=half is not known"),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2(words, word, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "notes.txt").write_text("no model")
    words = [old for old in words if old.split("=")[0] != word.split("=")[0]]
    assert cli.run([*words, word]) == 2
    output = capsys.readouterr().err
    assert output.startswith("ganfill: ") and message in output and output.count("\n") == 1
    assert not (tmp_path / "run/last.ckpt").exists()


def test_another_model_in_the_same_place_is_refused(words, tmp_path, model, capsys):
    assert cli.run(words) == 0
    before = (tmp_path / "run/model.safetensors").read_bytes()
    model.logit_centre = 2.5
    model_file.save(tmp_path / "other.safetensors", model)
    assert cli.run([*(w for w in words if not w.startswith("model=")), f"model={tmp_path / 'other.safetensors'}"]) == 2
    assert "another configuration: model (there " in capsys.readouterr().err
    assert (tmp_path / "run/model.safetensors").read_bytes() == before


def test_refused_pictures_leave_the_configuration(words, tmp_path, store_path, capsys):
    words = [word for word in words if not word.startswith("data")]
    assert cli.run([*words, f"data.path={store_path}"]) == 0
    before = (tmp_path / "run/config.yaml").read_bytes()
    index = json.loads((store_path / "index.json").read_text())
    index["pictures"][-1]["sha256"] = "0" * 64
    other = shutil.copytree(store_path, tmp_path / "other")
    (other / "index.json").write_text(json.dumps(index))
    assert cli.run([*words, f"data.path={other}"]) == 2
    assert "was trained on other pictures than those in" in capsys.readouterr().err
    assert (tmp_path / "run/config.yaml").read_bytes() == before


def test_pictures_of_another_size_are_refused(words, capsys, tmp_path, store_path):
    index = json.loads((store_path / "index.json").read_text())
    (store_path / "index.json").write_text(json.dumps(index | {"resolution": 64}))
    np.save(store_path / "images.npy", np.zeros((30, 64, 64, 3), np.uint8))
    words = [word for word in words if not word.startswith("data")]
    assert cli.run([*words, f"data.path={store_path}"]) == 2
    assert "holds pictures of 64 pixels, the networks expect 32" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("kimg=0", "kimg must be a number above 0, got 0"),
        ("optimizer.lr=-1", "optimizer.lr must be a number above 0, got -1"),
    ],
)
def test_settings_that_train_nothing_are_one_line(words, word, message, capsys):
    assert cli.run([*words, word]) == 2
    output = capsys.readouterr().err
    assert message in output and "Traceback" not in output


def test_its_run_is_not_for_export_and_info_tells_of_it(words, tmp_path, capsys):
    assert cli.run(words) == 0
    capsys.readouterr()
    assert cli.run(["export", f"run={tmp_path / 'run'}", f"out={tmp_path / 'b.safetensors'}"]) == 2
    assert "this run trained no GAN; its model file is model.safetensors" in capsys.readouterr().err
    assert cli.run(["info", str(tmp_path / "run/model.safetensors")]) == 0
    assert "encoder.Encoder(resolution=32, latent_dim=8, width=4)" in capsys.readouterr().out
