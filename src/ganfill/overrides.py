"""Words as people type them, in Hydra's grammar."""

import re
from pathlib import Path

from ganfill.errors import UserError

# Words whose value is one or several files or names; their commas separate, unless a file is named with one.
LISTS = ("source", "images", "mask")
# Values that Hydra's grammar reads as numbers, booleans, null, lists or dictionaries pass as they are.
TYPED = re.compile(r"^((?i:null|true|false)|[-+]?(\d[\d_]*\.?\d*|\.\d+)([eE][-+]?\d+)?|[-+]?inf|nan|\[.*\]|\{.*\})$")
# Options of Hydra's own parser whose value is the word that follows.
CONFIG_DIR = ("-cd", "--config-dir")
VALUED = (*CONFIG_DIR, "-cn", "--config-name", "-cp", "--config-path")


def quote(word: str) -> str:
    """Turns a typed ``key=value`` into an override of Hydra's grammar that gives ``key`` exactly that value."""
    key, equals, value = word.partition("=")
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
    """Interpolations stay interpolations in a configuration file, but a typed path means what it says."""
    return value.replace("${", "\\${")


def split_options(words: list[str]) -> tuple[list[str], list[str]]:
    """Options of Hydra's parser with their values, and the other words; the parser wants them in this order."""
    places = [word.startswith("-") or (i > 0 and words[i - 1] in VALUED) for i, word in enumerate(words)]
    pairs = list(zip(words, places, strict=True))
    return [word for word, option in pairs if option], [word for word, option in pairs if not option]


def take_config_dir(words: list[str]) -> tuple[list[str], str | None]:
    """Takes ``-cd DIR`` out, a directory with configurations of the user's own; returns the other words and DIR.

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
            raise UserError(
                f"{option} {directory}: no such directory; give one that holds files such as model/mine.yaml"
            )
    return others, directory


def search_path(directory: str | None) -> list[str]:
    """The override that makes Hydra look for options in ``directory`` too; none without one."""
    return [f"hydra.searchpath=[{_quoted(f'file://{Path(directory).resolve()}')}]"] if directory else []
