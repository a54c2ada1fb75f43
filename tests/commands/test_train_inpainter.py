import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

import ganfill
from ganfill import cli
from ganfill.model_io import model_file

TINY = ["data=synthetic", "data.n=40", "batch_size=16", "inpainter.widths=[8,8]", "inpainter.blocks=1", "device=cpu"]
TINY += ["precision=32-true", "log_kimg=0.032", "kimg=0.1", "regression_kimg=0.05"]


@pytest.fixture
def words(tmp_path, model_with_encoder):
    model_with_encoder.card["encoder"]["kimg"] = 1
    model_file.save(tmp_path / "model.safetensors", model_with_encoder)
    return ["train-inpainter", *TINY, f"model={tmp_path / 'model.safetensors'}", f"out={tmp_path / 'run'}"]


def test_a_model_gets_its_inpainter_and_completes_with_it(words, tmp_path, model_with_encoder, capsys):
    assert cli.run(words) == 0
    file = tmp_path / "run/model.safetensors"
    assert capsys.readouterr().out.strip() == str(file)
    after = ganfill.load(file)
    card = after.card["inpainter"]
    assert card["class"] == "ganfill.models.inpainter.Inpainter" and card["kimg"] == 0.112
    assert card["arguments"] == {"resolution": 32, "widths": [8, 8], "blocks": 1, "guess": True}
    assert {key: value for key, value in after.card.items() if key != "inpainter"} == model_with_encoder.card
    saved = torch.load(tmp_path / "run/last.ckpt", weights_only=True)["state_dict"]
    weights = after.inpainter.state_dict()
    assert all(torch.equal(saved[f"inpainter_ema.{name}"], value) for name, value in weights.items())
    assert json.loads((tmp_path / "run/summary.json").read_text())["command"] == "train-inpainter"

    pixels = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    for name, model in (("with", file), ("without", tmp_path / "model.safetensors")):
        complete = ["complete", str(tmp_path / "a.png"), "mask=center", "search=fast", "blend=paste", "device=cpu"]
        assert cli.run([*complete, f"out={tmp_path / name}", f"model={model}"]) == 0
    one, other = (np.asarray(Image.open(tmp_path / name / "a.png")).astype(int) for name in ("with", "without"))
    assert (one != other)[8:24, 8:24].any()
    assert np.array_equal(one[:8], pixels[:8])
    assert cli.run(["info", str(file)]) == 0
    assert "inpainter.Inpainter(resolution=32, widths=[8, 8], blocks=1, guess=True)" in capsys.readouterr().out


def test_a_model_without_an_encoder_is_refused(words, model_with_encoder, tmp_path, capsys):
    card = {key: value for key, value in model_with_encoder.card.items() if key != "encoder"}
    model_file.save(tmp_path / "model.safetensors", replace(model_with_encoder, encoder=None, card=card))
    assert cli.run(words) == 2
    assert "has no encoder" in capsys.readouterr().err and not (tmp_path / "run/last.ckpt").exists()


def test_a_training_starts_from_a_trained_inpainter(words, tmp_path, caplog):
    assert cli.run(words) == 0
    first = tmp_path / "run/model.safetensors"
    again = [word for word in words if not word.startswith(("out=", "kimg=", "regression_kimg="))]
    again += [f"init={first}", f"out={tmp_path / 'again'}", "kimg=0.016", "regression_kimg=0", "optimizer.lr=1e-9"]
    assert cli.run(again) == 0
    before, after = (ganfill.load(path).inpainter for path in (first, tmp_path / "again/model.safetensors"))
    for name, value in before.named_parameters():
        torch.testing.assert_close(after.get_parameter(name), value, atol=1e-5, rtol=0)
    assert "inpainter: 46 of 46 tensors taken over" in caplog.messages


@pytest.fixture
def run(words, tmp_path):
    """A finished training, and the words of another that starts from it and changes next to nothing."""
    assert cli.run(words) == 0
    again = [word for word in words if not word.startswith(("out=", "kimg=", "regression_kimg="))]
    again += [f"init={tmp_path / 'run'}", f"out={tmp_path / 'again'}", "kimg=0.016", "regression_kimg=0"]
    return tmp_path / "run", [*again, "optimizer.lr=1e-9", "discriminator_optimizer.lr=1e-9", "ema_half_life_kimg=1e3"]


def test_a_training_starts_from_all_networks_of_another(run, tmp_path, caplog):
    first, words = run
    assert cli.run(words) == 0
    before, after = (
        torch.load(out / "last.ckpt", weights_only=True)["state_dict"] for out in (first, tmp_path / "again")
    )
    kept = ("inpainter_ema.", "discriminator.")
    for name in before:
        if name.startswith(kept) and not name.endswith(("running_mean", "running_var", "num_batches_tracked")):
            torch.testing.assert_close(after[name], before[name], atol=1e-3, rtol=1e-3, msg=name)
    message = f"all networks of the training in {first} taken over"
    assert caplog.messages.count(message) == 1
    assert cli.run([*words, "kimg=0.032"]) == 0  # continues; the start is past
    assert caplog.messages.count(message) == 1


def test_a_run_of_other_networks_is_refused(run, tmp_path, capsys):
    first, words = run
    assert cli.run([*words, "inpainter.widths=[8,12]"]) == 2
    error = capsys.readouterr().err
    assert f"{first / 'last.ckpt'} does not fit" in error
    assert "leave init out, or give a run of train-inpainter with the same networks" in error
    assert not (tmp_path / "again/last.ckpt").exists()


def test_nobody_is_told_to_delete_the_damaged_checkpoint_of_another_run(run, capsys):
    first, words = run
    (first / "last.ckpt").write_bytes(b"damaged")
    assert cli.run(words) == 2
    error = capsys.readouterr().err
    assert f"{first / 'last.ckpt'} is not a readable checkpoint" in error
    assert "leave init out" in error and "delete it" not in error


def test_init_without_an_inpainter_is_refused(words, tmp_path, capsys):
    assert cli.run([*words, f"init={tmp_path / 'model.safetensors'}"]) == 2
    assert "this model has no inpainter" in capsys.readouterr().err
