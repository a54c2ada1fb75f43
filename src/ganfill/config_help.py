"""Help for every key: from the comments in ``conf/``, or else from the docstrings of the classes that ``_target_`` names.

Docstrings are read from the source files of ganfill, so that help imports neither torch nor a package of the user.
"""

import ast
import re
import textwrap
from collections.abc import Iterable, Mapping
from functools import cache
from importlib.resources import files
from itertools import takewhile
from typing import Any

from ganfill.config import defaults, types_of
from ganfill.config_files import commands, default_options, options, read_comments
from ganfill.config_types import INTERPOLATION, declared, describe, nodes, select

WIDTH, COLUMN = 120, 22


def help_text(command: str, words: Iterable[str] = (), directory: str | None = None) -> str:
    """Returns the help of a command: usage, keys, groups with the keys of the options that ``words`` choose, examples."""
    words = list(words)
    usage, _, examples = "\n".join(read_comments(command)[0]).partition("\nExamples:")
    return "\n".join([usage, *_entries(command, words, directory), f"\nExamples:{examples}"])


def overview() -> str:
    """Returns the text of ``ganfill --help``: each command with the first sentence of its help."""
    lines = [
        textwrap.fill(summary(command), WIDTH, initial_indent=f"  {command:<14} ", subsequent_indent=" " * 17)
        for command in commands()
    ]
    head = "ganfill trains a GAN on your pictures and fills the holes in damaged ones with it."
    usage = (
        "Usage: ganfill <command> key=value ...      ganfill <command> --help lists its keys\n"
        "       ganfill <command> ... --cfg job      shows the configuration only; --resolve and --info: as in Hydra\n"
        "       ganfill train -m ... --dry-run       lists the jobs of a sweep\n"
        "       ganfill completion bash|zsh|fish     prints a script for completion in the shell"
    )
    examples = ["complete photo.jpg mask=center out=filled", "train data=synthetic out=runs/first kimg=20"]
    return "\n".join([head, "", usage, "", *lines, "\nExamples:", *(f"  ganfill {example}" for example in examples)])


def summary(command: str) -> str:
    """Returns the first sentence of the help of a command."""
    paragraph = " ".join(takewhile(bool, read_comments(command)[0]))
    return re.split(r"(?<=\.) ", paragraph)[0]


def reference() -> str:
    """Returns ``docs/configuration.md``: the help of every command, and the keys of every option of a group."""
    lines = ["# Configuration", "", "`make configuration` writes this page from the help of the commands.", ""]
    owners: dict[str, str] = {}
    for command in commands():
        lines += [f"## ganfill {command}", "", "```text", help_text(command), "```", ""]
        owners = dict.fromkeys(default_options(command), command) | owners
    for group, command in owners.items():
        lines += [f"## {group}", ""]
        for option in options(group):
            head = [line for line in read_comments(f"{group}/{option}")[0] if not line.startswith("@package")]
            content = select(defaults(command, [f"{group}={option}"]), group)
            summary = " ".join(head) or _docstring(content["_target_"])[0] if head or "_target_" in content else ""
            entries = [line for line in _entries(command, [f"{group}={option}"]) if line.startswith(f"  {group}.")]
            lines += [f"### {group}={option}", "", "```text", *filter(None, [summary]), *entries, "```", ""]
    return "\n".join(lines)


def key_help(command: str, key: str, words: Iterable[str] = (), directory: str | None = None) -> str:
    """Returns the help of a key, dotted, or of a group, with the options that ``words`` choose; empty if there is none."""
    content, comments, chosen = defaults(command, words, directory), read_comments(command)[1], _chosen(command, words)
    (group, _, rest), (parent, _, name) = key.partition("."), key.rpartition(".")
    if rest and group in chosen and chosen[group] in options(group, directory):
        comments = {
            f"{group}.{k}": v for k, v in read_comments(f"{group}/{chosen[group]}", directory)[1].items()
        } | comments
    if comment := comments.get(f"defaults.{key}") or comments.get(key):
        return declared(comment)[1].removesuffix(".")
    value, node = select(content, key), select(content, parent)
    text = _docstring(value.get("_target_"))[0] if isinstance(value, Mapping) else ""
    if not text and isinstance(node, Mapping):
        text = _docstring(node.get("_target_"))[1].get(name, "")
    sources = [other for other, source in nodes(content) if source == f"${{{key}}}" and other.startswith(f"{group}.")]
    text = text or next(filter(None, (key_help(command, other, words, directory) for other in sources)), "")
    if not text and (source := INTERPOLATION.fullmatch(str(value))):
        text = f"the same as {source[1]}"
    return (text or f"settings of {key}" * isinstance(value, Mapping)).removesuffix(".")


