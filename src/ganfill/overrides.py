"""Words as people type them, and the grammar of Hydra."""

import re
from pathlib import Path

from ganfill.errors import UserError

# Keys whose values are files or names, separated by commas unless a file has such a name.
LISTS = ("source", "images", "mask")
# Keys that may be written with a dot, though ``mask`` is a value of its own.
DOTTED = {"mask.grow": "mask_grow", "mask.soften": "mask_soften"}
# Values that stay as they are: numbers, truth values, null, lists and dictionaries in the grammar of Hydra.
TYPED = re.compile(r"^((?i:null|true|false)|[-+]?(\d[\d_]*\.?\d*|\.\d+)([eE][-+]?\d+)?|[-+]?inf|nan|\[.*\]|\{.*\})$")
# Options of the parser of Hydra that take the next word as their value.
CONFIG_DIR = ("-cd", "--config-dir")
VALUED = (*CONFIG_DIR, "-cn", "--config-name", "-cp", "--config-path")


def quote(word: str) -> str:
    """Returns the override that gives a key exactly the value of a typed ``key=value``; ``~key`` stays as it is."""
    key, equals, value = word.partition("=")
    if word.startswith("~"):
        return word
    if key in DOTTED:
        key, word = DOTTED[key], f"{DOTTED[key]}={value}"
    if not equals:
        raise UserError(f"{word!r} is not key=value, nor a file that this command takes without a key: see its --help")
    if not value:
        return f"{key}=null"
    if TYPED.match(value) and not (value[0] in "[{" and Path(value).exists()):
        return word
    if key in LISTS and "," in value and not Path(value).exists():
        return f"{key}=[{','.join(map(_quoted, value.split(',')))}]"
    return f"{key}={_quoted(value)}"


def _quoted(value: str) -> str:
    # In Hydra's quoted strings a backslash escapes only a quote, or itself before a quote or at the end.
    escaped = re.sub(r"(\\*)(\"|$)", lambda match: match[1] * 2 + ("\\" + match[2] if match[2] else ""), value)
    return '"' + literal(escaped) + '"'


def literal(value: str) -> str:
    """Escapes what Hydra would take for an interpolation: a typed path is not one."""
    return value.replace("${", "\\${")


def split_options(words: list[str]) -> tuple[list[str], list[str]]:
    """Returns the options of the parser of Hydra with their values, and the other words; the parser needs this order."""
    is_option = [word.startswith("-") or (i > 0 and words[i - 1] in VALUED) for i, word in enumerate(words)]
    pairs = list(zip(words, is_option, strict=True))
    return [word for word, option in pairs if option], [word for word, option in pairs if not option]


def take_config_dir(words: list[str]) -> tuple[list[str], str | None]:
    """Returns the words without ``-cd DIR``, the user's directory of configurations, and DIR.

    Raises:
        UserError: there is no such directory.
    """
    others, directory, rest = list[str](), None, iter(words)
    for word in rest:
        option, equals, value = word.partition("=")
        if option not in CONFIG_DIR:
            others.append(word)
            continue
        directory = value if equals else next(rest, "")
        if not directory or not Path(directory).is_dir():
            raise UserError(f"{option} {directory}: no such directory; give one with files such as model/mine.yaml")
    return others, directory


def search_path(directory: str | None) -> list[str]:
    """Returns the override that makes Hydra look for options in ``directory`` too; none without one."""
    return [f"hydra.searchpath=[{_quoted(f'file://{Path(directory).resolve()}')}]"] if directory else []
