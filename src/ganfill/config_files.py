"""The files of ``conf/``: commands, groups, options, and the comments that document their keys.

The comment of a key stands on the lines above it or after its value. In a primary configuration it may begin with the
type of the value in parentheses, see ``config_types.declared``.
"""

import re
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml

PACKAGE = "ganfill.conf"
KEY = re.compile(r"(?P<indent> *)(?P<item>- )?(?:override )?/?(?P<key>[\w/-]+):.*?(?:\s#\s*(?P<comment>.*))?")


def commands() -> list[str]:
    """Returns the names of the commands, each of which has a primary configuration."""
    return sorted(path.name.removesuffix(".yaml") for path in files(PACKAGE).iterdir() if path.name.endswith(".yaml"))


def options(group: str, directory: str | None = None) -> list[str]:
    """Returns the names of the options of a group, such as ``loss``, including those in the user's ``directory``."""
    folders = [files(PACKAGE).joinpath(group), *([Path(directory, group)] if directory else [])]
    names = [path.name for folder in folders if folder.is_dir() for path in folder.iterdir()]
    return sorted({name.removesuffix(".yaml") for name in names if name.endswith(".yaml")})


def read_source(name: str, directory: str | None = None) -> str:
    """Returns the text of a file by its name without suffix, ``train`` or ``loss/hinge``; the package's file comes first."""
    path = files(PACKAGE).joinpath(f"{name}.yaml")
    return (path if path.is_file() or not directory else Path(directory, f"{name}.yaml")).read_text("utf-8")


@cache
def read_content(command: str) -> dict[str, Any]:
    """Returns the content of a primary configuration."""
    return yaml.safe_load(read_source(command))


def default_options(command: str) -> dict[str, str | None]:
    """Returns the groups that a command chooses an option from, and the options it chooses by default."""
    entries = [entry for entry in read_content(command).get("defaults", ()) if isinstance(entry, dict)]
    return {group: option for entry in entries for group, option in entry.items()}


@cache
def read_comments(name: str, directory: str | None = None) -> tuple[list[str], dict[str, str]]:
    """Returns the lines of the comment at the head of a file, and the comments of its keys by their dotted names."""
    lines = read_source(name, directory).splitlines()
    end = next((i for i, line in enumerate(lines) if not line.startswith("#")), len(lines))
    head = [line.removeprefix("#").removeprefix(" ") for line in lines[:end]]
    comments, above, parents = dict[str, str](), list[str](), list[tuple[int, str]]()
    for line in lines[end:]:
        if line.lstrip().startswith("#"):
            above.append(line.strip(" #"))
            continue
        if match := KEY.fullmatch(line):
            indent = len(match["indent"]) + bool(match["item"])
            parents = [(i, key) for i, key in parents if i < indent] + [(indent, match["key"])]
            comments[".".join(key for _, key in parents)] = " ".join([*above, match["comment"] or ""]).strip()
        above = []
    return head, comments
