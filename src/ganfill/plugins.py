"""Packages besides ganfill whose classes a configuration or a model file may name.

To build a class is to run code of its package, so whoever runs ganfill lets a package in, and no file does: by installing
one that has an entry point in the group ``ganfill.plugins``, whose value is the module that its classes lie in or below;
or, for one that is merely importable, by the environment variable ``GANFILL_PLUGINS=mynets`` (several with commas).
Nothing of a package is imported to find that out.
"""

import os
from importlib import metadata
from typing import Any

from ganfill.errors import UserError

GROUP = "ganfill.plugins"
VARIABLE = "GANFILL_PLUGINS"
OURS = ("ganfill.", "torch.")  # what configurations may name anyway


def let_in(target: str) -> bool:
    """Whether the dotted name of a class lies in a package that was let in."""
    names = os.environ.get(VARIABLE, "").split(",")
    names += [entry.value.partition(":")[0] for entry in metadata.entry_points(group=GROUP)]
    return any(target.startswith(f"{name.strip()}.") for name in names if name.strip())


def remedy(target: str) -> str:
    """What to do about a class of a package that was not let in, as the end of a sentence."""
    package = target.partition(".")[0]
    return f"if you know and trust the package {package}, let it in by {VARIABLE}={package}, see docs/extending.md"


def refuse_foreign_targets(node: Any) -> None:
    """Raises ``UserError`` if a ``_target_`` in plain containers names code outside ganfill, torch and these packages."""
    if isinstance(node, dict):
        target = node.get("_target_")
        if isinstance(target, str) and not (target.startswith(OURS) or let_in(target)):
            raise UserError(f"_target_={target} is refused, it is no part of ganfill or torch: {remedy(target)}")
    for child in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        refuse_foreign_targets(child)
