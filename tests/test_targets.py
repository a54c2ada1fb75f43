"""A configuration names the parts of ganfill, optimizers of torch, and packages that were let in, and runs nothing else."""

import importlib
import inspect
import pkgutil
from pathlib import Path

import pytest
import yaml

import ganfill
from ganfill import plugins
from ganfill.config import build
from ganfill.errors import UserError

ROOT = Path(__file__).parents[1]
MODULES = [*("os", "subprocess", "shutil", "builtins", "importlib", "runpy", "pickle", "functools", "operator")]
MODULES += [
    "torch",
    "torch.hub",
    "torch.jit",
    "torch.package",
    "torch.serialization",
    "torch.utils.cpp_extension",
    "torch.nn",
]
MODULES += [
    "torch.optim.lr_scheduler",
    "torch.optim.swa_utils",
    "hydra.utils",
    "hydra",
    "omegaconf",
    "numpy",
    "pathlib",
    "yaml",
]
OTHER = [
    *(
        "torch.load",
        "torch.jit.load",
        "torch.hub.load",
        "os.system",
        "builtins.eval",
        "ganfill.models.dcgan.torch.hub.load",
    ),
    *("ganfill.models.dcgan.nn.Module", "ganfill.training.loggers.wandb.init", "ganfill.training.gan.torch.load"),
    *(
        "ganfill.search.presets.replace",
        "ganfill.models.latent.torch",
        "torch.optim.adam.torch.load",
        "torch.optim.Optimizer.step",
    ),
    *(
        "ganfill.models.dcgan.Generator.apply",
        "ganfill.models.dcgan.Generator.__init__",
        "${os.system}",
        "",
        ".",
        "ganfill.",
    ),
    *("ganfill.models.latent.__builtins__", "ganfill.training.loggers.make_wandb_logger.__globals__"),
]


def public(module):
    names = [name for name in dir(importlib.import_module(module)) if not name.startswith("_")]
    return [f"{module}.{name}" for name in names if callable(getattr(importlib.import_module(module), name))]


def ganfill_modules():
    return [m.name for m in pkgutil.walk_packages(ganfill.__path__, "ganfill.") if "__main__" not in m.name]


def targets(node):
    if isinstance(node, dict):
        yield from ([node["_target_"]] if "_target_" in node else [])
        node = list(node.values())
    for child in node if isinstance(node, list) else []:
        yield from targets(child)


def test_every_target_of_the_configurations_is_accepted():
    found = {target for path in ROOT.glob("conf/**/*.yaml") for target in targets(yaml.safe_load(path.read_text()))}
    assert len(found) > 40
    assert all(callable(plugins.locate(target)) for target in found)


@pytest.mark.parametrize("module", MODULES)
def test_other_packages_are_refused(module):
    names = public(module)
    assert names
    for name in names:
        with pytest.raises(UserError, match="is refused"):
            plugins.locate(name)


@pytest.mark.parametrize("target", [*OTHER, ["os.system"], {"a": 1}, 5, None, True])
def test_roundabout_names_are_refused(target):
    for node in (
        {"_target_": target},
        {"_target_": "ganfill.models.latent.Normal", "dim": [{"x": {"_target_": target}}]},
    ):
        for more in ({}, {"_partial_": True}, {"_recursive_": False}):
            with pytest.raises(UserError):
                build(node | more)


def test_of_ganfill_only_parts_are_accepted():
    accepted = set()
    for module in ganfill_modules():
        for name in public(module):
            try:
                accepted.add(plugins.locate(name))
            except UserError:
                continue
    assert all(part.__module__.startswith("ganfill.") for part in accepted)
    functions = {part.__name__ for part in accepted if not inspect.isclass(part)}
    makers = {"make_wandb_logger", "make_tensorboard_logger"}
    homes = {part.__module__ for part in accepted if not inspect.isclass(part) and part.__name__ not in makers}
    assert makers <= functions and homes == {"ganfill.search.presets", "ganfill.search.published"}
    loading = (
        "ganfill.metrics",
        "ganfill.model_io",
        "ganfill.config",
        "ganfill.plugins",
        "ganfill.app",
        "ganfill.data",
    )
    assert not [part for part in accepted if part.__module__.startswith(loading)]


def test_a_package_that_was_let_in_opens_no_other(tmp_path, monkeypatch):
    (tmp_path / "let_in_nets.py").write_text("import os, torch\nclass A:\n    pass\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv(plugins.VARIABLE, "let_in_nets")
    assert plugins.locate("let_in_nets.A").__name__ == "A"
    for name in ("let_in_nets.os.system", "let_in_nets.torch", "let_in_nets.torch.load", "let_in_nets.A.__init__"):
        with pytest.raises(UserError):
            plugins.locate(name)
