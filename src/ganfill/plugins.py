"""Packages besides ganfill whose classes a configuration or a model file may name.

Building a class runs code of its package, so only the user can allow a package, never a file. A package is allowed if it
is installed with an entry point in the group ``ganfill.plugins``, whose value is the module that contains its classes; or
if the environment variable ``GANFILL_PLUGINS`` names it (several are separated by commas). Checking imports nothing.
"""

import os
from importlib import metadata
from typing import Any

from ganfill.errors import UserError

GROUP = "ganfill.plugins"
VARIABLE = "GANFILL_PLUGINS"
BUILT_IN = ("ganfill.", "torch.")  # always allowed in configurations


def is_allowed(target: str) -> bool:
    """Returns True if the user has allowed the package of a class, given by its dotted name."""
    names = os.environ.get(VARIABLE, "").split(",")
    names += [entry.value.partition(":")[0] for entry in metadata.entry_points(group=GROUP)]
    return any(target.startswith(f"{name.strip()}.") for name in names if name.strip())


def remedy(target: str) -> str:
    """Returns the end of a message about a class whose package is not allowed."""
    package = target.partition(".")[0]
    return f"if you know and trust the package {package}, allow it with {VARIABLE}={package}, see docs/extending.md"


def refuse_foreign_targets(node: Any) -> None:
    """Raises ``UserError`` if a ``_target_`` in nested dicts and lists is outside ganfill, torch and allowed packages."""
    if isinstance(node, dict):
        target = node.get("_target_")
        if isinstance(target, str) and not (target.startswith(BUILT_IN) or is_allowed(target)):
            raise UserError(f"_target_={target} is refused, it is not part of ganfill or torch: {remedy(target)}")
    for child in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        refuse_foreign_targets(child)
