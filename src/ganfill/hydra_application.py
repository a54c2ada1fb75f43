"""Runs sweeps, and commands with a configuration of the user's own, as applications of Hydra."""

import logging.config
import os
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import hydra
import yaml
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.config_repository import CachingConfigRepository
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from ganfill import plugins
from ganfill.config import explain
from ganfill.config_files import PACKAGE, default_options, options, read_source
from ganfill.config_source import checked_files
from ganfill.errors import UserError, first_line
from ganfill.overrides import quote, split_options, take_config_dir


def run_as_hydra_application(command: str, words: list[str], job: Callable[[DictConfig, Any], None]) -> None:
    """Runs ``job`` for every configuration that ``words``, in the grammar of Hydra, ask for (``-m``, ``-cd``, ``-cn``).

    The job also gets the settings of Hydra: mode, directories, launcher and the option of each group.
    """
    unresolved: list[OmegaConfBaseException] = []

    def run_job(config: DictConfig) -> None:
        try:
            OmegaConf.resolve(config)  # interpolations of hydra: can be resolved here only
        except OmegaConfBaseException as error:
            unresolved.append(error)  # raised below, since Hydra would print a line of its own about it
            return
        job(config, HydraConfig.get())

    GlobalHydra.instance().clear()
    options_given, settings = split_options(words)
    settings = map(in_hydras_grammar, settings)
    sys.argv = [f"ganfill {command}", *options_given, *settings, f"hydra.job.name={command}"]
    os.environ["HYDRA_FULL_ERROR"] = "1"  # raises errors, to be explained here, instead of printing them
    try:
        with _config_path(command) as path, _own_logging(), checked_files(words), _checked_hydra_settings(words):
            hydra.main(version_base="1.3", config_path=path, config_name=command)(run_job)()
        if unresolved:
            raise unresolved[0]
    except (HydraException, OmegaConfBaseException, yaml.YAMLError, RecursionError) as error:
        raise UserError(explain(command, words, error, take_config_dir(words)[1])) from None
    except ValueError as error:
        if isinstance(error, UserError) or not _is_of_logging(error):
            raise
        reasons = ": ".join(first_line(part) for part in (error, error.__cause__) if part)
        raise UserError(f"hydra.job_logging or hydra.hydra_logging: {reasons}") from None


def _is_of_logging(error: ValueError) -> bool:
    """Returns True if ``logging.config`` has raised an error."""
    return [frame.filename for frame in traceback.extract_tb(error.__traceback__)][-1] == logging.config.__file__


def show_info(command: str, words: list[str], topic: str) -> None:
    """Prints what ``--info`` of Hydra tells about a command with the options that ``words`` choose."""
    others, directory = take_config_dir(words)
    chosen = [word for word in others if word.partition("=")[0] in default_options(command)]
    places = ["--config-dir", directory] if directory else []
    run_as_hydra_application(command, ["--info", topic, *places, *chosen], lambda config, hydra: None)


@contextmanager
def _checked_hydra_settings(words: list[str]) -> Iterator[None]:
    """Checks the node ``hydra`` of every configuration that is loaded, before Hydra imports or builds anything for it."""
    load, search = ConfigLoaderImpl.load_configuration, ConfigLoaderImpl._process_config_searchpath

    def process_config_searchpath(
        self: ConfigLoaderImpl, config_name: str | None, parsed_overrides: Any, repo: CachingConfigRepository
    ) -> None:
        primary = repo.load_config(config_name) if config_name else None
        plugins.refuse_search_path(_resolved(OmegaConf.select(primary.config, "hydra.searchpath")) if primary else None)
        search(self, config_name, parsed_overrides, repo)

    def load_configuration(self: ConfigLoaderImpl, *args: Any, **kwargs: Any) -> DictConfig:
        config = load(self, *args, **kwargs)
        plugins.refuse_hydra_settings(_resolved(config.hydra), words, str(_resolved(config).get("out")))
        return config

    ConfigLoaderImpl.load_configuration = load_configuration
    ConfigLoaderImpl._process_config_searchpath = process_config_searchpath
    try:
        yield
    finally:
        ConfigLoaderImpl.load_configuration = load
        ConfigLoaderImpl._process_config_searchpath = search


def _resolved(node: Any) -> Any:
    """Returns plain containers; interpolations that cannot be resolved yet stay as they are, refused ones raise an error."""
    if not OmegaConf.is_config(node):
        return node
    plain = []
    for key in node if OmegaConf.is_dict(node) else range(len(node)):
        try:
            plain.append((key, _resolved(node[key])))
        except OmegaConfBaseException as error:
            if "UserError raised" in str(error):
                raise
            plain.append((key, str(node._get_node(key)._value())))
    return dict(plain) if OmegaConf.is_dict(node) else [value for _, value in plain]


@contextmanager
def _own_logging() -> Iterator[None]:
    """Restores logging: Hydra removes the handlers of the root logger and may disable every other logger."""
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
    """Gives the path on which Hydra finds the configuration of a command.

    Commands other than train get a directory with their own files only. Otherwise Hydra would take evaluate's ``model=FILE``
    for an option of train's group ``model``.
    """
    if command.startswith("train"):
        yield f"pkg://{PACKAGE}"
        return
    with TemporaryDirectory() as directory:
        for name in (command, *(f"{group}/{name}" for group in default_options(command) for name in options(group))):
            path = Path(directory, f"{name}.yaml")
            path.parent.mkdir(exist_ok=True)
            path.write_text(read_source(name), "utf-8")
        yield directory


def in_hydras_grammar(word: str) -> str:
    """Returns a word, quoted if it is a ``key=value`` that Hydra cannot read, such as ``search=standard:cut_steps=10``."""
    if word.startswith("-") or "=" not in word:
        return word
    try:
        OverridesParser.create().parse_override(word)
    except HydraException:
        return quote(word).replace("\\${", "${")  # a sweep needs interpolations
    return word
