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
    assert "searches start near their end." in " ".join(text.split())  # the sentence has two lines


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
        (["export", "--fast", "run=r", "out=o"], "--fast is not an option of ganfill export"),
        (["train", "data=synthetic", "out=o", "precision=half"], "precision=half is not known: use auto, 32-true or"),
        (["train", "data=synthetic", "out=o", "batch_size=0"], "batch_size must be a whole number from 1, got 0"),
        (["train", "data=synthetic", "data.n=0", "out=o"], "data.n must be at least 1, got 0"),
        (
            ["train", "data=synthetic", "data.path=p", "out=o"],
            "data.path is not a key of ganfill train: did you mean data.",
        ),
        (["train", "-m", "data=synthetic", "nosuch=1", "out=o"], "nosuch is not a key of ganfill train"),
        (["evaluate", "-m", "modell=x", "data.path=d"], "modell is not a key of ganfill evaluate: did you mean model?"),
        (["info", "a", "b"], "a b: ganfill info takes one path"),
        (
            ["export", "-m", "run=r", "out=o"],
            "-m is not an option of ganfill export (train, evaluate, complete sweep with it)",
        ),
        (["export", "run=nowhere", "out=o.safetensors"], "nowhere/last.ckpt does not exist"),
        (["train", "-m", "-x", "out=o"], "-x is not an option of ganfill train: settings are written"),
        (["complete", "-i", "a.jpg", "-m", "b.png"], "-i is not an option of ganfill complete: settings are written"),
        (["complete", "nowhere.png", "mask=center"], "nowhere.png: no such file or folder"),
        (["prepare", "nowhere/*.jpg", "out=o"], "nowhere/*.jpg: no such file or folder"),
        (["train", "nowhere", "out=o"], "nowhere is not key=value"),
        (
            ["train", "data=nowhere", "out=o"],
            "data=nowhere is neither a folder of pictures nor an option: choose from ffhq",
        ),
        (["train", "data=synthetic", "out=o", "seed=0,1"], "seed=0,1 is not one value: add -m"),
        (["train", "data=synthetic", "out=o", "loss=hinge,minimax"], "loss=hinge,minimax is not one value: add -m"),
        (["train", "data=synthetic", "out=o", "epochs=9"], "kimg=... is the length of a training in thousand images"),
        (["train", "data=synthetic", "out=o", "gpus=2"], "trainer=ddp uses every GPU"),
        (
            ["complete", "gpu=1", "images=a", "mask=center"],
            "gpu is not a key of ganfill complete: device=cuda uses a GPU",
        ),
        (["train", "data=synthetic", "out=o", "num_workers=4"], "leave it out; reading pictures needs no setting"),
        (["train", "data=synthetic", "out=o", "resume=true"], "leave it out; the same command again continues"),
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
    with pytest.raises(UserError, match=r"^nowhere.png: no such file"):
        cli.assign_paths("complete", ["a b.png,nowhere.png"])


