"""A package of somebody else's: trained, exported, loaded and completed with if it was let in, and never else."""

import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest
import torch
from PIL import Image

from ganfill import cli, plugins, sweep
from ganfill.api import Model, load
from ganfill.config import build
from ganfill.errors import UserError
from ganfill.model_io import model_file
from ganfill.models.latent import Normal
from ganfill.search.presets import standard

NAME = "outside_nets"
CODE = """
import torch
from torch import nn
from torch.nn.functional import relu

from ganfill.models.layers import Staged


class Generator(Staged):
    def __init__(self, resolution, latent_dim, width=8):
        super().__init__()
        self.resolution = resolution
        self.stages = nn.Sequential(nn.Sequential(nn.Linear(latent_dim, 128), nn.Unflatten(1, (8, 4, 4))))
        while 4 << len(self.stages) <= resolution:
            self.stages.append(nn.Sequential(nn.Upsample(scale_factor=2), nn.Conv2d(8, 8, 3, padding=1), nn.ReLU()))
        self.to_rgb = nn.Sequential(nn.Conv2d(8, 3, 1), nn.Tanh())


class Whole(nn.Linear):
    def __init__(self, resolution, latent_dim):
        super().__init__(latent_dim, 3 * resolution**2)
        self.resolution = resolution

    def forward(self, z):
        return super().forward(z).tanh().unflatten(1, (3, self.resolution, self.resolution))


class Discriminator(nn.Sequential):
    def __init__(self, resolution):
        super().__init__(nn.AvgPool2d(resolution // 4), nn.Flatten(), nn.Linear(48, 1), nn.Flatten(0))


class Margin:
    relativistic, boundary = False, 0.0

    def __init__(self, margin):
        self.margin = margin

    def discriminator(self, real_logits, fake_logits):
        return relu(self.margin - real_logits).mean() + relu(self.margin + fake_logits).mean()

    def generator(self, fake_logits, real_logits):
        return -fake_logits.mean()
"""
MODEL = """
generator: {_target_: outside_nets.Generator, resolution: "${resolution}", latent_dim: "${latent.dim}"}
discriminator: {_target_: outside_nets.Discriminator, resolution: "${resolution}"}
"""
ENTRY = f"[{plugins.GROUP}]\n{NAME} = {NAME}\n"
TINY = ["data=synthetic", "data.n=40", "batch_size=16", "resolution=32", "latent.dim=16", "device=cpu", "fd_kimg=0"]
TINY += ["precision=32-true", "sample_kimg=0", "kimg=0.032"]  # two steps


@pytest.fixture
def site(tmp_path, monkeypatch):
    """The package as it lies in a directory of ``sys.path``; ``declare`` adds what an installation would add."""
    site = tmp_path / "site"
    site.mkdir()
    (site / f"{NAME}.py").write_text(CODE)
    monkeypatch.delenv(plugins.VARIABLE, raising=False)
    monkeypatch.syspath_prepend(site)
    yield site
    sys.modules.pop(NAME, None)
    plugins._installed.cache_clear()


