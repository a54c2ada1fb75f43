"""A configuration file runs no code, writes nothing outside of its run and reads no environment."""

import pytest
import yaml

from ganfill import cli
from ganfill.config import compose
from ganfill.errors import UserError


@pytest.fixture
def own(tmp_path):
    """Writes a primary configuration of the user, and returns the words that use it."""

    def own(content):
        (tmp_path / "mine.yaml").write_text(yaml.safe_dump({"defaults": ["train", "_self_"], "out": "o"} | content))
        return ["train", "-cd", str(tmp_path), "-cn", "mine", "data=synthetic", f"hydra.run.dir={tmp_path}/run"]

    return own


@pytest.mark.parametrize(
    "content",
    [
        {"hydra": {"callbacks": {"a": {"_target_": "os.system", "command": "touch ran"}}}},
        {"mine": {"a": {"_target_": "os.system", "command": "touch ran"}}, "hydra": {"callbacks": "${mine}"}},
        {"hydra": {"job_logging": {"handlers": {"a": {"()": "os.system", "command": "touch ran"}}}}},
        {"hydra": {"job_logging": {"handlers": {"a": {"class": "logging.StreamHandler", "stream": "ext://evil.a"}}}}},
        {"hydra": {"job": {"env_set": {"GANFILL_PLUGINS": "evil"}}}},
        {"hydra": {"sweeper": {"_target_": "evil.Sweeper"}}},
        {"hydra": {"searchpath": ["pkg://evil"]}},
        {"mine": "pkg://evil", "hydra": {"searchpath": ["${mine}"]}},
        {"features": "a=evil.py:A:none"},
        {"loss": {"_target_": "torch.hub.load", "repo_or_dir": ".", "model": "evil", "source": "local"}},
        {"callbacks": {"mine": {"_target_": "ganfill.training.callbacks.csv_table.CsvTable", "path": "ran"}}},
        {"callbacks": {"mine": {"_target_": "torch.load", "f": "evil.pt", "weights_only": False}}},
    ],
)
def test_a_configuration_file_runs_no_code(own, content, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for name in ("hubconf.py", "evil.py"):
        (tmp_path / name).write_text("from pathlib import Path\nPath('ran').touch()\nA = Sweeper = evil = None\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert cli.run(own(content)) == 2
    assert "refused" in (error := capsys.readouterr().err) and error.count("\n") == 1
    assert not (tmp_path / "ran").exists()


def job_logging(**parts):
    return {"hydra": {"job_logging": parts}}


@pytest.mark.parametrize(
    "content",
    [
        job_logging(handlers={"file": {"filename": "/KEPT", "mode": "w"}}),
        job_logging(handlers={"file": {"filename": "/KEPT"}}),
        job_logging(handlers={"file": {"mode": "w"}}),
        job_logging(handlers={"file": {"delay": True, ".": {"baseFilename": "/KEPT"}}}),
        job_logging(formatters={"simple": {"class": "logging.FileHandler", "format": "/KEPT", "datefmt": "w"}}),
        {"hydra": {"hydra_logging": {"handlers": {"console": {"class": "logging.FileHandler", "filename": "/KEPT"}}}}},
        {"mine": {"a": {"class": "logging.FileHandler", "filename": "/KEPT"}}} | job_logging(handlers="${mine}"),
        {"hydra": {"output_subdir": "/"}},
        {"hydra": {"output_subdir": "."}},
        {"hydra": {"output_subdir": "../.hydra"}},
        {"hydra": {"run": {"dir": "/"}}},
        {"hydra": {"sweep": {"dir": "/deep"}}},
        {"hydra": {"sweep": {"dir": "a/../../b"}}},
        {"hydra": {"sweep": {"subdir": "/"}}},
        {"mine": "/", "hydra": {"sweep": {"dir": "${mine}"}}},
        {"callbacks": {"samples": {"out": "/"}}},
        {"logger": {"_target_": "ganfill.training.loggers.make_tensorboard_logger", "out": "/"}},
        {"logger": {"_target_": "ganfill.training.loggers.make_tensorboard_logger", "_args_": ["/"]}},
        {"callbacks": {"a": [{"b": {"_target_": "ganfill.training.loggers.make_tensorboard_logger", "out": "/"}}]}},
        {"hydra": {"callbacks": {"a": {"_target_": "ganfill.training.loggers.make_tensorboard_logger", "out": "/"}}}},
    ],
)
def test_a_configuration_file_writes_nothing_outside_of_its_run(content, tmp_path, monkeypatch, capsys):
    for folder in ("work", "configs/experiment", "deep"):
        (tmp_path / folder).mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "work")
    files = [tmp_path / name for name in ("KEPT", "config.yaml", "work/config.yaml", "deep/train.log")]
    for file in files:
        file.write_text("kept")
    text = yaml.safe_dump({"defaults": ["train", "_self_"]} | content)
    text = text.replace("/KEPT", str(tmp_path / "KEPT")).replace(": /", f": {tmp_path}/")
    (tmp_path / "configs/mine.yaml").write_text(text)
    for words in (["-m"], []):
        assert (
            cli.run(["train", "-cd", str(tmp_path / "configs"), "-cn", "mine", *words, "data=synthetic", "out=o"]) == 2
        )
        assert "refused" in (error := capsys.readouterr().err) and error.count("\n") == 1
    assert all(file.read_text() == "kept" for file in files)
    assert {*tmp_path.iterdir()} == {tmp_path / name for name in ("work", "configs", "deep", "KEPT", "config.yaml")}


@pytest.mark.parametrize(
    ("words", "content"),
    [
        (["hydra.sweep.dir=DIR"], {}),
        (["hydra.sweep.dir=DIR", "hydra.output_subdir=DIR/settings"], {}),
        (["hydra.sweep.dir=DIR", "hydra.job_logging.handlers.file.filename=DIR/log"], {}),
        (["out=DIR"], {"hydra": {"sweep": {"dir": "${out}"}}}),
    ],
)
def test_the_command_line_may_write_anywhere(words, content, own, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    words = [word.replace("DIR", f"{tmp_path}/there") for word in words]
    (tmp_path / "there").mkdir()
    assert cli.run([*own(content), "-m", "--dry-run", *words]) == 0, capsys.readouterr().err


def test_logging_that_cannot_be_set_up_is_one_line(own, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for parts in ({"formatters": {"simple": {"format": "touch x"}}}, {"version": 2}):
        assert cli.run([*own(job_logging(**parts)), "-m"]) == 2
        error = capsys.readouterr().err
        assert "hydra.job_logging" in error and error.count("\n") == 1


def test_the_job_does_not_change_its_directory(own, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert cli.run([*own({}), "-m", "hydra.job.chdir=true"]) == 2
    assert "hydra.job.chdir=true is refused" in (error := capsys.readouterr().err) and error.count("\n") == 1


@pytest.mark.parametrize(
    "content",
    [
        {"terms": "${oc.env:SECRET_TOKEN}"},
        {"terms": "a ${ oc.env : SECRET_TOKEN } b"},
        {"terms": "${oc.env:SECRET_TOKEN,${oc.env:OTHER}}"},
        {"mine": "env", "terms": "${oc.${mine}:SECRET_TOKEN}"},
        {"terms": "${oc.decode:'${oc.env:SECRET_TOKEN}'}"},
        {"terms": "${oc.create:'${oc.env:SECRET_TOKEN}'}"},
        {"hydra": {"sweeper": {"params": {"terms": "\\${oc.env:SECRET_TOKEN}"}}}},
        {"hydra": {"job": {"env_copy": ["SECRET_TOKEN"]}}, "terms": "${hydra:job.env_set.SECRET_TOKEN}"},
    ],
)
def test_a_configuration_file_reads_no_environment(own, content, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SECRET_TOKEN", "secret")
    assert cli.run([*own(content), "-m"]) == 2
    error = capsys.readouterr().err
    assert "refused" in error and error.count("\n") == 1 and "secret" not in error
    assert not any("secret" in path.read_text() for path in (*tmp_path.rglob("*.yaml"), *tmp_path.rglob("*.log")))


def test_the_command_line_may_read_the_environment(own, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MINE", "nobody")
    assert cli.run([*own({}), "-m", "--cfg", "job", "--resolve", "terms=${oc.env:MINE}"]) == 0
    assert "terms: nobody" in capsys.readouterr().out


def test_an_option_of_a_file_is_bounded_and_reads_no_environment(tmp_path):
    (tmp_path / "experiment").mkdir()
    for text, reason in (
        ("terms: ${oc.env:HOME}", "oc.env:HOME"),
        ("a: &a [*a]", "mine.yaml cannot be read .*aliases"),
    ):
        (tmp_path / "experiment/mine.yaml").write_text(f"# @package _global_\n{text}\n")
        with pytest.raises(UserError, match=reason):
            compose("train", ["out=o", "experiment=mine"], directory=str(tmp_path))


def test_features_are_given_on_the_command_line_only(tmp_path):
    (tmp_path / "experiment").mkdir()
    (tmp_path / "experiment/mine.yaml").write_text("# @package _global_\nfeatures: a=evil.py:A:none\n")
    with pytest.raises(UserError, match="features in a configuration file is refused"):
        compose("train", ["out=o", "experiment=mine"], directory=str(tmp_path))
    assert compose("train", ["out=o", "features=a=evil.py:A:none"]).features == "a=evil.py:A:none"
