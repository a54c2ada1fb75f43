"""Parses searches and baselines, such as ``standard``, ``standard:cut_steps=10``, ``biharmonic``, ``unet:model=FILE``."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ganfill.benchmark.baselines import BASELINES, NEAREST, UNET, unet
from ganfill.errors import UserError
from ganfill.images.blend import Blend, Feather, Paste, Poisson
from ganfill.model_io import model_file
from ganfill.search.presets import PRESETS
from ganfill.search.result import Search

BLENDS: dict[str, Callable[[], Blend]] = {"paste": Paste, "feather": Feather, "poisson": Poisson}


@dataclass(frozen=True)
class SearchEntry:
    """A search of an evaluation.

    Attributes:
        word: as given by the user; the name of its rows.
        search: to be run.
        settings: all settings including defaults, plain values.
    """

    word: str
    search: Search
    settings: dict[str, Any]


def parse_search(word: str, nearest: Search | None) -> SearchEntry | None:
    """Parses a word of ``search=``.

    Args:
        word: a baseline, ``unet:model=FILE``, or a preset with settings, ``name:key=value:key=value``.
        nearest: the baseline ``nearest``; None without training pictures.

    Returns:
        The entry; None if the word is ``nearest`` and there are no training pictures.

    Raises:
        UserError: the search, the setting or the file does not exist, or the value is invalid.
    """
    name, *pairs = word.split(":")
    baselines = BASELINES | ({} if nearest is None else {NEAREST: nearest})
    if name in PRESETS:
        given = dict(_setting(word, pair, inspect.signature(PRESETS[name]).parameters) for pair in pairs)
        defaults = {key: p.default for key, p in inspect.signature(PRESETS[name]).parameters.items()}
        settings = {key: repr(value) for key, value in (defaults | given).items()}
        return SearchEntry(word, PRESETS[name](**given), {"search": name} | settings)
    if name == UNET:
        return _parse_unet(word)
    if pairs and name in (*BASELINES, NEAREST):
        raise UserError(f"search={word}: {name} has no settings, write search={name}")
    if name in baselines:
        return SearchEntry(word, baselines[name], {"search": name})
    if name == NEAREST:
        return None
    raise UserError(
        f"search={word}: there is no {name}: choose from {', '.join((*PRESETS, *BASELINES, NEAREST, UNET))}"
    )


def _parse_unet(word: str) -> SearchEntry:
    """Parses ``unet:model=FILE``."""
    path = word.removeprefix(f"{UNET}:model=")
    if path in ("", word):
        raise UserError(f"search={word}: write search={UNET}:model=FILE, with the model file of its training")
    rival = model_file.load(path)
    try:
        return SearchEntry(word, unet(rival), {"search": UNET, "model": rival.digest})
    except UserError as error:
        raise UserError(f"search={word}: {error}") from None


def _setting(word: str, pair: str, parameters: Any) -> tuple[str, Any]:
    """Parses ``key=value``; the value must have the type of the preset's default."""
    key, equals, text = pair.partition("=")
    if not equals or key not in parameters:
        raise UserError(f"search={word}: {pair} is not a setting, write key=value with one of {', '.join(parameters)}")
    if key == "blend":
        if text not in BLENDS:
            raise UserError(f"search={word}: blend={text} is not known: use {', '.join(BLENDS)}")
        return key, BLENDS[text]()
    default, value = parameters[key].default, _literal(text)
    number = isinstance(default, int | float) and not isinstance(default, bool)
    allowed = (int | float if isinstance(default, float) else int) if number else object
    if not isinstance(value, allowed) or isinstance(value, bool) != isinstance(default, bool):
        raise UserError(f"search={word}: {pair} cannot be used, the default is {key}={default}")
    return key, value


def _literal(text: str) -> int | float | bool | str:
    """Converts a text to a number or a bool if it is one."""
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return {"true": True, "false": False}.get(text.lower(), text)
