"""Every recipe in conf/experiment and every sweep in experiments/ takes two steps."""

from pathlib import Path

import pytest
import torch
import yaml

from ganfill.commands.train import build_gan
from ganfill.config import compose
from ganfill.config_files import options
from ganfill.sweep import plan

EXPERIMENTS = Path(__file__).resolve().parents[2] / "experiments"
SMALL = ["data=synthetic", "resolution=32", "log_kimg=0.004"]
SWEEPS = [
    path.stem for path in sorted(EXPERIMENTS.glob("*.yaml")) if "train" in yaml.safe_load(path.read_text())["defaults"]
]


def moves(config, steps):
    """Whether two steps leave both networks finite and changed."""
    gan = build_gan(config)
    before = [p.detach().clone() for p in gan.parameters()]
    steps(gan, 2, batch=4, autocast=True)
    gan.check_finite(weights=True)
    changed = [not torch.equal(p, q) for p, q in zip(gan.parameters(), before, strict=True)]
    return any(changed) and all(torch.isfinite(value) for value in gan.measured.values())


@pytest.mark.parametrize("recipe", options("experiment"))
def test_a_recipe_takes_two_steps(steps, recipe):
    config = compose("train", ["out=nowhere", f"experiment={recipe}", *SMALL])
    assert config.terms is None  # a recipe does not know the pictures
    assert moves(config, steps)


@pytest.mark.parametrize("sweep", SWEEPS)
def test_a_sweep_is_planned_and_its_first_and_last_cells_take_two_steps(steps, sweep, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # Hydra writes what it has planned below runs/
    cells = plan("train", ["-cd", str(EXPERIMENTS), "-cn", sweep, *SMALL])
    assert len(cells) > 1
    assert all(cell.out.parts[-3:-1] == ("runs", sweep) for cell in cells)
    assert len(list(tmp_path.glob(f"runs/{sweep}/*/.hydra"))) == len(cells)
    for cell in (cells[0], cells[-1]):
        assert moves(cell.config, steps)
