import subprocess
import sys

import pytest
import yaml
from PIL import Image

from ganfill import cli


@pytest.fixture
def run(tmp_path):
    directory = tmp_path / "first run"
    (directory / "samples").mkdir(parents=True)
    (directory / "config.yaml").write_text(yaml.safe_dump({"kimg": 4, "out": str(directory)}))
    (directory / "metrics.csv").write_text("kimg,loss_d,loss_g\n1,0.5,2\n2,0.25,3\n")
    Image.new("RGB", (20, 10)).save(directory / "samples/kimg000002_ema.png")
    return directory


def test_the_page_goes_into_the_run_directory(run, capsys):
    assert cli.run(["report", str(run)]) == 0
    output = capsys.readouterr()
    assert output.out.strip() == str(run / "report.html") and output.err == ""
    page = (run / "report.html").read_text("utf-8")
    assert "<h1>first run</h1>" in page and page.count("data:image/webp;base64,") == 1
    assert sorted(path.name for path in run.iterdir()) == ["config.yaml", "metrics.csv", "report.html", "samples"]


@pytest.mark.parametrize("out", ["pages/first.html", "there"])
def test_or_where_it_is_wanted_with_the_same_bytes(run, tmp_path, out):
    (tmp_path / "there").mkdir()
    assert cli.run(["report", f"run={run}", f"out={tmp_path / out}"]) == 0
    page = tmp_path / out / "report.html" if out == "there" else tmp_path / out
    assert cli.run(["report", f"run={run}"]) == 0
    assert page.read_bytes() == (run / "report.html").read_bytes()


def test_a_page_has_the_name_of_a_page(run, tmp_path, capsys):
    assert cli.run(["report", f"run={run}", f"out={tmp_path / 'page.pdf'}"]) == 2
    assert "page.pdf is neither a folder nor the name of a page: give out=" in capsys.readouterr().err


def test_a_damaged_file_is_a_warning(run, caplog):
    (run / "samples/kimg000001_raw.png").write_bytes(b"no picture")
    assert cli.run(["report", str(run)]) == 0
    assert caplog.messages == ["samples/kimg000001_raw.png cannot be read as a picture: it is left out"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["run=nowhere"], "run=nowhere is not a directory"),
        (["run=."], "run=. holds no training"),
        ([], "report needs run=..."),
        (["run=.", "kimg=3"], "kimg"),
    ],
)
def test_mistakes_are_one_line(words, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert cli.run(["report", *words]) == 2
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1


def test_it_needs_neither_torch_nor_lightning_nor_wandb(run):
    code = (
        "import sys; from ganfill import cli; cli.run(sys.argv[1:]); "
        "print([name for name in ('torch', 'pytorch_lightning', 'wandb') if name in sys.modules])"
    )
    words = [sys.executable, "-c", code, "report", str(run)]
    assert subprocess.run(words, capture_output=True, text=True, check=True).stdout.splitlines()[-1] == "[]"
