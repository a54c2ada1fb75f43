"""The notebooks are committed with outputs, and run with small settings."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
LIMIT = 300_000  # bytes
SMALL = {
    "train.ipynb": "kimg, width, pictures = 1.024, 4, 64",
    "complete.ipynb": "answers, searches = 2, ['fast', 'standard']",
}


def code_cells(notebook):
    return [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]


def outputs(notebook):
    return [output for cell in code_cells(notebook) for output in cell["outputs"]]


def count_pictures(notebook):
    return sum("image/jpeg" in output.get("data", {}) for output in outputs(notebook))


def test_every_notebook_is_run_with_small_settings():
    assert {path.name for path in NOTEBOOKS.glob("*.ipynb")} == set(SMALL)


@pytest.mark.parametrize("name", SMALL)
def test_a_notebook_is_committed_as_executed_and_small(name):
    notebook = json.loads((NOTEBOOKS / name).read_text("utf-8"))
    assert (NOTEBOOKS / name).stat().st_size < LIMIT
    assert [cell["execution_count"] for cell in code_cells(notebook)] == [*range(1, len(code_cells(notebook)) + 1)]
    assert count_pictures(notebook)
    assert not [output for output in outputs(notebook) if output["output_type"] == "error"]


@pytest.mark.parametrize("name", SMALL)
def test_a_notebook_runs(name, tmp_path):
    notebook = json.loads((NOTEBOOKS / name).read_text("utf-8"))
    (parameters,) = [cell for cell in notebook["cells"] if "parameters" in cell["metadata"].get("tags", ())]
    parameters["source"] = SMALL[name]
    (tmp_path / name).write_text(json.dumps(notebook), "utf-8")
    words = [sys.executable, "-c", "from nbclient.cli import main; main()", "--inplace", str(tmp_path / name)]
    finished = subprocess.run(words, capture_output=True, text=True)
    assert finished.returncode == 0, finished.stdout + finished.stderr
    assert count_pictures(json.loads((tmp_path / name).read_text("utf-8"))) == count_pictures(notebook)
