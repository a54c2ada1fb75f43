"""Short runs of the forms in ``experiments/reliability``. They start processes of their own, because forms fork."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FORMS = {
    "kills complete": ("kills", "kills=1", "commands=complete"),
    "malformed": ("malformed", "inputs=50", "batch=50"),
    "disks prepare": ("disks", "sizes=2", "commands=prepare"),
    "races prepare": ("races", "races=2", "processes=2", "commands=prepare"),
    "model files": ("model_files", "models=3", "checkpoints=1"),
}


def run(form, *words):
    command = [sys.executable, "-m", f"experiments.reliability.{form}", *words, "out=null"]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("words", FORMS.values(), ids=FORMS)
def test_everything_is_survived(words):
    result = run(*words)
    if "skipped" in result.stdout:
        pytest.skip(result.stdout.strip().splitlines()[0])
    assert result.returncode == 0, result.stdout + result.stderr
    assert result.stdout.endswith("failed 0\n") and " tried 0," not in result.stdout


def test_hostile_requests_are_survived():
    pytest.importorskip("gradio", reason="the extra app is not installed")
    result = run("hostile_requests", "requests=14", "page=true")
    assert result.returncode == 0, result.stdout + result.stderr
