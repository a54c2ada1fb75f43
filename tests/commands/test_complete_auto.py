"""``model=auto``: for each photo the packaged model whose pixels fit."""

import json

import numpy as np
import pytest
import torch
from PIL import Image

from ganfill import cli
from ganfill.model_io import model_file
from ganfill.models.dcgan import Discriminator, Generator
from ganfill.models.latent import Uniform
from ganfill.models.model import Model

QUICK = ["search=amos2016", "search.steps=2", "search.precision=fp32", "device=cpu", "align=center"]


@pytest.fixture
def packaged(model, tmp_path, monkeypatch):
    """Two packaged models, ``tiny32`` and ``tiny64``, and photos of 30, 40 and 90 pixels."""
    folder, photos = tmp_path / "packaged", tmp_path / "photos"
    folder.mkdir()
    photos.mkdir()
    model_file.save(folder / "tiny32.safetensors", model)
    networks = [network.eval().requires_grad_(False) for network in (Generator(64, 8, 2), Discriminator(64, 2))]
    parts = {name: model.card[name] | {"arguments": {**model.card[name]["arguments"], "resolution": 64, "width": 2}}
             for name in ("generator", "discriminator")}  # fmt: skip
    card = model.card | parts | {"resolution": 64}
    model_file.save(folder / "tiny64.safetensors", Model(*networks, Uniform(8), 64, 1.5, torch.rand(3, 64, 64), card))
    for size in (30, 40, 90):
        pixels = np.random.default_rng(size).integers(0, 256, (size, size, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(photos / f"{size}.png")
    monkeypatch.setattr(model_file, "PACKAGED", folder)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def completed(folder, name):
    return np.asarray(Image.open(folder / f"{name}.png"))


def test_each_photo_is_completed_by_the_model_whose_pixels_fit(packaged, capsys):
    words = ["complete", "images=photos", "mask=center", *QUICK]
    assert cli.run([*words, "model=auto", "out=auto"]) == 0
    said = capsys.readouterr().err
    assert "30.png: hole 1 of 1" in said and ", by tiny32" in said and ", by tiny64" in said
    results = json.loads((packaged / "auto/results.json").read_text())
    assert {name: entry["model"] for name, entry in results.items()} == {"30": "tiny32", "40": "tiny32", "90": "tiny64"}
    for model, name in (("tiny32", "30"), ("tiny32", "40"), ("tiny64", "90")):
        assert cli.run([*words, f"model={model}", f"out={model}"]) == 0
        assert np.array_equal(completed(packaged / "auto", name), completed(packaged / model, name))
    assert "model" not in json.loads((packaged / "tiny32/results.json").read_text())["30"]
    assert not np.array_equal(completed(packaged / "auto", "90"), completed(packaged / "tiny32", "90"))


def test_the_same_command_again_skips_all(packaged):
    words = ["complete", "images=photos", "mask=center", *QUICK, "model=auto", "out=auto"]
    assert cli.run(words) == 0
    assert cli.run(words) == 0
    assert json.loads((packaged / "auto/summary.json").read_text())["figures"]["skipped"] == 3
