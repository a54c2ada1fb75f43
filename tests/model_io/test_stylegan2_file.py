import pickle
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from ganfill.errors import UserError
from ganfill.model_io import model_file, stylegan2_file

# A network of NVIDIA's code with random weights, and what it answers: 64 pixels, channel_base 1024, channel_max 32.
FILE = Path(__file__).parents[1] / "compatibility/stylegan2.safetensors"
SOURCE = "raise SystemExit('the source text in the file was run')"


class EasyDict(dict):
    """A dictionary of a class that official files name."""


def _reconstruct_persistent_obj(meta):
    raise SystemExit("the function that the file names was called")


class Module(nn.Module):
    """A module that is pickled as official files are: the source text of its class, and its attributes."""

    def __reduce__(self):
        meta = {"type": "class", "version": 6, "module_src": SOURCE, "class_name": "Module", "state": self.__dict__}
        return _reconstruct_persistent_obj, (EasyDict(meta),)


def to_module(tensors, **attributes):
    """Returns nested modules with the tensors of a state dict, and each attribute in every module."""
    module, children = Module(), {}
    module.gain, module.names, module.size = np.float64(1.5), {"a", "b"}, torch.Size([4])
    vars(module).update(attributes)
    for name, value in tensors.items():
        first, _, rest = name.partition(".")
        if rest:
            children.setdefault(first, {})[rest] = value
        elif first in ("noise_const", "resample_filter", "w_avg"):
            module.register_buffer(first, value)
        else:
            module.register_parameter(first, nn.Parameter(value))
    for name, inside in children.items():
        module.add_module(name, to_module(inside, **attributes))
    return module


@pytest.fixture
def dump(monkeypatch, tmp_path):
    """Pickles objects that claim to come from the modules of NVIDIA's code."""

    def dump(content, protocol=3):
        with monkeypatch.context() as patch:
            for name, part in {"torch_utils.persistence": _reconstruct_persistent_obj, "dnnlib.util": EasyDict}.items():
                module = ModuleType(name)
                setattr(module, part.__name__, part)
                patch.setitem(sys.modules, name.partition(".")[0], ModuleType(name.partition(".")[0]))
                patch.setitem(sys.modules, name, module)
                patch.setattr(part, "__module__", name)
            (tmp_path / "network.pkl").write_bytes(pickle.dumps(content, protocol))
        return tmp_path / "network.pkl"

    return dump


@pytest.fixture(scope="module")
def tensors():
    return load_file(FILE)


def part(tensors, start):
    return {key.removeprefix(start): value for key, value in tensors.items() if key.startswith(start)}


def snapshot(tensors, **attributes):
    generator, discriminator = part(tensors, "G."), part(tensors, "D.")
    raw = {key: torch.zeros_like(value) for key, value in generator.items()}
    networks = {"G": raw, "D": discriminator, "G_ema": generator}
    return {"training_set_kwargs": EasyDict(path="x", max_size=None), "augment_pipe": None} | {
        name: to_module(state, **attributes) for name, state in networks.items()
    }


def agree(model, tensors, **tolerance):
    """Compares a model with the answers of the official network."""
    tolerance = tolerance or {"atol": 1e-4, "rtol": 0}
    z = tensors["z"]
    ws = model.generator.forward_until(z, 1)
    torch.testing.assert_close(ws[:, 0], tensors["w"], **tolerance)
    torch.testing.assert_close(model.generator(z), tensors["pictures"], **tolerance)
    mean = model.generator.w_avg
    pictures = model.generator.forward_from(mean + 0.7 * (ws[:1] - mean), 1)
    torch.testing.assert_close(pictures, tensors["pictures_truncated"], **tolerance)
    if model.discriminator is not None:
        logits = model.discriminator.train()(tensors["pictures"])
        torch.testing.assert_close(logits, tensors["logits"], **tolerance)


def test_a_state_dict_agrees_with_the_official_network(tensors, tmp_path):
    model = stylegan2_file.load(FILE, "non-commercial")
    agree(model, tensors)
    assert model.card["imported"]["file"] == FILE.name and model.card["terms"] == "non-commercial"
    assert model.mean_picture.shape == (3, 64, 64) and model.mean_picture.abs().max() <= 1
    model_file.save(tmp_path / "model.safetensors", model)
    agree(model_file.load(tmp_path / "model.safetensors"), tensors)


