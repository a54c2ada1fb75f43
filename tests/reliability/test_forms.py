"""Short runs of the forms in ``experiments/reliability``. They run in processes of their own, because forms fork."""

from pathlib import Path

import pytest

from tests.processes import Process

ROOT = Path(__file__).resolve().parents[2]
FORMS = {
    "kills complete": ("kills", "kills=1", "commands=complete"),
    "malformed": ("malformed", "inputs=50", "batch=50"),
    "disks prepare": ("disks", "sizes=2", "commands=prepare"),
    "races prepare": ("races", "races=2", "processes=2", "commands=prepare"),
    "model files": ("model_files", "models=3", "checkpoints=1"),
}


def run(form, *words):
    process = Process([*words, "out=null"], f"experiments.reliability.{form}", folder=ROOT)
    process.wait()
    return process


@pytest.mark.parametrize("words", FORMS.values(), ids=FORMS)
def test_everything_is_survived(words):
    result = run(*words)
    if "skipped" in result.output:
        pytest.skip(result.output.strip().splitlines()[0])
    assert result.exitcode == 0, result.output + result.errors
    assert result.output.endswith("failed 0\n") and " tried 0," not in result.output


def test_hostile_requests_are_survived():
    pytest.importorskip("gradio", reason="the extra app is not installed")
    result = run("hostile_requests", "requests=14", "page=true")
    assert result.exitcode == 0, result.output + result.errors
