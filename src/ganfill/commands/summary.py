"""``summary.json``: the results, versions, configuration and duration of a command."""

import json
import platform
import subprocess
from importlib import metadata
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from ganfill.config import to_plain
from ganfill.errors import UserError
from ganfill.files import write_atomically
from ganfill.runs.reader import PARTS, read_mapping

GIT_SECONDS = 10  # on a slow network file system git may take minutes
PACKAGES = ("ganfill", "torch", "torchvision", "pytorch-lightning", "hydra-core", "numpy", "pillow")


def write_summary(
    out: Path, command: str, config: DictConfig, figures: dict[str, Any], seconds: float, name: str = "summary.json"
) -> Path:
    """Writes ``summary.json``, or a file of another ``name``, to the folder ``out`` and returns its path.

    Args:
        out: output folder of the command.
        command: name of the command.
        config: configuration of the command.
        figures: counts and measurements, plain values.
        seconds: duration.
        name: name of the file.
    """
    content = {
        "command": command,
        "figures": figures,
        "seconds": round(seconds, 3),
        "versions": versions(),
        "commit": commit(),
        "config": to_plain(config),
    }
    write_atomically(out / name, json.dumps(content, indent=2) + "\n")
    return out / name


def refuse_others(out: Path, command: str) -> None:
    """Checks that the folder ``out`` does not hold the results of another command.

    Raises:
        UserError: it holds the ``summary.json`` of another command or program, or a training of another kind.
    """
    owner = None
    if (out / "summary.json").exists():
        owner = (read_mapping(out / "summary.json", []) or {}).get("command", "another program")
    elif (out / "last.ckpt").exists() and (settings := read_mapping(out / "config.yaml", [])):  # not finished yet
        owner = next((f"train-{part}" for part in PARTS if part in settings), "train")
    if owner not in (None, command):
        raise UserError(f"out={out} holds the results of {owner}, not of {command}: choose another out")


def versions() -> dict[str, str]:
    """Returns the versions of Python and of the packages that influence results."""
    found = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def commit() -> str | None:
    """Returns the commit of the checkout that ganfill runs from, with ``+changes`` if files differ; None without one."""
    here = Path(__file__).parent

    def git(*words: str) -> str:
        command = ["git", "-C", here, *words]
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=GIT_SECONDS).stdout.strip()

    try:
        if not git("ls-files", "--error-unmatch", Path(__file__).name):
            return None
        return git("rev-parse", "HEAD") + ("+changes" if git("status", "--porcelain", "-uno") else "")
    except (OSError, subprocess.SubprocessError):
        return None
