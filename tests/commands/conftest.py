import pytest

from ganfill import cli

QUICK = ["search=amos2016", "search.steps=2", "search.precision=fp32", "device=cpu"]


@pytest.fixture
def ganfill(model_path, tmp_path, monkeypatch, capsys):
    """Runs ``ganfill complete`` in an empty folder: words -> exit code and what it said."""
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")

    def run(*words, quick=QUICK):
        code = cli.run(["complete", *quick, f"model={model_path}", *words])
        said = capsys.readouterr()
        return code, said.out + said.err

    return run


@pytest.fixture
def work(tmp_path):
    """Where ``ganfill`` runs."""
    return tmp_path / "work"
