"""Configurations: composed with Hydra, checked, and built into objects.

The configuration of a command is composed from the package ``ganfill.conf`` (the top-level ``conf/`` of a checkout), the
user's own directory if one is given, and the words of a command line. Objects are built from its ``_target_`` nodes.
"""

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, get_origin

import yaml
from hydra import compose as hydra_compose
from hydra import initialize_config_module
from hydra.core.global_hydra import GlobalHydra
from hydra.errors import HydraException
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf, open_dict
from omegaconf.errors import OmegaConfBaseException

from ganfill import plugins
from ganfill.config_files import PACKAGE, default_options, options, read_comments, read_content
from ganfill.config_source import checked_files
from ganfill.config_types import annotations, check_values, declared_types, members, nodes
from ganfill.errors import UserError, first_line
from ganfill.overrides import advice_on, literal, quote, search_path

SYNONYMS = {"learning_rate": "lr"}


def compose(
    command: str,
    words: Iterable[str] = (),
    values: Mapping[str, str | list[str]] | None = None,
    directory: str | None = None,
) -> DictConfig:
    """Returns the configuration of a command.

    Args:
        command: name of a primary configuration, such as ``train``.
        words: ``key=value`` as typed; the value may hold spaces, commas, brackets, quotes and further ``=``.
        values: texts, or lists of texts, that keys of the command get as they are.
        directory: holds more options of groups, such as ``model/mine.yaml``; options of ganfill with the same name win.

    Raises:
        UserError: a key or an option is not known, a needed one is missing, or a value has the wrong type.
    """
    words, values, overrides, hints = list(words), dict(values or {}), search_path(directory), types_of(command)
    for word in words:
        key, equals, value = word.partition("=")
        accepted = members(hints.get(key))
        if equals and not value and hints.get(key) is str:
            raise UserError(f"{key}= is empty: give a value, see ganfill {command} --help")
        # Hydra would take complete's model= for the group of train's architectures, and out=2024 for a number.
        verbatim = str in accepted and (options(key) or not any(get_origin(part) is list for part in accepted))
        if value and verbatim and key not in default_options(command) and value != "null":
            values[key] = value
        else:
            overrides.append(quote(word))
    GlobalHydra.instance().clear()
    try:
        with checked_files(words):
            with initialize_config_module(PACKAGE, version_base="1.3"):
                config = hydra_compose(command, overrides, return_hydra_config=True)
            choices = config.hydra.runtime.choices
            with open_dict(config):
                del config["hydra"]
            for key, value in values.items():
                text = literal(value) if isinstance(value, str) else [literal(part) for part in value]
                OmegaConf.update(config, key, text)
            check(command, config, words, choices, directory)
    except UserError:
        raise
    except (HydraException, OmegaConfBaseException, yaml.YAMLError, ValueError, RecursionError) as error:
        raise UserError(explain(command, words, error, directory)) from None
    return config


def check(
    command: str, config: DictConfig, words: list[str], choices: Mapping[str, Any], directory: str | None = None
) -> None:
    """Checks the values of a configuration; numbers become texts where texts are expected.

    Args:
        command: its name.
        config: the composed configuration.
        words: the words of the command line.
        choices: the option of each group.
        directory: see ``compose``.

    Raises:
        UserError: a key has no value, or a value of the wrong type, or a configuration file names code to run.
    """
    if missing := [key for key, value in nodes(_unresolved(config)) if value == "???"]:
        raise UserError(f"{command} needs {', '.join(f'{key}=...' for key in missing)}; see ganfill {command} --help")
    for key, hint in types_of(command).items():
        if hint is dict and not OmegaConf.is_dict(value := OmegaConf.select(config, key)):
            raise UserError(f"{key} must be a group of keys, got {value}")
    plain = to_plain(config)
    plugins.refuse_run(plain, words)
    plugins.refuse_other_out(plain, words)
    expected = defaults(command, [f"{group}={option}" for group, option in choices.items()], directory)
    for key, text in check_values(plain, expected, types_of(command)).items():
        OmegaConf.update(config, key, text)


@cache
def types_of(command: str) -> dict[str, Any]:
    """Returns the types of the keys of a primary configuration, see ``config_types.declared_types``."""
    content = {key: value for key, value in read_content(command).items() if key not in ("defaults", "hydra")}
    return declared_types(content, read_comments(command)[1])


def build(node: Any, **arguments: Any) -> Any:
    """Builds the object that the ``_target_`` of a node names, its nested nodes first; containers become plain ones.

    A text becomes a path where the annotation of the argument is ``Path``.

    Raises:
        UserError: a configuration may not name the target, or the target does not take these arguments.
    """
    plain = OmegaConf.to_container(node, resolve=True) if OmegaConf.is_config(node) else node
    if not isinstance(plain, dict) or "_target_" not in plain:
        raise UserError(f"{plain} cannot be built: give a group of keys with _target_")
    plugins.refuse_foreign_targets(plain)
    hints = annotations(plain["_target_"])
    paths = {str(key): Path(value) for key, value in plain.items() if hints.get(str(key)) is Path}
    try:
        return instantiate(node, _convert_="all", **(paths | arguments))
    except HydraException as error:
        cause = error.__cause__
        if isinstance(cause, UserError):
            raise cause from None
        raise UserError(
            f"{plain['_target_']} cannot be built with these settings: {first_line(cause or error)}"
        ) from error


