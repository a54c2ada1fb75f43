"""``-cd DIR``: options of the user's own, for single commands as for sweeps."""

import pytest

from ganfill import cli, config
from ganfill.config import compose
from ganfill.config_files import options
from ganfill.errors import UserError
from ganfill.overrides import take_config_dir


@pytest.fixture
def own(tmp_path):
    """A directory with an option of each kind, and a name that paths should not have."""
    own = tmp_path / "my own, ä"
    for name, content in {
        "model/slim": "width: 3\ngenerator: {_target_: nets.G}\ndiscriminator: {_target_: nets.D}\n",
        "model/dcgan": "width: 1\n",
        "loss/broken": "real: [0.9\n",
        "search/mine": "_target_: nets.search\nsteps: 5\n",
    }.items():
        (own / name).parent.mkdir(parents=True, exist_ok=True)
        (own / f"{name}.yaml").write_text(content)
    return str(own)


def test_an_option_of_ones_own_is_composed_with_keys_and_all(own):
    chosen = compose("train", ["out=o", "model=slim", "model.width=8"], directory=own)
    assert chosen.model.width == 8 and chosen.model.generator._target_ == "nets.G"
    assert compose("complete", ["images=i", "mask=m", "search=mine"], directory=own).search.steps == 5


def test_ganfills_own_option_comes_first(own):
    assert compose("train", ["out=o", "model=dcgan"], directory=own).model.width == 64


def test_mistakes_know_the_options_of_ones_own(own):
    with pytest.raises(UserError, match=r"model=slimm is not known: did you mean slim\?"):
        compose("train", ["out=o", "model=slimm"], directory=own)
    with pytest.raises(UserError, match=r"widht is not a key of ganfill train: did you mean model\.width"):
        compose("train", ["out=o", "model=slim", "model.widht=3"], directory=own)
    assert "slim" in options("model", own) and "slim" not in options("model")
    with pytest.raises(UserError, match=r"broken\.yaml.*line \d") as caught:
        compose("train", ["out=o", "loss=broken"], directory=own)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("form", [["-cd", "DIR"], ["--config-dir", "DIR"], ["--config-dir=DIR"]])
def test_it_is_taken_out_of_the_words(own, form):
    words = ["train", *(word.replace("DIR", own) for word in form), "out=o"]
    assert take_config_dir(words) == (["train", "out=o"], own)


def test_no_such_directory_is_reported_in_one_line(capsys, tmp_path):
    for words in (["-cd", str(tmp_path / "nowhere"), "out=o"], ["out=o", "-cd"]):
        assert cli.run(["train", *words]) == 2
        assert "-cd" in (error := capsys.readouterr().err) and "no such directory" in error


def test_a_single_command_leaves_nothing_of_hydras(own, tmp_path, monkeypatch):
    seen = []
    monkeypatch.setattr(cli, "load", lambda command: seen.append)
    monkeypatch.chdir(tmp_path)
    before = set(tmp_path.iterdir())
    assert cli.run(["train", "-cd", own, "model=slim", "out=o"]) == 0
    assert config.to_plain(seen[0])["model"]["width"] == 3
    assert set(tmp_path.iterdir()) == before


def test_a_group_of_another_command_is_no_key():
    with pytest.raises(UserError, match="loss is not a key of ganfill complete"):
        compose("complete", ["images=i", "mask=m", "loss=hinge"])
