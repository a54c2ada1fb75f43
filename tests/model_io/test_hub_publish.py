import json

import pytest
import yaml

from ganfill import cli, load
from ganfill.model_io import model_file

# The client's own, of its upload without Xet.
pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")


@pytest.fixture
def publish(model_path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return lambda *words: cli.run(["publish", f"model={model_path}", "repo=ada/faces", "out=folder", *words])


def test_a_published_model_is_loaded_again_from_there(hub, publish, model_path, capsys, tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder/secret.txt").write_text("mine")
    assert publish() == 0
    assert capsys.readouterr().out == "hf://ada/faces\n"
    files = hub.repositories["models/ada/faces"]["main"]
    assert set(files) == {"model.safetensors", "README.md"}
    assert files["model.safetensors"] == model_path.read_bytes()
    assert load("hf://ada/faces").digest == model_file.load(model_path).digest
    _, front, body = files["README.md"].decode().split("---\n", 2)
    front = yaml.safe_load(front)
    assert front["library_name"] == "ganfill" and front["pipeline_tag"] == "image-to-image" and "dcgan" in front["tags"]
    assert front["license"] == "other" and front["license_name"]
    for text in (
        "| generator | dcgan.Generator(resolution=32, latent_dim=8, width=4), ",
        "| trained | 12.5 thousand images seen, on 40 pictures |",
        "## Terms of use\n\nGemäß den Bedingungen\n",
        'ganfill.load("hf://ada/faces")',
    ):
        assert text in body
    summary = json.loads((tmp_path / "folder/summary.json").read_text())["figures"]
    assert summary["address"].endswith(f"/ada/faces/commit/{1:040x}") and set(summary["files"]) == set(files)


def test_the_same_again_commits_nothing(hub, publish):
    assert publish() == 0 and publish() == 0
    assert hub.commits == 1 and len(hub.asked("PUT")) <= 2


def test_read_before_publishing_and_what_was_changed_there_is_kept(hub, publish, tmp_path, capsys, caplog):
    assert publish("upload=false", "license=cc-by-4.0", "terms=By name, please: a|b") == 0
    assert capsys.readouterr().out == "folder\n" and not hub.requests
    card = tmp_path / "folder/README.md"
    assert "license: cc-by-4.0\n" in card.read_text("utf-8") and "By name, please: a|b" in card.read_text("utf-8")
    card.write_text(card.read_text("utf-8") + "Better words.\n", "utf-8")
    assert publish() == 0
    assert hub.repositories["models/ada/faces"]["main"]["README.md"].endswith(b"Better words.\n")
    assert "folder/README.md already exists and is kept" in caplog.text


def test_another_model_gets_a_card_of_its_own(hub, publish, model, model_path, tmp_path):
    assert publish("upload=false") == 0
    (tmp_path / "folder/README.md").write_text("of the first")
    model.card["terms"] = "Free"
    model_file.save(model_path, model)
    assert publish("upload=false") == 0
    assert (tmp_path / "folder/README.md").read_text("utf-8").endswith("Free\n")


def test_texts_beside_the_model_and_measurements(publish, model, model_path, tmp_path):
    model.card["metrics"] = {"kimg": 12.5, "loss_d": 1.25}
    model_file.save(model_path, model)
    model_path.with_suffix(".md").write_text("# My faces\n\nAll of them.")
    model_path.with_name("LICENSE-model.md").write_text("Terms")
    assert publish("upload=false") == 0
    text = (tmp_path / "folder/README.md").read_text("utf-8")
    assert "license_link: LICENSE-model.md\n" in text and "---\n\n# My faces\n\nAll of them.\n\n##" in text
    assert "At 12.5 thousand images of the training of the networks:\n\n| | |\n|---|---|\n| loss_d | 1.25 |\n" in text
    assert (tmp_path / "folder/LICENSE-model.md").read_text() == "Terms"


@pytest.mark.parametrize(
    ("token", "message"),
    [
        ("", "repo=ada/faces needs a token with write access: hf auth login, or set HF_TOKEN; folder is written"),
        (
            "hf_reader",
            "answers 403 (You have no right to write here): log in with a token that has access: hf auth login; folder is",
        ),
    ],
)
def test_without_a_token_that_may_write(hub, publish, monkeypatch, capsys, tmp_path, token, message):
    monkeypatch.setenv("HF_TOKEN", token)
    assert publish() == 2
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert (
        error.startswith("ganfill: ") and message in error and error.endswith("the same command continues from there")
    )
    assert hub.commits == 0 and (tmp_path / "folder/README.md").exists()


def test_without_a_network_the_folder_is_written_and_the_same_command_goes_on(hub, publish, capsys, cut_off, tmp_path):
    cut_off()
    assert publish() == 2
    error = capsys.readouterr().err
    assert "127.0.0.1:9 cannot be reached" in error and "folder is written, and the same command continues" in error
    assert (tmp_path / "folder/model.safetensors").exists() and "in the cache" not in error
    hub.go()
    assert publish() == 0 and hub.commits == 1


@pytest.mark.parametrize("repo", ["faces", "ada/faces@v1", "ada/faces/more", "datasets/ada/faces", "a da/faces"])
def test_what_is_no_repository(hub, publish, capsys, tmp_path, repo):
    assert publish(f"repo={repo}") == 2
    error = capsys.readouterr().err
    assert "OWNER/NAME" in error and error.count("\n") == 1 and not (tmp_path / "folder").exists()


def test_terms_have_to_be_known(hub, publish, model, model_path, capsys, tmp_path):
    model.card["terms"] = None
    model_file.save(model_path, model)
    assert publish() == 2
    assert "states no terms of use: give terms='...'" in capsys.readouterr().err
    assert not (tmp_path / "folder").exists() and not hub.requests
    assert publish("terms=For my friends", "upload=false") == 0
    assert "For my friends" in (tmp_path / "folder/README.md").read_text("utf-8")
