import copy
import importlib
import json

import pytest
import torch

from ganfill import cli
from ganfill.commands.info import cost
from ganfill.model_io import model_file
from ganfill.models.latent import Normal
from ganfill.models.model import Model


def test_info_tells_what_a_file_holds(model_path, capsys):
    assert cli.run(["info", str(model_path)]) == 0
    output = dict(line.split("  ", 1) for line in capsys.readouterr().out.splitlines())
    output = {name: value.strip() for name, value in output.items()}
    assert output["generator"].startswith("dcgan.Generator(resolution=32, latent_dim=8, width=4), ")
    assert output["latent"] == "latent.Uniform(dim=8)"
    assert output["trained"] == "12.5 thousand images seen, on 40 pictures"
    assert output["terms"] == "Gemäß den Bedingungen"
    assert len(output["sha256"].split()[0]) == 64


def test_the_whole_card_goes_to_a_summary(model_path, tmp_path, model):
    assert cli.run(["info", f"file={model_path}", f"out={tmp_path / 'output'}"]) == 0
    summary = json.loads((tmp_path / "output/summary.json").read_text("utf-8"))
    assert summary["figures"]["card"] == model.card
    assert summary["figures"]["bytes"] == model_path.stat().st_size


@pytest.mark.parametrize(
    "change",
    [
        *(lambda card, name=name: card.pop(name) for name in ("kimg", "pictures", "data")),
        lambda card: card.update(imported=5),
        lambda card: card.update(config={"loss": {}}),
        lambda card: card.update(config={"loss": None}),
        lambda card: card["latent"].pop("arguments"),
    ],
)
def test_a_card_that_lacks_facts_is_one_line(change, model, tmp_path, capsys):
    model.card = copy.deepcopy(model.card)
    change(model.card)
    model_file.save(tmp_path / "model.safetensors", model)
    assert cli.run(["info", str(tmp_path / "model.safetensors")]) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"ganfill: {tmp_path / 'model.safetensors'}") and error.count("\n") == 1
    assert "export it again" in error


def test_a_packaged_model_by_name(capsys):
    assert cli.run(["info", "faces64"]) == 0
    output = capsys.readouterr().out
    assert "non-commercial" in output.lower() and "dcgan.Generator(resolution=64" in output


def test_what_is_no_model_is_refused_in_one_line(tmp_path, capsys):
    (tmp_path / "notes.txt").write_text("no model")
    assert cli.run(["info", str(tmp_path / "notes.txt")]) == 2
    error = capsys.readouterr().err
    assert "notes.txt is not a model file" in error and error.count("\n") == 1
    assert cli.run(["info", "faces65"]) == 2
    error = capsys.readouterr().err
    assert "file=faces65: no such file" in error and "faces64" in error
    (tmp_path / "last.ckpt").touch()
    assert cli.run(["info", str(tmp_path)]) == 2
    assert f"file={tmp_path} is a run directory, not a model file" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("family", "latent", "generator", "discriminator"),
    [
        # What the published networks take, in thousand millions.
        ("dcgan", 100, 0.1046, 0.1038),
        ("r3gan", 64, 13.1, 13.1),
        # 1.96 and 0.65 less what is saved: 5/9 of the convolutions and 3/4 of the shortcuts that change the resolution.
        ("resnet", 128, 1.956 - 5 / 9 * 1.208 - 3 / 4 * 0.134, 0.645 - 5 / 9 * 0.377 - 3 / 4 * 0.025),
    ],
)
def test_multiply_adds_of_published_networks(family, latent, generator, discriminator):
    module = importlib.import_module(f"ganfill.models.{family}")
    with torch.device("meta"):
        networks = module.Generator(64, latent), module.Discriminator(64)
        model = Model(*networks, Normal(latent), 64, 0.0, torch.empty(3, 64, 64), {})
    assert cost(model, "generator")["macs"] / 1e9 == pytest.approx(generator, rel=0.01)
    assert cost(model, "discriminator")["macs"] / 1e9 == pytest.approx(discriminator, rel=0.01)


def test_costs_are_shown_and_kept(model_path, model, tmp_path, capsys):
    assert cli.run(["info", f"file={model_path}", f"out={tmp_path}"]) == 0
    # 8 -> 16 at 4x4, 16 -> 8 at 8x8, 8 -> 4 at 16x16 and 4 -> 3 at 32x32, each pixel from 4 (at first 1) of 16 taps
    macs = 8 * 16 * 16 + 4 * (16 * 8 * 64 + 8 * 4 * 256 + 4 * 3 * 1024)
    parameters = sum(p.numel() for p in model.generator.parameters())
    assert f"{parameters:,} parameters, {macs / 1e6:.1f} million multiply-adds" in capsys.readouterr().out
    costs = json.loads((tmp_path / "summary.json").read_text("utf-8"))["figures"]["costs"]
    assert costs["generator"] == {"parameters": parameters, "macs": macs}
    assert list(costs) == ["generator", "discriminator"]


def test_an_encoder_is_shown_with_its_costs(model_with_encoder):
    found = cost(model_with_encoder, "encoder")
    assert found["parameters"] == sum(p.numel() for p in model_with_encoder.encoder.parameters())
    assert found["macs"] > 4 * 16 * 4 * 256  # its first convolution alone
    assert next(model_with_encoder.encoder.parameters()).device.type == "cpu"


def test_texts_of_a_model_file_do_not_control_the_terminal(model, tmp_path, capsys):
    path = tmp_path / "model.safetensors"
    model.card |= {"terms": "free\x1b]0;owned\x07\nsha256  0", "data": "\x9b2J", "commit": "\u202ecba"}
    model_file.save(path, model)
    assert cli.run(["info", str(path)]) == 0
    output = capsys.readouterr().out
    assert "free\\x1b]0;owned\\x07\\nsha256  0" in output and "\\x9b2J" in output and "\\u202ecba" in output
    assert not {"\x1b", "\x07", "\x9b", "\u202e"} & set(output)
    model.card["kimg"] = "\x1b[2J"
    model_file.save(path, model)
    assert cli.run(["info", str(path)]) == 2
    assert "\x1b" not in capsys.readouterr().err
