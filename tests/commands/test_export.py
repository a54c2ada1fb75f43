import json

import pytest

import ganfill
from ganfill import cli

TINY = ["data=synthetic", "data.n=40", "batch_size=16", "resolution=32", "latent.dim=16", "model.width=4", "device=cpu"]


@pytest.fixture
def run(tmp_path):
    """A finished tiny training."""
    assert (
        cli.run(["train", *TINY, f"out={tmp_path / 'run'}", "kimg=0.05", "log_kimg=0.016", "terms=none, really"]) == 0
    )
    return tmp_path / "run"


def test_a_run_becomes_a_model_file(run, tmp_path, capsys):
    out = tmp_path / "deep/er/model.safetensors"
    capsys.readouterr()
    assert cli.run(["export", str(run), f"out={out}"]) == 0
    assert capsys.readouterr().out.strip() == str(out)
    model = ganfill.load(out)
    assert model.resolution == 32 and model.latent.dim == 16
    assert model.card["kimg"] == 0.064 and model.card["metrics"]["kimg"] == 0.064
    assert model.card["terms"] == "none, really"
    words = [*TINY, f"out={run}", "kimg=0.05", "log_kimg=0.016"]
    assert cli.run(["train", *words, "terms=none, now"]) == 0  # there is nothing left to train
    assert cli.run(["export", str(run), f"out={tmp_path / 'later.safetensors'}"]) == 0
    assert ganfill.load(tmp_path / "later.safetensors").card["terms"] == "none, now"
    summary = json.loads(out.with_suffix(".summary.json").read_text())
    assert summary["figures"]["bytes"] == out.stat().st_size
    assert summary["figures"]["sha256_of_content"] == model.digest


def test_the_generator_becomes_an_onnx_file(run, tmp_path):
    pytest.importorskip("onnxruntime")
    assert cli.run(["export", f"run={run}", f"out={tmp_path / 'generator.onnx'}", "format=onnx"]) == 0
    summary = json.loads((tmp_path / "generator.summary.json").read_text())
    assert summary["figures"]["largest_difference_to_torch"] < 1e-3
    assert (tmp_path / "generator.onnx").stat().st_size > 1000


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ["run=nowhere", "out=m.safetensors"],
            "nowhere/last.ckpt does not exist: give the out directory of a training",
        ),
        (["run=.", "out=m.onnx", "format=onix"], "format=onix is not known: use safetensors or onnx"),
        (["run=.", "out=m.onnx", "format=onnx", "half=true"], "half=true is for format=safetensors"),
        (["run=.", "out=."], "out=. is a directory: name a file"),
        (["run=.", "out=m.onnx"], "out=m.onnx is not the name of a file of format=safetensors: give format=onnx"),
        (["run=.", "out=m.pt"], "out=m.pt is not the name of a file of format=safetensors: give out=m.safetensors"),
        (["run=.", "out=m", "format=onnx"], "out=m is not the name of a file of format=onnx: give out=m.onnx"),
        (
            ["run=.", "out=m.safetensors", "format=onnx"],
            "out=m.safetensors is not the name of a file of format=onnx: give format=",
        ),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2(words, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert cli.run(["export", *words]) == 2
    errors = capsys.readouterr().err
    assert errors.startswith(f"ganfill: {message}") and errors.count("\n") == 1


def test_runs_and_checkpoints_are_explained(run, tmp_path, capsys):
    (tmp_path / "photo.png").touch()
    (run / "best.ckpt").unlink(missing_ok=True)
    capsys.readouterr()
    for words, message in [
        (
            ["export", f"run={run / 'last.ckpt'}", "out=x.safetensors"],
            f"run={run / 'last.ckpt'} is a file: give the directory, run={run}",
        ),
        (["export", f"run={run}", "out=x.safetensors", "checkpoint=best"], "use checkpoint=last"),
        (["info", str(run)], f"is a run directory, not a model file: make one with ganfill export run={run} out="),
        (["info", str(run / "last.ckpt")], "is a checkpoint, not a model file: make one with ganfill export run="),
        (["info", str(run / "best.ckpt")], f"make one with ganfill export run={run} checkpoint=best out="),
        (["info", str(tmp_path)], "a folder, and no packaged model of that name (packaged: faces64); ganfill export"),
    ]:
        assert cli.run(words) == 2
        assert message in capsys.readouterr().err
    (run / "model.safetensors").touch()
    assert cli.run(["info", str(run)]) == 2
    assert f"give file={run / 'model.safetensors'}" in capsys.readouterr().err


def test_the_summary_of_the_run_stays(run):
    before = (run / "summary.json").read_bytes()
    assert cli.run(["export", f"run={run}", f"out={run / 'model.safetensors'}"]) == 0
    assert (run / "summary.json").read_bytes() == before
