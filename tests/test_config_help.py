"""Every key has help, and the reference page is up to date."""

from pathlib import Path

import pytest

from ganfill import cli
from ganfill.config import keys
from ganfill.config_files import commands, default_options, options
from ganfill.config_help import help_text, key_help, reference
from ganfill.images.masks import KINDS

PAGE = Path(__file__).parents[1] / "docs/configuration.md"
CHOICES = [(command, None, None) for command in commands()]
CHOICES += [
    (command, group, option)
    for command in commands()
    for group in default_options(command)
    for option in options(group)
]


@pytest.mark.parametrize(("command", "group", "option"), CHOICES)
def test_every_key_has_help(command, group, option):
    words = [f"{group}={option}"] if group else []
    assert not [key for key in keys(command, words) if not key_help(command, key, words).strip()]


def test_the_page_is_generated():
    assert PAGE.read_text("utf-8") == reference(), "run make configuration"


def test_help_lists_the_keys_of_the_chosen_options(capsys):
    assert cli.run(["complete", "search=posterior", "blend=feather", "--help"]) == 0
    text = capsys.readouterr().out
    assert "\n  search.burn_in=20" in text and "\n  blend.radius=4.0" in text and "search.trust" not in text
    assert "search.trust=1.0" in help_text("complete") and "blend.radius" not in help_text("complete")


def test_help_follows_references():
    assert key_help("complete", "search.window") == "side in pixels of the neighborhood that weights a known pixel; odd"
    assert key_help("complete", "search.starts").startswith("for a model without an encoder: number of candidates")
    assert key_help("train", "data.mirror", ["data=synthetic"]) == "mirror pictures at random"


@pytest.mark.parametrize("command", ["complete", "evaluate"])
def test_help_of_masks_names_every_kind(command):
    assert all(kind in key_help(command, "mask") for kind in KINDS)


def test_help_of_the_users_own_option(tmp_path, capsys):
    (tmp_path / "loss").mkdir()
    (tmp_path / "loss/mine.yaml").write_text("_target_: nets.Mine\nmargin: 1.0 # distance of real and fake\n")
    assert cli.run(["train", "-cd", str(tmp_path), "loss=mine", "--help"]) == 0
    assert "  loss.margin=1.0     distance of real and fake\n" in capsys.readouterr().out