def to_plain(config: DictConfig) -> dict[str, Any]:
    """Returns the resolved configuration as plain dictionaries, lists, strings and numbers."""
    plain = OmegaConf.to_container(config, resolve=True)
    assert isinstance(plain, dict)
    return {str(key): value for key, value in plain.items() if key != "hydra"}


def as_yaml(config: DictConfig, resolve: bool) -> str:
    """Returns a configuration as YAML, optionally with its interpolations resolved."""
    return OmegaConf.to_yaml(config, resolve=resolve)


def as_list(value: Any) -> list[Any]:
    """Returns a configured value that may be one thing or several as a list."""
    return list(value) if isinstance(value, Sequence) and not isinstance(value, str) else [value]


def as_words(value: Any) -> list[str]:
    """Returns a configured text with commas, or a list, as words; none for null."""
    if value is None:
        return []
    return [str(word) for word in (value.split(",") if isinstance(value, str) else as_list(value))]


def explain(command: str, words: list[str], error: Exception, directory: str | None = None) -> str:
    """Returns the error of Hydra about ``words`` in one line that names the word and the nearest valid ones."""
    text = str(error)
    if isinstance(error, yaml.YAMLError):
        return " ".join(text.split())  # names the file and the line
    if isinstance(error, RecursionError):
        return f"ganfill {command}: an interpolation is nested too deeply"
    if match := re.search(r"Recursive interpolation.*full_key: (\S+)", text, re.S):
        return f"{match[1]} takes its value from itself: correct its interpolation"
    if match := re.search(r"UserError raised while resolving interpolation: (.*)", text):
        return match[1]
    if match := re.search(r"In '[^']*': Could not find '([^']+)'", text):
        group, _, option = match[1].rpartition("/")
        what = "neither a folder of pictures nor an option" if group == "data" else "not known"
        return f"{group}={option} is {what}: {suggest(option, options(group, directory))}"
    if match := re.search(r"Interpolation key '([^']+)' not found(?:.*full_key: (\S+))?", text, re.S):
        user = f"{match[2]} takes its value from {match[1]}, which" if match[2] else match[1]
        return f"{user} is not a key of ganfill {command}: {suggest(match[1], keys(command, words, directory))}"
    if match := re.search(r"node `([^`]+)` is not a container", text):
        return f"{match[1]} must be a group of keys"
    unknown = r"Could not override '([^']+)'|Key '([^']+)' is not in struct|full_key: (\S+)"
    unknown += r"|Could not find match for '([^']+)'|No match in the defaults list.*?'([^']+)'"
    if match := re.search(unknown, text, re.S):
        key = next(word for word in match.groups() if word)
        known = keys(command, words, directory)
        return f"{key} is not a key of ganfill {command}: {advice_on(key, known) or suggest(key, known)}"
    return f"ganfill {command} {' '.join(words)}: {first_line(error)}"


def defaults(command: str, words: Iterable[str] = (), directory: str | None = None) -> dict[str, Any]:
    """Returns the configuration with the options that ``words`` choose and no other value of theirs, unresolved."""
    chosen = []
    for key, _, value in (word.partition("=") for word in words):
        if key in default_options(command) and key != "experiment" and value in options(key, directory):
            chosen.append(f"{key}={value}")
    return _defaults(command, tuple(dict.fromkeys(chosen)), directory)


@cache
def _defaults(command: str, chosen: tuple[str, ...], directory: str | None) -> dict[str, Any]:
    GlobalHydra.instance().clear()
    with checked_files(chosen), initialize_config_module(PACKAGE, version_base="1.3"):
        config = hydra_compose(command, search_path(directory) + list(chosen))
    return _unresolved(config)


def _unresolved(config: DictConfig) -> dict[str, Any]:
    plain = OmegaConf.to_container(config)
    assert isinstance(plain, dict)
    return {str(key): value for key, value in plain.items()}


def keys(command: str, words: Iterable[str] = (), directory: str | None = None) -> list[str]:
    """Returns all dotted keys that a command takes, and its groups, with the options that ``words`` choose."""
    return [key for key, _ in nodes(defaults(command, words, directory))]


def suggest(word: str, known: list[str]) -> str:
    """Returns the end of a sentence: a few ``known`` words closest to ``word``, or all if they are few."""
    close = difflib.get_close_matches(word, known, 3, 0.5)
    # 'lr' should find 'optimizer.generator.lr'.
    close += [key for key in known if key.endswith(f".{SYNONYMS.get(word, word)}") and key not in close]
    if close:
        return f"did you mean {', '.join(close)}?"
    return f"choose from {', '.join(known)}" if 0 < len(known) <= 20 else "see its --help"
