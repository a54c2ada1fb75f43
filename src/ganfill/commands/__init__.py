"""The commands, a module for each: ``run`` takes the configuration, builds objects and runs them."""

from collections.abc import Callable
from importlib import import_module
from keyword import iskeyword
from pathlib import Path
from typing import Any

from ganfill.commands.summary import refuse_others

BESIDE = ("export", "import", "leaderboard", "report")  # write single files, also beside the results of other commands


def load(name: str) -> Callable[[Any], Any]:
    """Returns the ``run`` of a command, imported when it is needed, since most commands need few of the packages.

    It raises ``UserError`` if its ``out`` is a folder with the results of another command, whose summary it would replace.
    """
    run = import_module(f"ganfill.commands.{name.replace('-', '_')}{'_' * iskeyword(name)}").run

    def checked(config: Any) -> Any:
        if name not in BESIDE and config.get("out"):
            refuse_others(Path(str(config.out)), name)
        return run(config)

    return checked
