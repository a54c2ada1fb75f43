"""The command line, ``ganfill <command> key=value ...``."""

import logging
import sys
from importlib import import_module
from pathlib import Path

from ganfill.commands import load
from ganfill.config import compose, nearest
from ganfill.config_files import commands
from ganfill.config_help import help_text, overview
from ganfill.errors import Incomplete, UserError
from ganfill.overrides import LISTS, take_config_dir
from ganfill.version import __version__

# The key of a word without one, if the word is an existing path.
PATH_KEYS = {
    "prepare": "source",
    "export": "run",
    "import": "file",
    "info": "file",
    "complete": "images",
    "leaderboard": "runs",
    "report": "run",
}
SWEEPABLE = ("train", "evaluate")
SWEEP_WORDS = ("-m", "--multirun", "-cn", "--config-name", "-cp", "--config-path")


def main() -> None:
    """Runs the command line and exits: 0 done, 1 some inputs failed, 2 a mistake of the user, 130 interrupted."""
    logging.basicConfig(format="%(message)s", level=logging.WARNING, stream=sys.stderr)
    sys.exit(run(sys.argv[1:]))


def run(words: list[str]) -> int:
    """Runs ``words``, prints the outcome, and returns the exit code."""
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
    if words[0] in ("--version", "version"):
        print(f"ganfill {__version__}")
        return 0
    command, words = words[0], words[1:]
    if command not in commands():
        raise UserError(f"there is no command {command}: {nearest(command, commands())}")
    if help_words := {"-h", "--help"} & set(words):
        words, directory = take_config_dir([word for word in words if word not in help_words])
        print(help_text(command, words, directory))
        return 0
    if any(word.split("=")[0] in SWEEP_WORDS for word in words):
        if command not in SWEEPABLE:
            raise UserError(f"ganfill {command} does not sweep; {' and '.join(SWEEPABLE)} do")
        return import_module("ganfill.sweep").sweep(command, words)  # imports torch and Lightning
    words, directory = take_config_dir(words)
    print(load(command)(compose(command, *assign_paths(command, words), directory)))
    return 0


def assign_paths(command: str, words: list[str]) -> tuple[list[str], dict[str, str | list[str]]]:
    """Returns the words without existing paths and hf:// names, and the key that gets these as its value."""
    paths = [word for word in words if word.startswith("hf://") or (not word.startswith("-") and Path(word).exists())]
    if command == "info":  # also takes the name of a packaged model
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
