import ast
import sys
from pathlib import Path

import pytest

from ganfill import cli, load
from ganfill.app.service import Service
from ganfill.errors import UserError
from ganfill.model_io import model_file

ROOT = Path(__file__).parents[2]


@pytest.fixture
def digest(hub, model_path):
    """A repository with a model in it; the model's digest."""
    content = model_path.read_bytes()
    hub.add(
        "models/ada/faces", {"model.safetensors": content, "README.md": b"---\n---\n", "evil.py": b"raise SystemExit"}
    )
    return model_file.load(model_path).digest


@pytest.mark.usefixtures("digest")
def test_a_model_is_fetched_once_and_then_there_without_a_network(hub, digest, offline, cut_off):
    assert load("hf://ada/faces").digest == digest
    assert hub.asked("GET", "/resolve/main/evil.py") == [] and len(hub.asked("GET", "model.safetensors")) == 1
    assert load("hf://ada/faces").digest == digest
    assert len(hub.asked("GET", "model.safetensors")) == 1
    cut_off()
    assert load("hf://ada/faces").digest == digest
    offline()
    assert load("hf://ada/faces").digest == digest


def test_a_revision_and_a_file_by_their_names(hub, digest, model, tmp_path):
    model.logit_centre = 2.5
    other = model_file.save(tmp_path / "small.safetensors", model)
    hub.add("models/ada/faces", {"old/small.safetensors": (tmp_path / "small.safetensors").read_bytes()}, "v1")
    assert load("hf://ada/faces@v1/old/small.safetensors").digest == other != digest
    assert load("hf://models/ada/faces@main").digest == digest


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            "hf://ada/nothing",
            "hf://ada/nothing: it does not exist or is private: check the name, or log in with hf auth",
        ),
        ("hf://ada/faces@v9", "hf://ada/faces@v9: it has no such revision: check the part after the @"),
        (
            "hf://ada/faces/a.safetensors",
            "there is no a.safetensors in it: append one of model.safetensors to the name",
        ),
        ("hf://ada/text", "there is no model.safetensors in it: it contains no model file"),
        (
            "hf://ada/gated",
            "hf://ada/gated: access is restricted: request it on the repository's page, then log in",
        ),
        ("hf://faces", "hf://faces is not a name of a model (.*): write hf://OWNER/NAME"),
        ("hf://datasets/ada/faces", "is a dataset, not a model: write hf://OWNER/NAME"),
        ("hf://ada/notes", "model.safetensors is not a model file or is truncated"),
    ],
)
@pytest.mark.usefixtures("digest")
def test_what_goes_wrong_is_one_line(hub, name, message):
    hub.add("models/ada/text", {"README.md": b"text"})
    hub.add("models/ada/notes", {"model.safetensors": b"text"})
    hub.add("models/ada/gated", {"model.safetensors": b"text"})
    hub.gated.add("models/ada/gated")
    pattern = message.replace("(.*)", "\0").replace(".", r"\.").replace("\0", r"\(.*\)")
    with pytest.raises(UserError, match=pattern) as caught:
        model_file.locate(name) if "notes" not in name else load(name)
    assert "\n" not in str(caught.value)


def test_out_of_reach_and_not_in_the_cache(hub, cut_off, offline):
    cut_off()
    with pytest.raises(
        UserError,
        match=r"hf://ada/faces: not in the cache, and http://127\.0\.0\.1:9 cannot be reached \(.+\): try again with",
    ):
        load("hf://ada/faces")
    offline()
    with pytest.raises(UserError, match="not in the cache, and HF_HUB_OFFLINE forbids to connect: unset it"):
        load("hf://ada/faces")


def test_without_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(UserError, match=r"hf://ada/faces needs huggingface_hub: pip install 'ganfill\[hub\]'"):
        load("hf://ada/faces")


def test_info_takes_such_a_name_with_and_without_its_key(hub, digest, capsys):
    for word in ("hf://ada/faces", "file=hf://ada/faces@main"):
        assert cli.run(["info", word]) == 0
        output = capsys.readouterr().out
        assert digest in output and "Gemäß den Bedingungen" in output
    assert cli.run(["info", "hf://ada/nothing"]) == 2
    assert "ganfill: hf://ada/nothing: it does not exist" in capsys.readouterr().err


def test_words_of_the_hub_are_paths():
    assert cli.assign_paths("info", ["hf://a/b"]) == ([], {"file": "hf://a/b"})
    assert cli.assign_paths("prepare", ["hf://datasets/a/b", "out=o"]) == (["out=o"], {"source": "hf://datasets/a/b"})


def test_the_client_is_imported_only_when_a_name_asks_for_it():
    for path in (ROOT / "src/ganfill").rglob("*.py"):
        names = {
            node.module or "" for node in ast.parse(path.read_text("utf-8")).body if isinstance(node, ast.ImportFrom)
        }
        assert not [name for name in names if name.startswith(("huggingface_hub", "httpx"))], path


def test_the_page_and_the_api_serve_it_by_its_name(digest):
    service = Service(["hf://ada/faces"], "cpu")
    assert {name: model.digest for name, model in service.models.items()} == {"faces": digest}
