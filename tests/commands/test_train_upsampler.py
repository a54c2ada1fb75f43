import json
import re

import numpy as np
import pytest
import torch
from PIL import Image

import ganfill
from ganfill import cli
from ganfill.model_io import model_file

TINY = ["data=synthetic", "data.n=40", "batch_size=16", "upsampler.widths=[8,8]", "upsampler.blocks=1", "device=cpu"]
TINY += ["precision=32-true", "log_kimg=0.032", "kimg=0.1", "regression_kimg=0.05", "discriminator.width=4"]


@pytest.fixture
def words(tmp_path, model_with_inpainter):
    model_with_inpainter.card["inpainter"]["kimg"] = 1
    model_file.save(tmp_path / "model.safetensors", model_with_inpainter)
    return ["train-upsampler", *TINY, f"model={tmp_path / 'model.safetensors'}", f"out={tmp_path / 'run'}"]


def test_a_model_gets_its_upsampler_and_draws_large_photos_with_it(words, tmp_path, capsys):
    assert cli.run(words) == 0
    file = tmp_path / "run/model.safetensors"
    assert capsys.readouterr().out.strip() == str(file)
    after = ganfill.load(file)
    card = after.card["upsampler"]
    assert card["class"] == "ganfill.models.inpainter.Inpainter" and card["kimg"] == 0.112
    assert card["arguments"]["resolution"] == 64
    saved = torch.load(tmp_path / "run/last.ckpt", weights_only=True)["state_dict"]
    assert all(torch.equal(saved[f"inpainter_ema.{name}"], v) for name, v in after.upsampler.state_dict().items())
    assert json.loads((tmp_path / "run/summary.json").read_text())["command"] == "train-upsampler"

    pixels = np.random.default_rng(0).integers(0, 256, (80, 80, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    complete = ["complete", str(tmp_path / "a.png"), "mask=center", "search=fast", "align=none", "device=cpu"]
    for name, model in (("with", file), ("without", tmp_path / "model.safetensors")):
        assert cli.run([*complete, f"out={tmp_path / name}", f"model={model}"]) == 0
    one, other = (np.asarray(Image.open(tmp_path / name / "a.png")).astype(int) for name in ("with", "without"))
    assert (one != other)[20:60, 20:60].any()
    assert np.array_equal(one[:20], pixels[:20])


def test_a_training_starts_from_an_inpainter_or_an_upsampler(words, tmp_path, caplog):
    caplog.set_level("WARNING")
    short = [word for word in words if not word.startswith(("kimg=", "regression_kimg="))]
    short += ["kimg=0.016", "regression_kimg=0"]
    assert cli.run([*short, f"init={tmp_path / 'model.safetensors'}", "upsampler.widths=[4,8,8]"]) == 0
    assert any(message.startswith("upsampler: ") and "; new: " in message for message in caplog.messages)
    caplog.clear()
    first = tmp_path / "run/model.safetensors"
    again = [word for word in short if not word.startswith("out=")]
    assert cli.run([*again, "upsampler.widths=[4,8,8]", f"init={first}", f"out={tmp_path / 'again'}"]) == 0
    assert any(re.match(r"upsampler: (\d+) of \1 tensors", message) for message in caplog.messages)


def test_another_resolution_is_refused(words, capsys):
    assert cli.run([*words, "resolution=32"]) == 2
    assert "resolution=32 must be 64 for this model: leave it out" in capsys.readouterr().err
