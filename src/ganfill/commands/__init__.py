"""The commands, a module for each: ``run`` takes the configuration, builds objects and runs them."""

from collections.abc import Callable
from importlib import import_module
from keyword import iskeyword
from typing import Any


def load(name: str) -> Callable[[Any], Any]:
    """Returns the ``run`` of a command, imported when it is needed, since most commands need few of the packages."""
    return import_module(f"ganfill.commands.{name.replace('-', '_')}{'_' * iskeyword(name)}").run
