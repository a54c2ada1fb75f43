"""The examples of docs/http_api.md run against a server."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ganfill.app.http import routes
from ganfill.app.service import Service

PAGE = Path(__file__).parents[2] / "docs/http_api.md"
PROGRAMS = {"sh": ["bash", "-euo", "pipefail", "-c"], "python": [sys.executable, "-c"]}


@pytest.fixture
def folder(tmp_path):
    """A folder with a photo, a mask, and folders of both."""
    mask = np.zeros((40, 50), np.uint8)
    mask[10:30, 10:35] = 255
    random = np.random.default_rng(0)
    for name in ("photo.jpg", "photos/a.png", "photos/b.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        Image.fromarray(random.integers(0, 256, (40, 50, 3), np.uint8)).save(tmp_path / name)
    for name in ("mask.png", "masks/a.png", "masks/b.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        Image.fromarray(mask).save(tmp_path / name)
    return tmp_path


def pixels(path):
    with Image.open(path) as picture:
        return np.asarray(picture)


def run(block, folder, address):
    assert "http://127.0.0.1:7860" in block.code
    code = block.code.replace("http://127.0.0.1:7860", address)
    finished = subprocess.run([*PROGRAMS[block.language], code], cwd=folder, capture_output=True, text=True)
    assert finished.returncode == 0, finished.stderr
    return finished.stdout


def test_every_block_runs(blocks, folder, served, model_path):
    with_curl, with_python = blocks(PAGE)
    before = {name: pixels(folder / f"photos/{name}.png") for name in "ab"}
    known = pixels(folder / "mask.png") == 0
    with served(routes.build(Service([str(model_path)], "cpu"))) as address:
        run(with_curl, folder, address)
        assert pixels(folder / "filled.png").shape == (40, 50, 3)
        assert sorted(path.name for path in (folder / "filled").iterdir()) == ["a.png", "b.png"]
        (folder / "masks/b.png").write_bytes(b"no mask")
        assert "b.png" in run(with_python, folder, address)
    answers = [f"a_{i}.png" for i in (1, 2, 3, 4)]
    assert sorted(path.name for path in (folder / "filled").iterdir()) == ["a.png", *answers, "b.png"]
    for name in ("a.png", "b.png", *answers):
        found = pixels(folder / "filled" / name)
        assert (found[known] == before[name[0]][known]).all() and (found != before[name[0]]).any()
