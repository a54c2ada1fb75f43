"""Every key named in the README, in docs/ and in CONTRIBUTING.md exists."""

import re
from dataclasses import fields
from functools import cache
from itertools import chain
from pathlib import Path

import yaml
from hydra_plugins.hydra_joblib_launcher.config import JobLibLauncherConf
from hydra_plugins.hydra_submitit_launcher.config import SlurmQueueConf

from ganfill import launchers, optuna_sweeper
from ganfill.config import compose, keys
from ganfill.config_files import commands, options
from ganfill.errors import UserError

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]


def named(page, blocks):
    """Yields each ``key=value`` in a page's inline code and in its blocks that are not run."""
    prose = re.sub(r"^ *```.*?^ *```$", "", page.read_text(), flags=re.M | re.S)
    spans = re.findall(r"(?<!`)`([^`]+)`(?!`)", prose)
    spans += [block.code.replace("\\\n", " ") for block in blocks if block.reason and block.language == "sh"]
    for word in chain.from_iterable(re.split(r"[\s']+", span) for span in spans):
        key, equals, values = word.partition("=")
        if equals and re.fullmatch(r"[a-z][\w.-]*", key) and "$" not in word and not key.startswith("hydra."):
            yield from (f"{key}={value}" for value in re.split(r"\\?\|", values))


LAUNCHER = {f"launcher.{field.name}" for field in (*fields(JobLibLauncherConf), *fields(SlurmQueueConf))}
known = cache(keys)


@cache
def keys_of(group, option):
    """Returns the dotted keys of an option of a group."""

    def flat(node, prefix):
        for key, value in node.items() if isinstance(node, dict) else ():
            yield f"{prefix}.{key}"
            yield from flat(value, f"{prefix}.{key}")

    return set(flat(yaml.safe_load((ROOT / f"conf/{group}/{option}.yaml").read_text()), group))


@cache
def needed(command):
    """Returns the words that a command needs to compose."""
    content = yaml.safe_load((ROOT / f"conf/{command}.yaml").read_text())
    missing = [key for key, value in content.items() if value == "???"]
    missing += [f"data.{key}" for key, value in (content.get("data") or {}).items() if value == "???"]
    return [f"{key}=x" for key in missing]


def exists(word):
    """True if a command accepts the word, alone or with an option of the key's group."""
    key, _, value = word.partition("=")
    if key.startswith("launcher"):
        return value in launchers.LAUNCHERS if key == "launcher" else key in LAUNCHER
    if key in ("sweeper", *optuna_sweeper.KEYS):
        return key != "sweeper" or value == "optuna"
    if re.fullmatch(r"(tag|interval|int|range)\(.*\)", value):  # a sweep draws from it
        return exists(f"{key}=")
    if options(key) and set(value.split(",")) <= {*options(key)}:
        return True
    group = key.partition(".")[0]
    for command in commands():
        choices = [[]] if key in known(command) else []
        choices += [[f"{group}={option}"] for option in options(group) if key in keys_of(group, option)]
        for choice in choices:
            try:
                compose(command, [*needed(command), *choice, *([word] if value else [])])
            except UserError:
                continue
            return True
    return False


def accepted(command, words):
    """Words that a command accepts at once, one for each key; none if one is wrong. Composing each alone takes long."""
    fitting = {word.partition("=")[0]: word for word in words if not word.endswith("=")}
    fitting = [word for key, word in fitting.items() if key in known(command)]
    try:
        compose(command, [*needed(command), *fitting])
    except UserError:
        return []
    return fitting


def test_every_key_that_the_pages_name_exists(blocks):
    words = {word: page.name for page in PAGES for word in named(page, blocks(page))}
    assert len(words) > 50
    rest = set(words) - set(chain.from_iterable(accepted(command, words) for command in commands()))
    assert not [f"{words[word]}: {word}" for word in rest if not exists(word)]


def test_the_check_of_keys_finds_what_does_not_exist():
    assert exists("search.burn_in=3") and exists("launcher.partition=gpu") and exists("loss=hinge,minimax")
    assert exists("ema.half_life_kimg=interval(1,2)") and not exists("lr=interval(1,2)") and not exists("sweeper=ax")
    assert not exists("loss=hing") and not exists("lr=1") and not exists("launcher=slurm") and not exists("kimg=abc")
