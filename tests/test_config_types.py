"""A value of a wrong type is refused in one line, for every key of every command."""

import copy
import re
from functools import cache
from pathlib import Path
from typing import Annotated

import pytest
from omegaconf import OmegaConf

from ganfill import config
from ganfill.config import check, compose, defaults
from ganfill.config_files import commands, default_options, options
from ganfill.config_types import INTERPOLATION, declared, describe, nodes
from ganfill.errors import UserError
from tests.test_config import NEEDED

# A value that does not fit a default of this type.
WRONG = {bool: "perhaps", int: "many", float: "many", str: [[1]], list: "word", dict: 7}


def choices():
    """Yields a command and words that choose an option of a group."""
    for command in commands():
        yield command, ()
        for group in default_options(command):
            yield from ((command, (f"{group}={option}",)) for option in options(group))


@cache
def composed(command, words):
    needed = [word for word in NEEDED[command] if not (word.startswith("data.") and "data=synthetic" in words)]
    return compose(command, [*needed, *(["data.path=p"] if "data=folder" in words else []), *words])


@pytest.mark.parametrize(("command", "words"), list(choices()))
def test_a_wrong_type_is_one_line_that_names_key_and_value(command, words):
    for key, default in nodes(defaults(command, words)):
        if INTERPOLATION.fullmatch(str(default)) or key in default_options(command):
            continue
        if words and not key.startswith(f"{words[0].partition('=')[0]}."):
            continue  # tested without the words
        value = {"a": {"b": True}} if default in (None, "???") else WRONG[type(default)]
        mistaken = copy.deepcopy(composed(command, words))
        OmegaConf.update(mistaken, key, value, merge=False, force_add=True)
        with pytest.raises(UserError, match=rf"^{re.escape(key)} must be ") as caught:
            check(command, mistaken, [*words, "features="], dict(word.split("=") for word in words))
        assert str(caught.value).endswith(f", got {value}") and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("minutes=abc", "minutes must be a number above 0 or null, got abc"),
        ("minutes=-1", "minutes must be a number above 0 or null, got -1"),
        ("ema.half_life_kimg=abc", "ema.half_life_kimg must be a number from 0, got abc"),
        ("seed=true", "seed must be a whole number from 0, got true"),
        ("kimg=[1,2]", "kimg must be a number above 0, got [1, 2]"),
        ("kimg=null", "kimg must be a number above 0, got null"),
        ("n_critic=0", "n_critic must be a whole number from 1, got 0"),
        ("model.width=8.5", "model.width must be a whole number, got 8.5"),
        ("model.generator=5", "model.generator must be a group of keys, got 5"),
        ("ema=4", "ema must be a group of keys, got 4"),
        ("optimizer.generator.lr=fast", "optimizer.generator.lr must be a number, got fast"),
        ("gan.seed=x", "gan.seed must be a whole number, got x"),
        ("callbacks.distances.n=few", "callbacks.distances.n must be a whole number, got few"),
    ],
)
def test_messages(word, message):
    with pytest.raises(UserError) as caught:
        compose("train", ["out=o", word])
    assert str(caught.value) == message


def test_numbers_are_taken_as_texts():
    words = ["out=2024", "data.path=7", "logger=wandb", "logger.name=3", "terms=1", "features=5"]
    plain = config.to_plain(compose("train", words))
    assert [plain["out"], plain["data"]["path"], plain["logger"]["name"], plain["terms"]] == ["2024", "7", "3", "1"]
    assert compose("evaluate", ["data.path=null", "pictures=01016"]).pictures in ("01016", "1016")


def test_types_in_words():
    assert declared("(whole number from 1 or null) pictures") == (Annotated[int, "from", 1.0] | None, "pictures")
    assert declared("(the old ones) pictures") == (None, "(the old ones) pictures")
    assert describe(list[int] | Path | None) == "a list of whole numbers or text or null"
