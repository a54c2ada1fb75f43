"""One module a command: configuration in, objects built, ``run``."""

from collections.abc import Callable
from importlib import import_module
from typing import Any


def load(name: str) -> Callable[[Any], Any]:
    """The ``run`` of a command, imported when it is needed: most commands need little of what others do."""
    return import_module(f"ganfill.commands.{name.replace('-', '_')}").run
