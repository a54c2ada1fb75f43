"""Words as people type them, and the grammar of Hydra."""

import re
from collections.abc import Iterable
from pathlib import Path

from ganfill.errors import UserError

# Keys whose values are files or names, separated by commas unless a file has such a name.
LISTS = ("source", "images", "mask", "outputs")
# Keys that may be written with a dot, though ``mask`` is a value of its own.
DOTTED = {"mask.grow": "mask_grow", "mask.soften": "mask_soften"}
# Values that stay as they are: numbers, truth values, null, lists and dictionaries in the grammar of Hydra.
TYPED = re.compile(r"^((?i:null|true|false)|[-+]?(\d[\d_]*\.?\d*|\.\d+)([eE][-+]?\d+)?|[-+]?inf|nan|\[.*\]|\{.*\})$")
# Options of the parser of Hydra that take the next word as their value.
CONFIG_DIR = ("-cd", "--config-dir")
VALUED = (*CONFIG_DIR, "-cn", "--config-name", "-cp", "--config-path")
# Options that show something in place of running a command, and their values, the default first.
DISPLAY = {
    "--cfg": ("job",),
    "--info": ("all", "config", "defaults", "defaults-tree", "plugins", "searchpath"),
    "--resolve": ("",),
    "--dry-run": ("",),
}
# Keys of other programs: the key that a command must have for the advice to apply, if any, the advice, and the keys.
FOREIGN_KEYS = (
    (
        "kimg",
        "kimg=... is the length of a training in thousand images",
        "epochs max_epochs num_epochs n_epochs steps max_steps num_steps iterations iters",
    ),
    ("trainer", "trainer=ddp uses every GPU, device=cuda:1 only that one", "gpus num_gpus n_gpus ngpu nproc_per_node"),
    ("device", "device=cuda uses a GPU", "gpu gpus cuda"),
    ("precision", "precision=bf16-mixed computes in 16 bits", "amp fp16 bf16 half_precision"),
    ("kimg", "sweeps take it: add -m, and sweeper=optuna for a search", "launcher sweeper n_trials metric storage"),
    ("", "leave it out; reading pictures needs no setting", "num_workers n_workers workers threads"),
    ("", "leave it out; the same command again continues", "resume resume_from resume_from_checkpoint continue"),
)


def advice_on(key: str, known: Iterable[str]) -> str | None:
    """Returns how ganfill does what a key of other programs asks for, with the ``known`` keys of a command, or None."""
    return next((advice for need, advice, names in FOREIGN_KEYS if key in names.split() and need in ("", *known)), None)


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
        return quote_texts(key, value.split(","))
    return quote_texts(key, value)


def quote_texts(key: str, value: str | list[str]) -> str:
    """Returns the override that gives a key exactly a text or a list of texts."""
    return f"{key}={_quoted(value)}" if isinstance(value, str) else f"{key}=[{','.join(map(_quoted, value))}]"


def _quoted(value: str) -> str:
    # In Hydra's quoted strings a backslash escapes only a quote, or itself before a quote or at the end.
    escaped = re.sub(r"(\\*)(\"|$)", lambda match: match[1] * 2 + ("\\" + match[2] if match[2] else ""), value)
    return '"' + literal(escaped) + '"'


def literal(value: str) -> str:
    """Escapes what Hydra would take for an interpolation: a typed path is not one."""
    return value.replace("${", "\\${")


def take_display(words: list[str]) -> tuple[list[str], dict[str, str]]:
    """Returns the words without the options that show something in place of running a command, and those with values.

    Raises:
        UserError: an option has a value that it does not take.
    """
    others, shown, rest = list[str](), dict[str, str](), list(words)
    while rest:
        option, equals, value = rest.pop(0).partition("=")
        option = "--cfg" if option == "-c" else option
        if option not in DISPLAY:
            others.append(f"{option}{equals}{value}")
            continue
        if not equals and rest and rest[0] in DISPLAY[option]:
            value = rest.pop(0)
        shown[option] = value or DISPLAY[option][0]
        if shown[option] not in DISPLAY[option]:
            raise UserError(f"{option}={value} is not known: use {' or '.join(filter(None, DISPLAY[option]))}")
    return others, shown


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