def test_paths_without_a_key_may_be_separated_by_commas(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("a.png", "b.png", "c,d.png"):
        (tmp_path / name).touch()
    assert cli.assign_paths("complete", ["a.png,b.png"]) == ([], {"images": ["a.png", "b.png"]})
    assert cli.assign_paths("complete", ["c,d.png"]) == ([], {"images": "c,d.png"})
    with pytest.raises(UserError, match=r"^x.png,y.png: no such file"):
        cli.assign_paths("complete", ["a.png,x.png,y.png"])


def test_a_quoted_pattern_is_explained(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("a.png", "b.png"):
        (tmp_path / name).touch()
    with pytest.raises(UserError, match="without quotes, the shell inserts the 2 files that match"):
        cli.assign_paths("complete", ["*.png"])


def test_data_takes_a_path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("photos", "store"):
        (tmp_path / name).mkdir()
    (tmp_path / "store" / "index.json").touch()
    assert cli.name_data("train", ["data=./photos", "out=o"]) == ["data=folder", "data.path=./photos", "out=o"]
    assert cli.name_data("train-encoder", ["data=store"]) == ["data=ffhq", "data.path=store"]
    assert cli.name_data("train", ["data=synthetic", "model=dcgan"]) == ["data=synthetic", "model=dcgan"]
    assert cli.name_data("train", ["-m", "data=synthetic,folder"]) == ["-m", "data=synthetic,folder"]
    assert cli.name_data("evaluate", ["data=photos"]) == ["data=photos"]
    with pytest.raises(UserError, match="photos: write data=photos"):
        cli.assign_paths("train", ["photos"])


@pytest.mark.parametrize("words", [["train", "--help"], ["train", "out=o", "seed=x"], ["complete", "nowhere.png"]])
def test_help_and_mistakes_import_no_torch(words, tmp_path):
    code = f"import sys; from ganfill import cli; cli.run({words}); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True).returncode == 0


INTERRUPTED_IMPORT = """
import os, signal, sys
class Interrupt:
    def find_spec(self, name, *_):
        if name == {module!r}:
            os.kill(os.getpid(), signal.SIGINT)
sys.meta_path.insert(0, Interrupt())
sys.argv[1:] = ["train", "data=synthetic", "out=o", "kimg=1"]
from ganfill.__main__ import main
main()
"""


@pytest.mark.parametrize("module", ["ganfill.cli", "hydra", "torch"])
def test_an_interrupt_while_starting_is_one_line(module, tmp_path):
    code = INTERRUPTED_IMPORT.format(module=module)
    finished = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True)
    assert (finished.returncode, finished.stderr) == (130, "ganfill: interrupted\n")
    assert not (tmp_path / "o").exists()


def test_python_dash_m(tmp_path):
    words = [sys.executable, "-m", "ganfill", "nothing"]
    finished = subprocess.run(words, capture_output=True, text=True, cwd=tmp_path)
    assert finished.returncode == 2
    assert finished.stderr.startswith("ganfill: there is no command nothing")
    assert "Traceback" not in finished.stderr


def test_a_configuration_is_shown_in_place_of_running(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert cli.run(["complete", "images=a", "mask=center", "model=mine", "--cfg", "job"]) == 0
    assert {"model: mine", "mask: center"} <= set(capsys.readouterr().out.splitlines())
    assert cli.run(["train", "data=synthetic", "out=o", "--cfg=job"]) == 0
    assert "seed: ${seed}" in capsys.readouterr().out
    assert cli.run(["train", "data=synthetic", "out=o", "seed=3", "--resolve"]) == 0
    assert "${" not in (shown := capsys.readouterr().out) and "  seed: 3" in shown
    assert cli.run(["complete", "images=a", "mask=center", "--info", "defaults-tree"]) == 0
    assert "search: standard" in capsys.readouterr().out
    assert cli.run(["info", "faces64", "--info=all"]) == 0
    assert cli.run(["info", "faces64", "--cfg=hydra"]) == 2
    assert "--cfg=hydra is not known: use job" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("line", "replies"),
    [
        ("ganfill train-", ["train-encoder"]),
        ("ganfill train regul", ["regularizer=", "regularizer=r1"]),
        ("ganfill train loss=hi", ["hinge"]),
        ("ganfill complete images=ph", ["photo.png"]),
        ("ganfill complete ph", ["photo.png"]),
    ],
)
def test_bash_completes_commands_keys_options_and_files(line, replies, tmp_path, capsys):
    assert cli.run(["completion", "bash"]) == 0
    (tmp_path / "photo.png").touch()
    script = capsys.readouterr().out + (
        f'COMP_LINE="{line}"; COMP_POINT=${{#COMP_LINE}}; COMP_WORDS=({line}); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1))\n'
        '_ganfill; printf "%s\\n" "${COMPREPLY[@]}"'
    )
    shown = subprocess.run(["bash", "-c", script], capture_output=True, text=True, cwd=tmp_path, check=True).stdout
    assert all(any(word.startswith(reply) for word in shown.split()) for reply in replies)


def test_completion_for_other_shells(capsys):
    for shell, words in (("zsh", "#compdef ganfill"), ("fish", "complete -c ganfill")):
        assert cli.run(["completion", shell]) == 0
        shown = capsys.readouterr().out
        assert words in shown and "loss=hinge" in shown
    assert cli.run(["completion"]) == 2
    assert "give bash, zsh or fish" in capsys.readouterr().err
