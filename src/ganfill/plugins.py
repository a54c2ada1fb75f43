"""Classes that a configuration or a model file may name.

Building a class runs its code, so a configuration may name ganfill's parts, the optimizers of ``torch.optim``, and the
packages that the user has allowed. A file allows nothing. The user allows a package by installing one with an entry point
in the group ``ganfill.plugins``, whose value is the module that contains the classes, itself or in its submodules; or, for
a package that is merely importable, by the environment variable ``GANFILL_PLUGINS=mynets`` (several with commas). Nothing
of a package is imported to find that out.
"""

import inspect
import os
import re
from collections.abc import Callable, Iterator
from functools import cache
from importlib import import_module, metadata
from pathlib import Path
from typing import Any

from ganfill.errors import UserError, first_line

GROUP = "ganfill.plugins"
VARIABLE = "GANFILL_PLUGINS"
# Modules and packages of which configurations may name every class, and beginnings of functions that they may name.
CALLBACKS = ("collapse", "completions", "distances", "pruning", "samples", "wandb_artifact")  # others write to any path
CLASSES = (
    "ganfill.adversarial", "ganfill.images.blend", "ganfill.models", "ganfill.search", "ganfill.training.datamodule",
    "ganfill.training.gan", "ganfill.training.trainer", *(f"ganfill.training.callbacks.{name}" for name in CALLBACKS),
)  # fmt: skip
FUNCTIONS = ("ganfill.search.presets.", "ganfill.search.published.", "ganfill.training.loggers.make_")
HYDRA = (
    "hydra._internal.core_plugins.basic_launcher.BasicLauncher",
    "hydra._internal.core_plugins.basic_sweeper.BasicSweeper",
    "hydra_plugins.ganfill.OptunaSweeper",
    "hydra_plugins.hydra_joblib_launcher.joblib_launcher.JoblibLauncher",
    "hydra_plugins.hydra_ray_launcher.ray_launcher.RayLauncher",
    "hydra_plugins.hydra_submitit_launcher.submitit_launcher.LocalLauncher",
    "hydra_plugins.hydra_submitit_launcher.submitit_launcher.SlurmLauncher",
)
# Keys of the logging of Hydra that a file may set, and of some of them the only values. Others build objects, or name
# files to write.
LOGGING = {
    "formatters": ("format", "datefmt", "style"),
    "handlers": ("class", "formatter", "level", "stream", "filename"),
}
LOGGING_VALUES = {
    "class": ("logging.StreamHandler", "logging.FileHandler"),
    "stream": ("ext://sys.stdout", "ext://sys.stderr"),
    "filename": ("${hydra.runtime.output_dir}/${hydra.job.name}.log",),
}
# Settings whose values are run, or decide what others run, so that they may come from the command line only.
RUN = (
    "features", "hydra.job.env_set", "hydra.job.env_copy", "hydra.launcher.additional_parameters",
    "hydra.launcher.setup",
)  # fmt: skip
# Directories and files that Hydra writes, which a file may place in the current directory or in ``out`` only.
WRITTEN = ("hydra.run.dir", "hydra.sweep.dir", "hydra.sweep.subdir", "hydra.sweeper.storage")
OUTPUT_SUBDIRS = (None, ".hydra")


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


def refuse_hydra_settings(settings: Any, words: list[str], out: str) -> None:
    """Checks settings of Hydra, which builds some objects and writes some files itself.

    Args:
        settings: the node ``hydra`` in plain containers.
        words: those of the command line, which may set what files may not.
        out: the key ``out``.

    Raises:
        UserError: a configuration file names code to run, or files elsewhere to write.
    """
    if settings["job"].get("chdir"):
        raise UserError(
            "hydra.job.chdir=true is refused, since paths are relative to the current directory: leave it out"
        )
    for target in _values(settings, "_target_"):
        if target not in HYDRA:
            locate(target)
            if not is_allowed(target):
                raise UserError(
                    f"_target_={target} in the settings of Hydra is refused: it is a part of ganfill, leave it out"
                )
    for name in ("job_logging", "hydra_logging"):
        if not _is_given(f"hydra.{name}", words):
            _refuse_logging(f"hydra.{name}", settings[name])
    for key in WRITTEN:
        value = _select({"hydra": settings}, key)
        path = Path(str(value))
        inside = value is None or not (path.is_absolute() or ".." in path.parts) or path.is_relative_to(out)
        if not inside and "://" not in str(value) and not _is_given(key, words):
            raise UserError(
                f"{key}: {value} in a configuration file is refused, since it is outside of the current directory and of "
                "out: give it on the command line"
            )
    subdir = settings.get("output_subdir")
    if subdir not in OUTPUT_SUBDIRS and not _is_given("hydra.output_subdir", words):
        raise UserError(
            f"hydra.output_subdir: {subdir} in a configuration file is refused, since files there are replaced: leave it "
            "out, or give it on the command line"
        )
    refuse_run({"hydra": settings}, words)


def _refuse_logging(name: str, logging: Any) -> None:
    """Raises ``UserError`` if a configuration of logging builds an object or writes to a file of its own."""
    for section, keys in LOGGING.items():
        for part in (_select(logging, section) or {}).values():
            if unknown := [key for key in part or () if key not in keys]:
                raise UserError(f"{unknown[0]} in {name}.{section} of a configuration file is refused: leave it out")
    for key, value in _items(logging):
        known = value in LOGGING_VALUES[key] if key in LOGGING_VALUES else not re.search(r"://|\$\{", str(value))
        if key == "()" or (isinstance(value, str) and not known):
            raise UserError(
                f"{key}: {value} in {name} of a configuration file is refused, since it would run code or write to any "
                "file: leave it out"
            )


def _is_given(key: str, words: list[str]) -> bool:
    """Returns True if a word of the command line sets a key, or one below it."""
    names = [word.lstrip("+").partition("=")[0] for word in words]
    short = key.removeprefix("hydra.")
    return any(f"{given}.".startswith((f"{key}.", f"{short}.")) for given in names)


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
        if _select(config, key) and not _is_given(key, words):
            raise UserError(
                f"{key} in a configuration file is refused, since it runs code: give it on the command line"
            )


def _select(node: Any, key: str) -> Any:
    for name in key.split("."):
        node = node.get(name) if isinstance(node, dict) else None
    return node


def refuse_other_out(config: Any, words: list[str]) -> None:
    """Raises ``UserError`` if a configuration file lets a part of ganfill, such as a logger, write beside ``out``."""
    expected = str(config.get("out"))
    for name, part in _parts(config):
        out, target = str(part.get("out", expected)), str(part["_target_"])
        if not target.startswith("ganfill."):
            continue
        if out != expected and not _is_given(f"{name}.out", words):
            raise UserError(f"{name}.out: {out} in a configuration file is refused, since out={expected}: leave it out")
        if "_args_" in part:
            raise UserError(f"{name}._args_ is refused: give the arguments of {target} by their names")


def _parts(node: Any, name: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Yields the dotted names and the content of nodes with a ``_target_``, at any depth."""
    if isinstance(node, dict) and "_target_" in node:
        yield name, node
    for key, value in node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ():
        yield from _parts(value, f"{name}.{key}".removeprefix("."))


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
