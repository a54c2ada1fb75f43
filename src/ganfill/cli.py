"""The command line, ``ganfill <command> key=value ...``."""

import logging
import sys
from glob import glob
from importlib import import_module
from pathlib import Path

from ganfill import interrupts
from ganfill.commands import load
from ganfill.config import as_yaml, compose, suggest
from ganfill.config_files import commands, default_options, options
from ganfill.config_help import help_text, overview
from ganfill.errors import Incomplete, UserError, explain, printable
from ganfill.overrides import CONFIG_DIR, LISTS, quote_texts, split_options, take_config_dir, take_display
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
SWEEPABLE = ("train", "evaluate", "complete")
SWEEP_WORDS = ("-m", "--multirun", "-cn", "--config-name", "-cp", "--config-path")


def main() -> None:
    """Runs the command line and exits: 0 done, 1 some inputs failed, 2 a mistake of the user, 130 or 143 interrupted."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Printable("%(message)s"))
    logging.basicConfig(level=logging.WARNING, handlers=[handler])
    sys.exit(run(sys.argv[1:]))


class _Printable(logging.Formatter):
    """Escapes control characters, since messages name files and quote their texts."""

    def format(self, record: logging.LogRecord) -> str:
        return printable(super().format(record))


def run(words: list[str]) -> int:
    """Runs ``words``, prints the outcome, and returns the exit code."""
    try:
        with interrupts.not_swallowed():
            return _dispatch(words)
    except (UserError, Incomplete) as error:
        print(f"ganfill: {printable(error)}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt as interrupt:
        message, code = interrupts.explain(interrupt)
        print(f"ganfill: {message}", file=sys.stderr)
        return code
    except BrokenPipeError:
        return 141
    except OSError as error:  # such as a full disk; without a number it is an error of a library
        if error.errno is None:
            raise
        print(f"ganfill: {explain(error)}", file=sys.stderr)
        return 2


def _dispatch(words: list[str]) -> int:
    if not words or words[0] in ("-h", "--help", "help"):
        print(overview())
        return 0
    if words[0] == "completion":
        print(import_module("ganfill.shell_completion").script(" ".join(words[1:])), end="")
        return 0
    if words[0] in ("--version", "version"):
        print(f"ganfill {__version__}")
        return 0
    command, words = words[0], words[1:]
    if command not in commands():
        raise UserError(f"there is no command {command}: {suggest(command, commands())}")
    words = name_data(command, words)
    if help_words := {"-h", "--help"} & set(words):
        words, directory = take_config_dir([word for word in words if word not in help_words])
        print(help_text(command, words, directory))
        return 0
    words, shown = take_display(words)
    if "--info" in shown:
        import_module("ganfill.hydra_application").show_info(command, words, shown["--info"])
        return 0
    if command in SWEEPABLE and any(word.split("=")[0] in SWEEP_WORDS for word in words):
        for word in words:
            if word.startswith("-") and word.split("=")[0] not in (*SWEEP_WORDS, *CONFIG_DIR):
                raise _unknown_option(command, word)
        options_given, settings = split_options(words)
        settings, paths = assign_paths(command, settings)
        words = [*options_given, *settings, *(quote_texts(key, value) for key, value in paths.items())]
        sweep = import_module("ganfill.sweep")  # imports torch and Lightning
        interrupts.raise_interrupt()
        if shown:
            print(import_module("ganfill.sweep_plan").describe_plan(command, words, shown))
            return 0
        return sweep.sweep(command, words)
    words, directory = take_config_dir(words)
    try:
        config = compose(command, *assign_paths(command, words), directory)
        if shown:
            print(as_yaml(config, resolve="--resolve" in shown), end="")
            return 0
        run_command = load(command)
        interrupts.raise_interrupt()
        print(printable(run_command(config)))
    except UserError as error:
        raise _about_sweeps(command, words, error) from None
    return 0


def name_data(command: str, words: list[str]) -> list[str]:
    """Returns words in which ``data=PATH`` is the option that reads the path, and ``data.path=PATH``."""
    named = []
    for word in words:
        key, _, value = word.partition("=")
        known = key == "data" in default_options(command) and not set(value.split(",")) & set(options(key))
        if known and ("/" in value or Path(value).exists()):
            store = Path(value, "index.json").is_file()
            named += [f"data={'ffhq' if store else 'folder'}", f"data.path={value}"]
        else:
            named.append(word)
    return named


def assign_paths(command: str, words: list[str]) -> tuple[list[str], dict[str, str | list[str]]]:
    """Returns the words without existing paths and hf:// names, and the key that gets these as its value.

    Raises:
        UserError: a word is neither a setting nor an existing path.
    """
    paths, others = list[str](), list[str]()
    for word in words:
        found = _paths(command, word)
        paths += found
        others += [] if found else [word]
    for word in others:
        if word.startswith("-"):
            raise _unknown_option(command, word)
        if "=" not in word and not word.startswith("~"):
            raise UserError(_explain_word(command, word))
    if not paths:
        return others, {}
    if len(paths) > 1 and PATH_KEYS[command] not in LISTS:
        raise UserError(f"{' '.join(paths)}: ganfill {command} takes one path; write out=... for the result")
    return others, {PATH_KEYS[command]: paths if len(paths) > 1 else paths[0]}


def _unknown_option(command: str, word: str) -> UserError:
    sweeps = f" ({', '.join(SWEEPABLE)} sweep with it)" if word in SWEEP_WORDS else ""
    return UserError(
        f"{word} is not an option of ganfill {command}{sweeps}: settings are written key=value, see ganfill {command} --help"
    )


def _paths(command: str, word: str) -> list[str]:
    """Returns the paths that a word names, separated by commas; none if the command takes no path without a key."""
    if command not in PATH_KEYS or word.startswith("-"):
        return []
    if Path(word).exists() or (command == "info" and "=" not in word):  # info takes the name of a packaged model too
        return [word]
    parts = word.split(",") if PATH_KEYS[command] in LISTS else [word]
    return parts if all(part.startswith("hf://") or (part and Path(part).exists()) for part in parts) else []


def _explain_word(command: str, word: str) -> str:
    """Returns the message about a word that is neither a setting nor a path that the command takes without a key."""
    settings = f"settings are written key=value, see ganfill {command} --help"
    if Path(word).exists():
        key = "data" if "data" in default_options(command) else None
        return f"{word}: {f'write {key}={word}' if key else settings}"
    if command not in PATH_KEYS:
        return f"{word} is not key=value: {settings}"
    if matches := len(glob(word)):  # noqa: PTH207  # Path.glob refuses absolute patterns
        return f"{word}: no file has this name; without quotes, the shell inserts the {matches} files that match"
    missing = [part for part in word.split(",") if not Path(part).exists()]
    return f"{','.join(missing)}: no such file or folder; {settings}"


def _about_sweeps(command: str, words: list[str], error: UserError) -> UserError:
    """Returns the error, or one about the missing ``-m`` if a value with commas has caused it."""
    for word in words:
        key, _, value = word.partition("=")
        refused = word in str(error) or (str(error).startswith(f"{key} must be") and str(error).endswith(value))
        is_list = key in ("out", "box", "landmarks", "expand", *LISTS) or (command, key) == ("evaluate", "search")
        if command in SWEEPABLE and "," in value and not is_list and refused:
            return UserError(f"{word} is not one value: add -m to run ganfill {command} for each of them")
    return error