def declare(site, entry=ENTRY):
    information = site / f"{NAME}-1.dist-info"
    information.mkdir()
    (information / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {NAME}\nVersion: 1\n")
    (information / "entry_points.txt").write_text(entry)
    plugins._installed.cache_clear()


@pytest.fixture
def own(tmp_path):
    """The user's directory of configurations."""
    for name, content in {"model/outside": MODEL, "loss/margin": f"_target_: {NAME}.Margin\nmargin: 1.0\n"}.items():
        path = tmp_path / f"own/{name}.yaml"
        path.parent.mkdir(parents=True)
        path.write_text(content)
    return tmp_path / "own"


def in_a_fresh_process(*words, **environment):
    environment = os.environ | {"OMP_NUM_THREADS": "1"} | environment
    return subprocess.run([sys.executable, "-m", "ganfill", *words], env=environment, capture_output=True, text=True)


def test_an_installed_package_is_trained_exported_loaded_and_completed_with(site, own, tmp_path):
    declare(site)
    run, file, picture = tmp_path / "run", tmp_path / "outside.safetensors", tmp_path / "picture.png"
    Image.effect_noise((32, 32), 80).convert("RGB").save(picture)
    assert (
        cli.run(["train", "-cd", str(own), "model=outside", "loss=margin", "loss.margin=2", *TINY, f"out={run}"]) == 0
    )
    assert cli.run(["export", f"run={run}", f"out={file}"]) == 0
    assert model_file.load(file).card["generator"]["class"] == f"{NAME}.Generator"
    words = ["complete", str(picture), "mask=center", f"model={file}", "search.steps=8", "search.pool=16"]
    path = os.pathsep.join([str(site), os.environ.get("PYTHONPATH", "")])
    finished = in_a_fresh_process(*words, f"out={tmp_path / 'filled'}", PYTHONPATH=path)
    assert finished.returncode == 0, finished.stderr
    before, after = (Image.open(file).convert("RGB") for file in (picture, tmp_path / "filled/picture.png"))
    assert before.crop((0, 0, 32, 8)).tobytes() == after.crop((0, 0, 32, 8)).tobytes()
    assert before.crop((12, 12, 20, 20)).tobytes() != after.crop((12, 12, 20, 20)).tobytes()


def test_classes_named_on_the_command_line_and_in_sweeps(site, own, tmp_path, monkeypatch):
    monkeypatch.setenv(plugins.VARIABLE, f"other, {NAME}")
    words = [
        "loss=least_squares",
        "model.width=4",
        f"model.generator._target_={NAME}.Generator",
    ]
    words += [f"loss._target_={NAME}.Margin", "+loss.margin=1", *TINY]
    assert cli.run(["train", *words, f"out={tmp_path / 'run'}"]) == 0
    words = ["-m", "-cd", str(own), "model=dcgan,outside", *TINY, "out=${hydra:runtime.choices.model}"]
    cells = sweep.plan("train", [*words, f"hydra.sweep.dir={tmp_path / 'sweep'}"])
    assert [cell.out for cell in cells] == [Path("dcgan"), Path("outside")]
    assert cells[1].plain["model"]["generator"]["_target_"] == f"{NAME}.Generator"


def test_without_a_declaration_nothing_of_it_is_imported(site, own, tmp_path, capsys):
    assert cli.run(["train", "-cd", str(own), "model=outside", *TINY, f"out={tmp_path / 'run'}"]) == 2
    error = capsys.readouterr().err
    assert f"_target_={NAME}.Generator is refused" in error
    assert f"if you know and trust the package {NAME}, allow it with GANFILL_PLUGINS={NAME}" in error
    assert error.count("\n") == 1 and NAME not in sys.modules


def part(name, **arguments):
    return {"class": name, "arguments": arguments}


def save(path, generator):
    """A model file whose card names a generator of the package."""
    home, size = import_module(NAME), {"resolution": 32}
    card = {
        "generator": part(f"{NAME}.{generator}", **size, latent_dim=8),
        "discriminator": part(f"{NAME}.Discriminator", **size),
        "latent": part("ganfill.models.latent.Normal", dim=8),
        "resolution": 32,
    }
    networks = getattr(home, generator)(32, 8).eval(), home.Discriminator(32).eval()
    model_file.save(path, Model(*networks, Normal(8), 32, 0.0, torch.zeros(3, 32, 32), card))


def test_a_file_lets_nothing_in(site, tmp_path, monkeypatch):
    file = tmp_path / "outside.safetensors"
    save(file, "Generator")
    del sys.modules[NAME]
    for named in ("", "outside", f"{NAME}s"):
        monkeypatch.setenv(plugins.VARIABLE, named)
        with pytest.raises(UserError, match=rf"outside\.safetensors: it names {NAME}\..*GANFILL_PLUGINS={NAME}"):
            model_file.load(file)
    assert NAME not in sys.modules
    monkeypatch.setenv(plugins.VARIABLE, NAME)
    assert type(model_file.load(file).generator).__module__ == NAME
    del sys.modules[NAME]
    (site / f"{NAME}.py").unlink()
    with pytest.raises(UserError, match=f"it needs {NAME} .No module named.* put its folder on PYTHONPATH"):
        model_file.load(file)
    with pytest.raises(UserError, match=rf"{NAME}\.Margin cannot be built with these settings: No module named"):
        build({"_target_": f"{NAME}.Margin"})


def test_only_networks_are_built_of_what_was_let_in(site, monkeypatch):
    monkeypatch.setenv(plugins.VARIABLE, NAME)
    for name in (f"{NAME}.relu", f"{NAME}.Margin"):
        with pytest.raises(ValueError, match="not of the right kind"):
            model_file.build_part(part(name), torch.nn.Module)


def test_a_generator_that_cannot_be_taken_apart_is_searched_without(site, tmp_path, monkeypatch):
    monkeypatch.setenv(plugins.VARIABLE, NAME)
    save(tmp_path / "whole.safetensors", "Whole")
    model = load(tmp_path / "whole.safetensors")
    image, hole = torch.zeros(1, 3, 32, 32), torch.zeros(1, 1, 32, 32, dtype=torch.bool)
    hole[..., 8:24, 8:24] = True
    done = model.complete(image, hole, search=standard(steps=8, pool=16))
    assert torch.equal(done, model.complete(image, hole, search=standard(steps=8, pool=16, cut_steps=0)))
    assert torch.equal(done[~hole.expand_as(done)], image[~hole.expand_as(image)])


def test_an_entry_point_may_be_narrower_than_its_package(site, monkeypatch):
    declare(site, f"[{plugins.GROUP}]\nx = {NAME}.parts:anything\n")
    assert plugins.is_allowed(f"{NAME}.parts.A") and not plugins.is_allowed(f"{NAME}.A")
