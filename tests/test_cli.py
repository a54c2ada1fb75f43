import subprocess
import sys

import pytest

from ganfill import cli
from ganfill.config_files import commands
from ganfill.errors import UserError


def test_help_lists_every_command(capsys):
    assert cli.run(["--help"]) == 0
    text = capsys.readouterr().out
    assert all(f"\n  {command} " in text for command in commands())
    assert text.count("  ganfill ") >= 2


def test_the_version_is_a_word_or_an_option(capsys):
    assert cli.run(["version"]) == cli.run(["--version"]) == 0
    first, second = capsys.readouterr().out.splitlines()
    assert first == second and first.startswith("ganfill ")


def test_a_commands_help_is_its_own(capsys):
    assert cli.run(["export", "--help"]) == 0
    assert "format=onnx" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["trian"], "there is no command trian: did you mean train?"),
        (["train", "losss=x", "out=o"], "did you mean loss?"),
        (["export", "--fast", "run=r", "out=o"], "--fast is no option of ganfill export"),
        (["train", "data=synthetic", "out=o", "precision=half"], "precision=half is not known: use auto, 32-true or"),
        (["train", "data=synthetic", "out=o", "batch_size=0"], "batch_size must be a whole number from 1, got 0"),
        (["train", "data=synthetic", "data.n=0", "out=o"], "data.n must be at least 1, got 0"),
        (
            ["train", "data=synthetic", "data.path=p", "out=o"],
            "data.path is no key of ganfill train: did you mean data.",
        ),
        (["train", "-m", "data=synthetic", "nosuch=1", "out=o"], "nosuch is no key of ganfill train"),
        (["evaluate", "-m", "modell=x", "data.path=d"], "modell is no key of ganfill evaluate: did you mean model?"),
        (["info", "a", "b"], "a b: ganfill info takes one path"),
        (["export", "-m", "run=r", "out=o"], "ganfill export does not sweep; train and evaluate do"),
        (["export", "run=nowhere", "out=o"], "nowhere/last.ckpt does not exist"),
        (["train", "data.path=nowhere", "out=o"], "ganfill prepare"),
        (["train", "data=synthetic", "out=o", "device=tpu9"], "device=tpu9 is not a device"),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2(words, message, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert cli.run(words) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.startswith("ganfill: ") and error.count("\n") == 1


def test_existing_paths_need_no_key(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("a b.png", "c,d"):
        (tmp_path / name).touch()
    assert cli.assign_paths("complete", ["a b.png", "mask=center"]) == (["mask=center"], {"images": "a b.png"})
    assert cli.assign_paths("prepare", ["a b.png", "c,d", "out=o"]) == (["out=o"], {"source": ["a b.png", "c,d"]})
    assert cli.assign_paths("info", ["faces64"]) == ([], {"file": "faces64"})
    with pytest.raises(UserError, match="not key=value"):
        cli._dispatch(["complete", "nowhere.png"])


def test_python_dash_m(tmp_path):
    words = [sys.executable, "-m", "ganfill", "nothing"]
    finished = subprocess.run(words, capture_output=True, text=True, cwd=tmp_path)
    assert finished.returncode == 2
    assert finished.stderr.startswith("ganfill: there is no command nothing")
    assert "Traceback" not in finished.stderr
