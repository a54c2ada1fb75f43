"""Scripts that complete commands, keys and options in a shell: ``ganfill completion bash``."""

from collections.abc import Mapping, Sequence
from shlex import quote

from ganfill.config import keys
from ganfill.config_files import commands, default_options, options, read_comments
from ganfill.errors import UserError

BASH = """\
# Completion of ganfill for bash. Load it with: source <(ganfill completion bash)
_ganfill() {{
  local line=${{COMP_LINE:0:COMP_POINT}} known
  local current=${{line##* }}
  case ${{COMP_WORDS[1]}} in
{cases}
  esac
  if (( COMP_CWORD == 1 )); then known={commands}; fi
  COMPREPLY=($(compgen -W "$known" -- "$current") $(compgen -f -- "${{current##*=}}"))
  if [[ $current == *=* ]]; then COMPREPLY=("${{COMPREPLY[@]#"${{current%%=*}}="}}"); fi  # bash replaces what follows =
}}
complete -o nospace -o filenames -F _ganfill ganfill
"""
ZSH = """\
#compdef ganfill
# Completion of ganfill for zsh. Load it with: source <(ganfill completion zsh)
_ganfill() {{
  local known
  case $words[2] in
{cases}
  esac
  if (( CURRENT == 2 )); then known={commands}; fi
  compadd -S '' -- ${{=known}}
  compset -P '*='
  _files
}}
compdef _ganfill ganfill
"""
FISH = """\
# Completion of ganfill for fish. Load it with: ganfill completion fish | source
{lines}
"""


def script(shell: str) -> str:
    """Returns the script for ``bash``, ``zsh`` or ``fish``.

    Raises:
        UserError: the shell is another one.
    """
    known = {command: _words(command) for command in commands()}
    if shell == "fish":
        return FISH.format(lines="\n".join(_fish_lines(known)))
    if shell not in ("bash", "zsh"):
        raise UserError(f"ganfill completion {shell}".rstrip() + ": give bash, zsh or fish")
    cases = "\n".join(f"    {command}) known={quote(' '.join(words))} ;;" for command, words in known.items())
    return {"bash": BASH, "zsh": ZSH}[shell].format(cases=cases, commands=quote(" ".join(known)))


def _words(command: str) -> list[str]:
    """Returns the keys of a command, each with =, and the options of its groups."""
    groups = default_options(command)
    chosen = [f"{group}={option}" for group in groups for option in options(group)]
    return [*(f"{key}=" for key in keys(command)), *chosen]


def _fish_lines(known: Mapping[str, Sequence[str]]) -> list[str]:
    lines = [
        f"complete -c ganfill -n __fish_use_subcommand -f -a {command} -d {quote(read_comments(command)[0][0])}"
        for command in known
    ]
    return lines + [
        f"complete -c ganfill -n '__fish_seen_subcommand_from {command}' -a {quote(' '.join(words))}"
        for command, words in known.items()
    ]
