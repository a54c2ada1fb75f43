import json
import os
import pickle
from pathlib import Path

import pytest

import ganfill
from ganfill import cli

FILE = Path(__file__).parents[1] / "compatibility/stylegan2.safetensors"


@pytest.fixture
def imported(tmp_path, capsys):
    out = tmp_path / "deep/er/model.safetensors"
    assert cli.run(["import", str(FILE), f"out={out}", "terms=for tests"]) == 0
    assert capsys.readouterr().out.strip() == str(out)
    return out


def test_weights_become_a_model_file(imported, capsys):
    assert ganfill.load(imported).resolution == 64
    summary = json.loads(imported.with_suffix(".summary.json").read_text())
    assert summary["command"] == "import" and summary["figures"]["bytes"] == imported.stat().st_size
    assert cli.run(["info", str(imported)]) == 0
    told = dict(line.split("  ", 1) for line in capsys.readouterr().out.splitlines())
    assert told["imported"].strip().startswith("stylegan2.safetensors, SHA-256 ") and "trained" not in told
    assert told["terms"].strip() == "for tests"


def test_kernels_in_16_bits_take_less_room(imported, tmp_path):
    assert cli.run(["import", str(FILE), f"out={tmp_path / 'half.safetensors'}", "half=true"]) == 0
    assert (tmp_path / "half.safetensors").stat().st_size < 0.7 * imported.stat().st_size


def test_an_encoder_is_trained_for_it_and_a_picture_completed(imported, tmp_path, capsys):
    small = ["data=synthetic", "data.n=16", "batch_size=4", "kimg=0.008", "encoder.width=4", "device=cpu"]
    out = tmp_path / "encoder"
    assert cli.run(["train-encoder", *small, f"model={imported}", f"out={out}", "precision=32-true"]) == 0
    photo = Path(ganfill.__file__).parent / "packaged/demo/astronaut.png"
    words = ["mask=center", "device=cpu", "search.cut_steps=1", f"out={tmp_path / 'filled'}"]
    for model in (imported, out / "model.safetensors"):
        quick = ["search.pool=4", "search.starts=2", "search.steps=8"] if model == imported else []
        assert cli.run(["complete", str(photo), *words, *quick, f"model={model}"]) == 0
    assert (tmp_path / "filled/astronaut.png").exists()


def test_a_malicious_pickle_is_refused_in_one_line(tmp_path, capsys):
    class Harm:
        def __reduce__(self):
            return os.system, (f"touch {tmp_path / 'harm'}",)

    (tmp_path / "ffhq.pkl").write_bytes(pickle.dumps({"G_ema": Harm()}))
    assert cli.run(["import", str(tmp_path / "ffhq.pkl"), f"out={tmp_path / 'model.safetensors'}"]) == 2
    told = capsys.readouterr().err
    assert "ffhq.pkl is refused: its pickle asks for posix.system" in told and told.count("\n") == 1
    assert not (tmp_path / "harm").exists() and not (tmp_path / "model.safetensors").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["file=nowhere.pkl", "out=m.safetensors"], "nowhere.pkl does not exist: give a StyleGAN2 pickle"),
        (["a.safetensors", "out=."], "out=. is a directory: name a file, such as a.safetensors"),
        (["a.safetensors", "out=m.png"], "out=m.png is not the name of a model file: give out=m.safetensors"),
        (["a.safetensors", "out=./a.safetensors"], "out=a.safetensors is the file to import: name another"),
        (["a.safetensors", "out=m.safetensors"], "a.safetensors is truncated or not a safetensors file"),
        (["a.safetensors"], "import needs out=...; see ganfill import --help"),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2(words, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("a.safetensors").write_text("nothing")
    assert cli.run(["import", *words]) == 2
    told = capsys.readouterr().err
    assert told.startswith(f"ganfill: {message}") and told.count("\n") == 1
