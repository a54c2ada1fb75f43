"""Types of configured values: what a key expects, whether a value fits, and the message if it does not."""

import re
import types
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

from ganfill.errors import UserError
from ganfill.plugins import locate

TYPES = {"text": str, "texts": str | list[str], "number": float, "whole number": int, "null": None}
NAMES = {str: "text", Path: "text", list: "a list", float: "a number", int: "a whole number", bool: "true or false"}
DECLARED = re.compile(rf"({'|'.join(TYPES)})(?: (above|from) ([\d.]+))?")
INTERPOLATION = re.compile(r"\$\{([\w.]+)\}")
ABSENT = object()


def declared(comment: str) -> tuple[Any, str]:
    """Splits the comment of a key into the type that it begins with and its text.

    The type is in parentheses: ``(whole number from 1)``, ``(number above 0 or null)``, ``(texts)`` for a text or a list
    of them.

    Returns:
        The type hint, or None if there is none, and the rest of the comment.
    """
    match = re.match(r"\(([^)]*)\) ?", comment)
    parts = [DECLARED.fullmatch(part) for part in match[1].split(" or ")] if match else []
    if not match or not all(parts):
        return None, comment
    hints: list[Any] = [
        Annotated[TYPES[part[1]], part[2], float(part[3])] if part[2] else TYPES[part[1]] for part in parts if part
    ]
    return Union[tuple(hints)], comment[match.end() :]  # noqa: UP007  # X | Y needs their number in the source


def members(hint: Any) -> tuple[Any, ...]:
    """Returns the types of a union, or the type itself."""
    return get_args(hint) if get_origin(hint) in (Union, types.UnionType) else (hint,)


def fits(value: Any, hint: Any) -> bool:
    """Returns True if a plain value (number, text, truth value, None, list or dictionary) has the type of a hint.

    Numbers are accepted as texts. A class that is not plain is described by a dictionary, its ``_target_`` and arguments.
    """
    if len(members(hint)) > 1:
        return any(fits(value, part) for part in members(hint))
    origin, parts = get_origin(hint), get_args(hint)
    if origin is Annotated:
        return fits(value, parts[0]) and (value > parts[2] if parts[1] == "above" else value >= parts[2])
    if hint is Any or hint is object:
        return True
    if hint in (None, types.NoneType):
        return value is None
    if hint is bool or isinstance(value, bool):
        return hint is bool and isinstance(value, bool)
    if hint in (int, float, str, Path):
        return isinstance(value, {int: int, float: int | float}.get(hint, str | int | float))
    container = origin or hint
    if isinstance(container, type) and issubclass(container, Sequence):
        return isinstance(value, list) and all(fits(item, parts[0]) for item in value if parts)
    return isinstance(value, Mapping)


def describe(hint: Any) -> str:
    """Returns a type in words, such as ``a whole number from 1 or null``, without the classes of a union."""
    if len(members(hint)) > 1:
        return " or ".join(dict.fromkeys(filter(None, map(describe, members(hint)))))
    origin, parts = get_origin(hint), get_args(hint)
    if origin is Annotated:
        return f"{describe(parts[0])} {parts[1]} {parts[2]:g}"
    if hint in (None, types.NoneType):
        return "null"
    if isinstance(origin, type) and issubclass(origin, Sequence):
        return f"a list of {(describe(parts[0]) or 'value').removeprefix('a ')}s"
    return NAMES.get(hint, "a group of keys" if hint is dict else "")


def declared_types(content: Mapping[str, Any], comments: Mapping[str, str]) -> dict[str, Any]:
    """Returns the types of the keys of a primary configuration, from their comments or else from their defaults."""
    hints: dict[str, Any] = {}
    for key, default in nodes(content):
        hint = declared(comments.get(key, ""))[0]
        if hint is not None:
            hints[key] = hint | None if default is None else hint
        elif default is not None and default != "???" and not INTERPOLATION.fullmatch(str(default)):
            hints[key] = type(default)
    return hints


def check_values(plain: Mapping[str, Any], defaults: Mapping[str, Any], hints: Mapping[str, Any]) -> dict[str, str]:
    """Checks the type of every value of a configuration.

    A key of the primary configuration has the type in ``hints``. An argument of a class has its annotation. Any other key
    has the type of its default.

    Args:
        plain: the resolved configuration.
        defaults: the same without the user's values, and with interpolations instead of their values.
        hints: see ``declared_types``.

    Returns:
        The numbers that stand where texts are expected, as texts, by their keys.

    Raises:
        UserError: a value has the wrong type.
    """
    texts: dict[str, str] = {}
    for key, value in sorted(nodes(plain), key=lambda node: node[0] not in hints):  # annotations need slow imports
        default, hint = select(defaults, key), hints.get(key)
        parent, _, name = key.rpartition(".")
        target = select(plain, f"{parent}._target_")
        if hint is None and isinstance(target, str):
            hint = annotations(target).get(name)
        if source := INTERPOLATION.fullmatch(str(default)):
            default = ABSENT
            if select(plain, source[1]) == value:
                key, hint = source[1], None if source[1] in hints else hint
        if hint is None and default not in (None, ABSENT, "???"):
            hint = float if type(default) is int else type(default)
        if hint is None or (value is None and default is None) or ("." not in key and value is None and hint is dict):
            continue
        if not fits(value, hint):
            shown = str(value).lower() if isinstance(value, bool) else "null" if value is None else value
            raise UserError(f"{key} must be {describe(hint) or 'a group of keys with _target_'}, got {shown}")
        numbers = any(part in (int, float, Any) or get_origin(part) is Annotated for part in members(hint))
        if isinstance(value, int | float) and not isinstance(value, bool) and not numbers:
            texts[key] = str(value)
    return texts


def select(node: Any, key: str) -> Any:
    """Returns the value of a dotted key in plain dictionaries, or ``ABSENT``."""
    for name in key.split("."):
        node = node.get(name, ABSENT) if isinstance(node, Mapping) else ABSENT
    return node


@cache
def annotations(target: str) -> dict[str, Any]:
    """Returns the annotations of the arguments of a ``_target_``; none if it cannot be located."""
    try:
        found: Callable[..., Any] = locate(target)
        return get_type_hints(found.__init__ if isinstance(found, type) else found)
    except Exception:  # a refused class is reported when it is built; others need no annotations
        return {}


def nodes(node: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yields dotted keys and values at any depth, except keys that begin with an underscore."""
    for key, value in node.items():
        if not str(key).startswith("_"):
            yield f"{prefix}{key}", value
            if isinstance(value, Mapping):
                yield from nodes(value, f"{prefix}{key}.")
