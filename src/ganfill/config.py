"""Configurations: the only room, besides the commands, that knows Hydra and OmegaConf.

A command's configuration is composed from the package ``ganfill.conf`` (the top-level ``conf/`` of a checkout), a
directory of the user's own if one is given, and the words of a command line; parts are built from its ``_target_`` nodes.
"""

import difflib
import logging
import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from importlib.resources import files
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import hydra
import yaml
from hydra import compose as hydra_compose
from hydra import initialize_config_module
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from ganfill import plugins
from ganfill.errors import UserError
from ganfill.overrides import literal, quote, search_path, split_options, take_config_dir

PACKAGE = "ganfill.conf"
TEXTS = ("out", "run", "file", "landmarks", "runs")  # keys whose value is one path, whatever it looks like


def compose(
    command: str,
    words: Iterable[str] = (),
    values: Mapping[str, str | list[str]] | None = None,
    directory: str | None = None,
) -> DictConfig:
    """The configuration of a command.

    Args:
        command: name of a primary configuration, such as ``train``.
        words: ``key=value`` as typed; the value may hold spaces, commas, brackets, quotes and further ``=``.
        values: texts, or lists of texts, that keys of the command get as they are.
        directory: with further options of groups, such as ``model/mine.yaml``; one of ganfill's name is not seen.

    Raises:
        UserError: a key or an option is not known, or a needed one is missing.
    """
    words, values, overrides = list(words), dict(values or {}), search_path(directory)
    for word in words:
        key, equals, value = word.partition("=")
        # Hydra would take complete's model= for the group of train's architectures, and out=2024 for a number.
        if key in TEXTS and equals and not value:
            raise UserError(f"{key}= is empty: give a value, see ganfill {command} --help")
        if value and key in _plain_keys(command) and (options(key) or (key in TEXTS and value != "null")):
            values[key] = value
        else:
            overrides.append(quote(word))
    GlobalHydra.instance().clear()
    try:
        with initialize_config_module(PACKAGE, version_base="1.3"):
            config = hydra_compose(command, overrides)
        for key, value in values.items():
            config[key] = literal(value) if isinstance(value, str) else [literal(part) for part in value]
        check(command, config)
    except (HydraException, OmegaConfBaseException, yaml.YAMLError, ValueError) as error:
        raise UserError(explain(command, words, error, directory)) from None
    return config


def check(command: str, config: DictConfig) -> None:
    """Raises ``UserError`` for missing keys, and top-level ones that are not the number or truth value their default is."""
    if missing := sorted(OmegaConf.missing_keys(config)):
        raise UserError(f"{command} needs {', '.join(f'{key}=...' for key in missing)}; see ganfill {command} --help")
    plain = to_plain(config)
    for key, default in _content(command).items():
        if isinstance(default, bool) and not isinstance(plain[key], bool):
            raise UserError(
                f"{key}={plain[key]} is neither true nor false: the default is {key}={str(default).lower()}"
            )
        numeric = isinstance(default, int | float) and not isinstance(default, bool)
        if numeric and (isinstance(plain[key], bool) or not isinstance(plain[key], int | float)):
            raise UserError(f"{key}={plain[key]} is not a number: the default is {key}={default}")


def build(node: Any, **arguments: Any) -> Any:
    """Builds the object a node's ``_target_`` names, its nested nodes first; containers become plain ones.

    Raises:
        UserError: the target lies outside ganfill, torch and ``plugins``, or does not take these arguments.
    """
    plugins.refuse_foreign_targets(OmegaConf.to_container(node, resolve=True) if OmegaConf.is_config(node) else node)
    try:
        return instantiate(node, _convert_="all", **arguments)
    except HydraException as error:
        cause = error.__cause__
        if isinstance(cause, UserError):
            raise cause from None
        if isinstance(cause, ImportError):
            cause = cause.__cause__ or cause  # Hydra's begins with the target alone
        reason = str(cause or error).splitlines()[0]
        raise UserError(f"{node.get('_target_')} cannot be built with these settings: {reason}") from error


def run_as_hydra_application(command: str, words: list[str], job: Callable[[DictConfig, Any], None]) -> None:
    """Runs ``job`` for every configuration that ``words``, in Hydra's own grammar, ask for (``-m``, ``-cd``, ``-cn``).

    The job also gets what Hydra knows of it: mode, directories, launcher and options chosen.
    """

    def told(config: DictConfig) -> None:
        OmegaConf.resolve(config)  # what it says of Hydra can be read here alone
        job(config, HydraConfig.get())

    GlobalHydra.instance().clear()
    options_given, settings = split_options(words)
    settings = map(in_hydras_grammar, settings)
    sys.argv = [f"ganfill {command}", *options_given, *settings, f"hydra.job.name={command}"]
    os.environ["HYDRA_FULL_ERROR"] = "1"  # raised, to be explained here, instead of printed
    try:
        with _config_path(command) as path, _own_logging():
            hydra.main(version_base="1.3", config_path=path, config_name=command)(told)()
    except (HydraException, OmegaConfBaseException, yaml.YAMLError) as error:
        raise UserError(explain(command, words, error, take_config_dir(words)[1])) from None


@contextmanager
def _own_logging() -> Iterator[None]:
    """Puts logging back as it was: Hydra takes the root's handlers away and may silence every logger there is."""
    root, named = logging.getLogger(), logging.Logger.manager.loggerDict.values()
    handlers, level = root.handlers[:], root.level
    silent = {logger for logger in named if isinstance(logger, logging.Logger) and logger.disabled}
    try:
        yield
    finally:
        for handler in set(root.handlers) - set(handlers):
            handler.close()
        root.handlers[:] = handlers
        root.setLevel(level)
        for logger in named:
            if isinstance(logger, logging.Logger):
                logger.disabled = logger in silent


