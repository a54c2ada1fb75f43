"""``ganfill <command> key=value ...``: words in, exit code out."""

import logging
import sys
from importlib import import_module
from pathlib import Path

from ganfill.commands import load
from ganfill.config import commands, compose, help_text, nearest
from ganfill.errors import Incomplete, UserError
from ganfill.overrides import LISTS, take_config_dir
from ganfill.version import __version__

# The key that a word without one belongs to, if it is the path of something.
PATH_KEYS = {
    "prepare": "source",
    "export": "run",
    "info": "file",
    "complete": "images",
    "leaderboard": "runs",
    "report": "run",
}
SWEEPABLE = ("train", "evaluate")
SWEEP_WORDS = ("-m", "--multirun", "-cn", "--config-name", "-cp", "--config-path")

EXAMPLES = """\
Examples:
  ganfill complete photo.jpg mask=center out=filled
  ganfill train data=synthetic out=runs/first kimg=20"""


def main() -> None:
    """Runs the command line and exits: 0 done, 1 some inputs failed, 2 a mistake of the user's, 130 interrupted."""
    logging.basicConfig(format="%(message)s", level=logging.WARNING, stream=sys.stderr)
    sys.exit(run(sys.argv[1:]))


def run(words: list[str]) -> int:
    """Runs ``words`` and returns the exit code; everything a user has to know is printed."""
    try:
        return _dispatch(words)
    except (UserError, Incomplete) as error:
        print(f"ganfill: {error}", file=sys.stderr)
        return error.exit_code
    except (FileExistsError, NotADirectoryError, IsADirectoryError, PermissionError) as error:
        print(f"ganfill: {error.filename}: {(error.strerror or str(error)).lower()}; check the paths", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("ganfill: interrupted; the same command again continues", file=sys.stderr)
        return 130
    except BrokenPipeError:
        return 141


def _dispatch(words: list[str]) -> int:
    if not words or words[0] in ("-h", "--help", "help"):
        print(overview())
        return 0
    if words[0] == "--version":
        print(f"ganfill {__version__}")
        return 0
    command, words = words[0], words[1:]
    if command not in commands():
        raise UserError(f"there is no command {command}: {nearest(command, commands())}")
    if {"-h", "--help"} & set(words):
        print(help_text(command))
        return 0
    if any(word.split("=")[0] in SWEEP_WORDS for word in words):
        if command not in SWEEPABLE:
            raise UserError(f"ganfill {command} does not sweep; {' and '.join(SWEEPABLE)} do")
        return import_module("ganfill.sweep").sweep(command, words)  # it loads torch and Lightning
    words, directory = take_config_dir(words)
    made = load(command)(compose(command, *assign_paths(command, words), directory))
    print(made)
    return 0


def assign_paths(command: str, words: list[str]) -> tuple[list[str], dict[str, str | list[str]]]:
    """Takes the words that are existing paths, or hf:// names, out and gives them the key for them; several make a list."""
    paths = [word for word in words if word.startswith("hf://") or (not word.startswith("-") and Path(word).exists())]
    if command == "info":  # the file may also be the name of a packaged model
        paths += [word for word in words if "=" not in word and word not in paths and not word.startswith("-")]
    if command not in PATH_KEYS:
        paths = []
    others = [word for word in words if word not in paths]
    for word in others:
        if word.startswith("-"):
            raise UserError(f"{word} is no option of ganfill {command}: settings are written key=value, see --help")
    if not paths:
        return others, {}
    if len(paths) > 1 and PATH_KEYS[command] not in LISTS:
        raise UserError(f"{' '.join(paths)}: ganfill {command} takes one path; write out=... for the result")
    return others, {PATH_KEYS[command]: paths if len(paths) > 1 else paths[0]}


def overview() -> str:
    """The text of ``ganfill --help``: each command with the first line of its own help."""
    lines = [f"  {command:<14} {help_text(command).splitlines()[0]}" for command in commands()]
    head = "ganfill trains a GAN on your pictures and fills the holes in damaged ones with it."
    usage = "Usage: ganfill <command> key=value ...      ganfill <command> --help tells its keys"
    return "\n".join([head, "", usage, "", *lines, "", EXAMPLES])
