import json
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ganfill import cli
from ganfill.images import sheets

STYLEGAN2 = Path(__file__).parents[1] / "compatibility/stylegan2.safetensors"


@pytest.fixture
def generate(model_path, tmp_path, capsys):
    """Runs ``ganfill generate``: words -> exit code and what it said."""

    def generate(*words, model=model_path, out=tmp_path / "out"):
        code = cli.run(["generate", f"model={model}", f"out={out}", "device=cpu", *words])
        said = capsys.readouterr()
        return code, said.out + said.err

    return generate


@pytest.fixture
def imported(tmp_path):
    assert cli.run(["import", str(STYLEGAN2), f"out={tmp_path / 'imported.safetensors'}"]) == 0
    return tmp_path / "imported.safetensors"


def read(path):
    return np.asarray(Image.open(path).convert("RGB"))


def test_pictures_a_sheet_and_a_summary(generate, tmp_path):
    code, said = generate("n=11")
    assert code == 0 and str(tmp_path / "out") in said
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert names == [".generate.json", *(f"{i:04d}.png" for i in range(11)), "sheet.png", "summary.json"]
    assert read(tmp_path / "out/0010.png").shape == (32, 32, 3)
    assert json.loads((tmp_path / "out/summary.json").read_text())["figures"]["pictures"] == 11


def test_a_picture_depends_on_seed_and_number_only(generate, tmp_path):
    generate("n=5", out=tmp_path / "five")
    generate("n=3", out=tmp_path / "three")
    generate("n=3", "seed=1", out=tmp_path / "other")
    for i in range(3):
        file = f"{i:04d}.png"
        assert np.array_equal(read(tmp_path / "five" / file), read(tmp_path / "three" / file))
        assert not np.array_equal(read(tmp_path / "other" / file), read(tmp_path / "three" / file))


def test_truncation_moves_pictures_to_that_of_the_mean_w(generate, imported, tmp_path):
    for psi in (0, 0.5, 1):
        assert generate("n=4", f"truncation={psi}", model=imported, out=tmp_path / str(psi))[0] == 0
    pictures = {
        psi: np.stack([read(tmp_path / str(psi) / f"{i:04d}.png") for i in range(4)]).astype(float)
        for psi in (0, 0.5, 1)
    }
    assert (pictures[0] == pictures[0][0]).all()
    distances = [np.abs(pictures[psi] - pictures[0]).mean() for psi in (0.5, 1)]
    assert 0 < distances[0] < distances[1]


def test_a_walk_visits_the_pictures_and_returns(generate, tmp_path, monkeypatch, caplog):
    monkeypatch.setenv("PATH", "")
    assert generate("n=2", "walk=true")[0] == 0
    assert caplog.messages == ["walk.mp4 is left out, because ffmpeg is not installed"]
    with Image.open(tmp_path / "out/walk.gif") as gif:
        assert gif.n_frames == 40 and gif.size == (256, 256)
        frames = []
        for i in range(gif.n_frames):
            gif.seek(i)
            frames.append(np.asarray(gif.convert("RGB").resize((32, 32), Image.Resampling.NEAREST)).astype(float))
    for i, frame in enumerate((0, 20)):
        assert np.abs(frames[frame] - read(tmp_path / f"out/{i:04d}.png")).mean() < 8  # of few colours


def test_ffmpeg_gets_the_frames(generate, tmp_path, monkeypatch, caplog):
    tool = tmp_path / "bin/ffmpeg"
    tool.parent.mkdir()
    tool.write_text('#!/bin/sh\nfor last; do :; done\ncat > "$last"\n')
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tool.parent}{os.pathsep}{os.environ['PATH']}")
    assert generate("n=2", "walk=true")[0] == 0
    raw = np.frombuffer((tmp_path / "out/walk.mp4").read_bytes(), np.uint8).reshape(40, 32, 32, 3)
    assert np.array_equal(raw[0], read(tmp_path / "out/0000.png"))
    assert np.array_equal(raw[20], read(tmp_path / "out/0001.png"))
    tool.write_text("#!/bin/sh\necho no encoder >&2\nexit 1\n")
    assert generate("n=2", "walk=true")[0] == 0
    assert caplog.messages == ["walk.mp4 is left out: ffmpeg says no encoder"]


def test_files_of_others_are_not_replaced(generate, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/0000.png").write_text("mine")
    code, said = generate("n=1", out=tmp_path / "mine")
    assert code == 2 and f"out={tmp_path / 'mine'} holds other files: choose another folder" in said
    assert (tmp_path / "mine/0000.png").read_text() == "mine"


def test_the_same_command_continues(generate, tmp_path, monkeypatch):
    def fail(picture, path, **options):
        if path.name == "0002.png":
            raise KeyboardInterrupt
        save(picture, path, **options)

    save = sheets.save
    monkeypatch.setattr(sheets, "save", fail)
    assert generate("n=4")[0] == 130
    monkeypatch.undo()
    (tmp_path / "out/0000.png").touch()
    older = (tmp_path / "out/0000.png").stat().st_mtime_ns
    assert generate("n=4")[0] == generate("n=4", out=tmp_path / "whole")[0] == 0
    assert (tmp_path / "out/0000.png").stat().st_mtime_ns == older
    for file in (tmp_path / "whole").glob("*.png"):
        assert file.read_bytes() == (tmp_path / "out" / file.name).read_bytes()


def test_pictures_of_earlier_settings_do_not_stay(generate, tmp_path):
    assert generate("n=4", "walk=true")[0] == generate("n=2")[0] == 0
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names == {".generate.json", "0000.png", "0001.png", "sheet.png", "summary.json"}
    first = read(tmp_path / "out/0000.png")
    assert generate("n=2", "seed=1")[0] == 0
    assert not np.array_equal(read(tmp_path / "out/0000.png"), first)


@pytest.mark.parametrize(
    ("word", "message"),
    [
        (
            "truncation=0.7",
            "truncation=0.7 needs a model with a mapping network, such as a StyleGAN2: give truncation=1",
        ),
        ("truncation=-1", "truncation must be a number from 0, got -1"),
        ("n=0", "n must be a whole number from 1, got 0"),
        ("model=nowhere", "model=nowhere: no such file"),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2(generate, tmp_path, word, message):
    code, said = generate(word)
    assert code == 2 and said.startswith(f"ganfill: {message}") and said.count("\n") == 1
    assert not (tmp_path / "out").exists()