def _entries(command: str, words: Iterable[str] = (), directory: str | None = None) -> list[str]:
    """Returns the keys with their defaults and help, then each group with the keys of the chosen option."""
    content, types, chosen = defaults(command, words, directory), types_of(command), _chosen(command, words)
    lines: dict[str, list[str]] = {group: [] for group in ("", *chosen)}
    for group, option in chosen.items():
        text = f"{key_help(command, group)}. Options: {', '.join(options(group, directory))}"
        lines[group] = ["", _format(f"{group}={option or 'null'}", text)]
    for key, value in nodes(content):
        if isinstance(value, Mapping) or key in chosen or INTERPOLATION.fullmatch(str(value)):
            continue  # a key that takes the value of another one needs no entry
        text = key_help(command, key, words, directory)
        if declared(read_comments(command)[1].get(key, ""))[0] is not None:
            text += f" [{describe(types[key])}]"
        shown = {"None": "null", "True": "true", "False": "false", "???": "..."}.get(str(value), value)
        group = key.partition(".")[0]
        lines[group if group in chosen else ""].append(_format(f"{key}={shown}", text))
    return [line for group in lines.values() for line in group]


def _format(label: str, text: str) -> str:
    """Returns a label and a text in two columns."""
    body = textwrap.wrap(text, WIDTH - COLUMN, break_on_hyphens=False)
    first = [f"  {label}"] if len(label) > COLUMN - 4 else [f"  {label}".ljust(COLUMN) + body.pop(0)]
    return "\n".join([*first, *(" " * COLUMN + line for line in body)])


def _chosen(command: str, words: Iterable[str]) -> dict[str, str | None]:
    """Returns the option of each group, by ``words`` or by default."""
    pairs = [word.partition("=") for word in words]
    return default_options(command) | {key: value for key, _, value in pairs if key in default_options(command)}


@cache
def _docstring(target: Any) -> tuple[str, dict[str, str]]:
    """Returns the first line of the docstring of a class or function of ganfill, and the help of its arguments.

    "see NAME" at the end of an argument's help stands for what the same module says about that argument of NAME.
    """
    module, _, name = str(target).rpartition(".")
    summary, arguments = "", dict[str, str]()
    if not module.startswith("ganfill."):
        return summary, arguments
    source = files("ganfill").joinpath(*module.split(".")[1:-1], f"{module.rpartition('.')[2]}.py").read_text("utf-8")
    found = {node.name: node for node in ast.parse(source).body if isinstance(node, ast.ClassDef | ast.FunctionDef)}
    while node := found.get(name):
        text = (ast.get_docstring(node) or "").replace("``", "")
        summary = summary or text.partition("\n")[0]
        section = re.search(r"^Args:\n((?: .*\n?|\n)*)", text, re.M)
        for names, described in re.findall(
            r"^ {4}(\w[\w, ]*): (.*(?:\n {5,}.*)*)", section[1] if section else "", re.M
        ):
            for argument in names.split(", "):
                text = " ".join(described.split())
                if (other := re.search(r"\bsee (\w+)\.?$", text)) and other[1] in found:
                    text = text[: other.start()] + _docstring(f"{module}.{other[1]}")[1].get(argument, other[0])
                arguments.setdefault(argument, text)
        bases = node.bases if isinstance(node, ast.ClassDef) else []
        name = bases[0].id if bases and isinstance(bases[0], ast.Name) else ""
    return summary, arguments