@pytest.mark.parametrize("protocol", [3, 4, 5])
def test_a_pickle_is_read_without_running_its_source(tensors, dump, protocol):
    networks = snapshot(tensors, conv_clamp=256)
    networks["D"].b4.mbstd = to_module({}, group_size=2, num_channels=1)
    path = dump(networks, protocol)
    model = stylegan2_file.load(path)
    arguments = {name: model.card[name]["arguments"] for name in ("generator", "discriminator")}
    assert arguments["generator"]["limit"] == 256 and arguments["generator"]["mapping_layers"] == 3
    assert arguments["discriminator"]["limit"] == 256 and arguments["discriminator"]["group"] == 2
    model.discriminator = None  # of other groups
    agree(model, tensors)


def test_activations_are_clipped_where_the_file_says_so(tensors, dump):
    model = stylegan2_file.load(dump(snapshot(tensors, conv_clamp=0.5)))
    assert model.generator(tensors["z"]).abs().max() < tensors["pictures"].abs().max() / 2
    seen = []
    for layer in model.discriminator.modules():
        layer.register_forward_hook(lambda module, inputs, output: seen.append(inputs[0].abs().max().item()))
    model.discriminator(tensors["pictures"].clamp(-0.5, 0.5))
    assert max(seen) <= 1  # a block adds two clipped activations


@pytest.mark.parametrize(("form", "name"), [({}, "G_ema"), ({"_use_new_zipfile_serialization": False}, "generator")])
def test_state_dicts_of_torch(tensors, tmp_path, form, name):
    content = {name: part(tensors, "G."), "D": part(tensors, "D.")}
    torch.save(content, tmp_path / "networks.pt", **form)
    agree(stylegan2_file.load(tmp_path / "networks.pt"), tensors)
    torch.save(part(tensors, "G."), tmp_path / "generator.pth", **form)
    model = stylegan2_file.load(tmp_path / "generator.pth")
    assert model.discriminator is None and "discriminator" not in model.card
    agree(model, tensors)


def test_a_model_without_a_discriminator_becomes_a_file(tensors, tmp_path):
    save_file(part(tensors, "G."), tmp_path / "generator.safetensors")
    model = stylegan2_file.load(tmp_path / "generator.safetensors")
    model_file.save(tmp_path / "model.safetensors", model)
    loaded = model_file.load(tmp_path / "model.safetensors").to("cpu")
    assert loaded.discriminator is None
    agree(loaded, tensors)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.pop("G.synthesis.b4.const"), "contains no StyleGAN2 generator"),
        (lambda t: t.pop("G.mapping.w_avg"), "lacks mapping.w_avg"),
        (lambda t: t.pop("G.synthesis.b8.torgb.weight"), "lacks synthesis.b8.torgb.weight"),
        (lambda t: t.pop("D.b16.skip.weight"), "lacks b16.skip.weight"),
        (lambda t: t.update({"G.mapping.embed.weight": torch.zeros(32, 10)}), "has mapping.embed.weight"),
        (lambda t: t.update({"D.b8.fromrgb.weight": torch.zeros(32, 3, 1, 1)}), "has b8.fromrgb.weight"),
        (lambda t: t["D.b8.conv0.resample_filter"].zero_(), "resample_filter is not"),
        (lambda t: t.update({"G.synthesis.b4.const": torch.zeros(32, 8, 8)}), r"\(32, 8, 8\), expected \(32, 4, 4\)"),
        (lambda t: t.update({"G.synthesis.b16.conv1.weight": torch.zeros(8, 8, 3, 3)}), "32, 32, 8, 32, 16 channels"),
    ],
)
def test_other_networks_are_refused(tensors, tmp_path, change, message):
    networks = {key: value.clone() for key, value in tensors.items() if key.startswith(("G.", "D."))}
    change(networks)
    save_file(networks, tmp_path / "other.safetensors")
    with pytest.raises(UserError, match=message) as caught:
        stylegan2_file.load(tmp_path / "other.safetensors")
    assert str(caught.value).startswith(str(tmp_path / "other.safetensors"))
    assert str(caught.value).endswith("no labels can be imported")