@contextmanager
def _config_path(command: str) -> Iterator[str]:
    """Where Hydra finds the command's configuration.

    A command without groups gets a directory with its own file alone. Otherwise Hydra would take evaluate's
    ``model=FILE`` for an option of train's group ``model``.
    """
    if "defaults" in _content(command):
        yield f"pkg://{PACKAGE}"
        return
    with TemporaryDirectory() as directory:
        Path(directory, f"{command}.yaml").write_text(_source(command), "utf-8")
        yield directory


def to_plain(config: DictConfig) -> dict[str, Any]:
    """The resolved configuration as plain dictionaries, lists, strings and numbers."""
    plain = OmegaConf.to_container(config, resolve=True)
    assert isinstance(plain, dict)
    return {str(key): value for key, value in plain.items() if key != "hydra"}


def as_list(value: Any) -> list[Any]:
    """A configured value that may be one thing or several, as a list."""
    return list(value) if isinstance(value, Sequence) and not isinstance(value, str) else [value]


def as_words(value: Any) -> list[str]:
    """A configured comma list or list of words; none for null."""
    if value is None:
        return []
    return [str(word) for word in (value.split(",") if isinstance(value, str) else as_list(value))]


def commands() -> list[str]:
    """Names of the primary configurations, which are the commands."""
    return sorted(path.name.removesuffix(".yaml") for path in files(PACKAGE).iterdir() if path.name.endswith(".yaml"))


def help_text(command: str) -> str:
    """The comment that a primary configuration begins with."""
    lines = _source(command).splitlines()
    end = next((i for i, line in enumerate(lines) if not line.startswith("#")), len(lines))
    return "\n".join(line.removeprefix("#").removeprefix(" ") for line in lines[:end])


def in_hydras_grammar(word: str) -> str:
    """The word itself; quoted if it is a ``key=value`` that Hydra cannot read, such as ``search=standard:steps=50``."""
    if word.startswith("-") or "=" not in word:
        return word
    try:
        OverridesParser.create().parse_override(word)
    except HydraException:
        return quote(word).replace("\\${", "${")  # interpolations are what a sweep needs them to be
    return word


def _plain_keys(command: str) -> set[str]:
    """A command's own top-level keys, without the groups that it chooses an option from."""
    return _content(command).keys() - _groups(command) - {"defaults"}


def _groups(command: str) -> set[str]:
    """The groups that a command chooses an option from."""
    content = _content(command)
    return {key for entry in content.get("defaults", ()) if isinstance(entry, dict) for key in entry}


@cache
def _content(command: str) -> dict[str, Any]:
    """A primary configuration as it stands; read once, since every word of a command asks for it."""
    return yaml.safe_load(_source(command))


def _source(command: str) -> str:
    return files(PACKAGE).joinpath(f"{command}.yaml").read_text("utf-8")


def explain(command: str, words: list[str], error: Exception, directory: str | None = None) -> str:
    """Hydra's complaint about ``words`` in one line that names the word and the nearest valid ones."""
    text = str(error)
    if isinstance(error, yaml.YAMLError):
        return " ".join(text.split())  # it tells the file and the line
    if match := re.search(r"In '[^']*': Could not find '([^']+)'", text):
        group, _, option = match[1].rpartition("/")
        return f"{group}={option} is not known: {nearest(option, options(group, directory))}"
    if match := re.search(r"Could not override '([^']+)'|Key '([^']+)' is not in struct|full_key: (\S+)", text):
        key = next(word for word in match.groups() if word)
        return f"{key} is no key of ganfill {command}: {nearest(key, keys(command, words, directory))}"
    if match := re.search(r"Could not find match for '([^']+)'|No match in the defaults list.*?'([^']+)'", text, re.S):
        key = match[1] or match[2]
        return f"{key} is no key of ganfill {command}: {nearest(key, keys(command, words, directory))}"
    return f"ganfill {command} {' '.join(words)}: {text.splitlines()[0]}"


def keys(command: str, words: Iterable[str] = (), directory: str | None = None) -> list[str]:
    """All keys a command takes, dotted, and its groups, with the options that ``words`` choose."""
    pairs, groups = (word.partition("=") for word in words), _groups(command)
    chosen = [f"{key}={value}" for key, _, value in pairs if key in groups and value in options(key, directory)]
    GlobalHydra.instance().clear()
    with initialize_config_module(PACKAGE, version_base="1.3"):
        config = hydra_compose(command, search_path(directory) + chosen)
    found: list[str] = []

    def walk(node: Any, prefix: str) -> None:
        for key in node:
            name = f"{prefix}{key}"
            found.append(name)
            child = node._get_node(key)
            if isinstance(child, DictConfig) and not child._is_none() and not child._is_missing():
                walk(child, f"{name}.")

    walk(config, "")
    return [key for key in found if "._" not in key]


def options(group: str, directory: str | None = None) -> list[str]:
    """Names of the options of a group, such as ``loss``, those in a directory of the user's own included."""
    places = [files(PACKAGE).joinpath(group), *([Path(directory, group)] if directory else [])]
    inside = [path.name for place in places if place.is_dir() for path in place.iterdir()]
    return sorted({name.removesuffix(".yaml") for name in inside if name.endswith(".yaml")})


def nearest(word: str, known: list[str]) -> str:
    """A few of the ``known`` words closest to ``word``, or all if they are few, as the end of a sentence."""
    close = difflib.get_close_matches(word, known, 3, 0.5)
    # 'lr' should find 'optimizer.generator.lr'.
    close += [key for key in known if key.endswith(f".{word}") and key not in close]
    if close:
        return f"did you mean {', '.join(close)}?"
    return f"choose from {', '.join(known)}" if 0 < len(known) <= 20 else "see its --help"
