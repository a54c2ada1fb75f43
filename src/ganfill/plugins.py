"""Classes that a configuration or a model file may name.

Building a class runs its code, so a configuration may name ganfill's parts, the optimizers of ``torch.optim``, and the
packages that the user has allowed. A file allows nothing. The user allows a package by installing one with an entry point
in the group ``ganfill.plugins``, whose value is the module that contains the classes, itself or in its submodules; or, for
a package that is merely importable, by the environment variable ``GANFILL_PLUGINS=mynets`` (several with commas). Nothing
of a package is imported to find that out.
"""

import inspect
import os
from collections.abc import Callable, Iterator
from functools import cache
from importlib import import_module, metadata
from typing import Any

from ganfill.errors import UserError, first_line

GROUP = "ganfill.plugins"
VARIABLE = "GANFILL_PLUGINS"
# Modules and packages of which configurations may name every class, and beginnings of functions that they may name.
CLASSES = (
    "ganfill.adversarial", "ganfill.images.blend", "ganfill.models", "ganfill.search", "ganfill.training.callbacks",
    "ganfill.training.datamodule", "ganfill.training.gan", "ganfill.training.trainer",
)  # fmt: skip
FUNCTIONS = ("ganfill.search.presets.", "ganfill.search.published.", "ganfill.training.loggers.make_")
HYDRA = (
    "hydra._internal.core_plugins.basic_launcher.BasicLauncher",
    "hydra._internal.core_plugins.basic_sweeper.BasicSweeper",
    "hydra_plugins.ganfill.OptunaSweeper",
    "hydra_plugins.hydra_joblib_launcher.joblib_launcher.JoblibLauncher",
    "hydra_plugins.hydra_submitit_launcher.submitit_launcher.LocalLauncher",
    "hydra_plugins.hydra_submitit_launcher.submitit_launcher.SlurmLauncher",
)
LOGGING = ("logging.StreamHandler", "logging.FileHandler", "ext://sys.stdout", "ext://sys.stderr")
# Settings whose values are run, so that they may come from the command line only.
RUN = ("features", "hydra.job.env_set", "hydra.launcher.additional_parameters", "hydra.launcher.setup")


def is_allowed(target: str) -> bool:
    """Returns True if the dotted name of a class lies in a package that the user has allowed."""
    names = [*os.environ.get(VARIABLE, "").split(","), *_installed()]
    return any(target.startswith(f"{name.strip()}.") for name in names if name.strip())


@cache
def _installed() -> list[str]:
    """The modules of installed plugins. To read the entry points of all packages takes milliseconds."""
    return [entry.value.partition(":")[0] for entry in metadata.entry_points(group=GROUP)]


def remedy(target: str) -> str:
    """Returns the end of a message about a class of a package that is not allowed."""
    package = target.partition(".")[0]
    return f"if you know and trust the package {package}, allow it with {VARIABLE}={package}, see docs/extending.md"


def locate(target: Any) -> Callable[..., Any]:
    """Returns the class or function that a ``_target_`` names.

    It must be defined in the package that the name begins with: ``mynets.torch.hub.load`` is refused. A module is imported
    only if the configuration may name classes of it.

    Raises:
        UserError: a configuration may not name it, or it cannot be imported.
    """
    module, _, name = str(target).rpartition(".")
    foreign = isinstance(target, str) and is_allowed(target)
    ours = f"{module}.".startswith(tuple(f"{package}." for package in CLASSES)) or str(target).startswith(FUNCTIONS)
    if isinstance(target, str) and (foreign or ours or module == "torch.optim") and not name.startswith("_"):
        try:
            found = getattr(import_module(module), name)
        except Exception as error:
            raise UserError(f"{target} cannot be built with these settings: {first_line(error)}") from error
        home = str(getattr(found, "__module__", ""))
        if foreign:
            allowed = inspect.isroutine(found) or inspect.isclass(found)
            allowed = allowed and home.partition(".")[0] == target.partition(".")[0]
        elif module == "torch.optim":
            allowed = inspect.isclass(found) and issubclass(found, import_module("torch").optim.Optimizer)
        else:
            allowed = home == module and (inspect.isclass(found) or target.startswith(FUNCTIONS))
        if allowed:
            return found
    advice = "see docs/extending.md"
    if not str(target).startswith(("ganfill.", "torch.")) and not foreign:
        advice = remedy(str(target))
    raise UserError(
        f"_target_={target} is refused: a configuration may name the parts of ganfill, the optimizers of torch.optim, and "
        f"the packages you have allowed; {advice}"
    )


def refuse_foreign_targets(node: Any) -> None:
    """Raises ``UserError`` if a ``_target_`` in plain containers names what a configuration may not name."""
    for value in _values(node, "_target_"):
        locate(value)


def refuse_hydra_settings(settings: Any, words: list[str]) -> None:
    """Checks settings of Hydra, which builds some objects itself.

    Args:
        settings: the node ``hydra`` in plain containers.
        words: those of the command line, which may set ``RUN``.

    Raises:
        UserError: a configuration file names code to run.
    """
    for target in _values(settings, "_target_"):
        if target not in HYDRA:
            locate(target)
    for key, value in _items([settings["job_logging"], settings["hydra_logging"]]):
        text = str(value)
        known = text in LOGGING if key == "class" or "://" in text else key == "filename" or "${" not in text
        if key == "()" or (isinstance(value, str) and not known):
            raise UserError(f"{key}: {value} in the logging of Hydra is refused: a configuration file runs no code")
    refuse_run({"hydra": settings}, words)


def refuse_search_path(paths: Any) -> None:
    """Raises ``UserError`` if ``hydra.searchpath`` of a configuration file names a package, which would be imported."""
    for path in paths if isinstance(paths, list) else []:
        package = str(path).removeprefix("pkg://")
        if package != str(path) and not is_allowed(f"{package}."):
            raise UserError(
                f"hydra.searchpath: {path} in a configuration file is refused, since it imports the package {package}: "
                "give it on the command line"
            )


def refuse_run(config: Any, words: list[str]) -> None:
    """Raises ``UserError`` if one of ``RUN`` is set in a configuration and not by a word of the command line."""
    for key in RUN:
        value: Any = config
        for name in key.split("."):
            value = value.get(name) if isinstance(value, dict) else None
        short = key.removeprefix("hydra.")
        if value and not any(word.lstrip("+").startswith((key, short)) for word in words):
            raise UserError(
                f"{key} in a configuration file is refused, since it runs code: give it on the command line"
            )


def _items(node: Any) -> Iterator[tuple[str, Any]]:
    """Yields the keys and values of plain containers at any depth."""
    if isinstance(node, dict):
        for key, value in node.items():
            yield str(key), value
            yield from _items(value)
    elif isinstance(node, list):
        for value in node:
            yield from _items(value)


def _values(node: Any, key: str) -> Iterator[Any]:
    return (value for name, value in _items(node) if name == key)
