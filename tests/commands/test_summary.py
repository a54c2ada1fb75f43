import json
import subprocess

import pytest

from ganfill import cli
from ganfill.commands import summary
from ganfill.errors import UserError


def test_a_git_that_hangs_costs_no_more_than_its_time(monkeypatch):
    def hang(command, timeout, **options):
        raise subprocess.TimeoutExpired(command, timeout)

    monkeypatch.setattr(subprocess, "run", hang)
    assert summary.commit() is None


WRITERS = {
    "info": ["MODEL"],
    "generate": ["model=MODEL", "n=1", "device=cpu"],
    "publish": ["model=MODEL", "repo=me/faces", "terms=mine", "upload=false"],
    "prepare": ["photos"],
    "complete": ["photos", "mask=center"],
    "evaluate": ["model=MODEL", "data.path=photos"],
    "train-encoder": ["model=MODEL", "data=synthetic"],
    "train-upsampler": ["model=MODEL", "data=synthetic"],
    "train": ["data=synthetic"],
}


@pytest.mark.parametrize("command", WRITERS)
@pytest.mark.parametrize("finished", [True, False])
def test_results_of_another_command_are_not_replaced(command, finished, tmp_path, model_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "out").mkdir()
    (tmp_path / "photos").mkdir()
    owner = "train-inpainter" if command == "train" else "train"
    if finished:
        (tmp_path / "out/summary.json").write_text(json.dumps({"command": owner}))
    else:
        (tmp_path / "out/last.ckpt").touch()
        (tmp_path / "out/config.yaml").write_text("inpainter: {}" if command == "train" else "kimg: 1")
    before = {path: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    words = [word.replace("MODEL", str(model_path)) for word in WRITERS[command]]
    assert cli.run([command, *words, "out=out"]) == 2
    assert f"out=out holds the results of {owner}, not of {command}: choose another out\n" in capsys.readouterr().err
    assert before == {path: path.read_bytes() for path in (tmp_path / "out").iterdir()}


@pytest.mark.parametrize("part", ["encoder", "inpainter", "upsampler"])
def test_an_unfinished_training_belongs_to_its_command(part, tmp_path):
    (tmp_path / "last.ckpt").touch()
    (tmp_path / "config.yaml").write_text(f"{part}: {{}}\ndiscriminator: {{}}")
    summary.refuse_others(tmp_path, f"train-{part}")  # it may be continued
    with pytest.raises(UserError, match=f"holds the results of train-{part}, not of train"):
        summary.refuse_others(tmp_path, "train")
