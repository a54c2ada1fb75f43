"""Where a figure comes from: command, commit, seed and machine, in the same row as the figure."""

import csv
import os
import platform
import shlex
import subprocess
import sys
from datetime import date
from pathlib import Path
from typing import Any

import torch

from ganfill.devices import choose_device, describe

RESULTS = ":!experiments/results"  # what these scripts write themselves is no change of what they measure


def provenance() -> dict[str, Any]:
    """Command, commit, date, machine, cores and versions of this run."""
    commit = subprocess.run(["git", "rev-parse", "--short=12", "HEAD"], capture_output=True, text=True).stdout.strip()
    changed = subprocess.run(
        ["git", "status", "--porcelain", "-uno", "--", ".", RESULTS], capture_output=True, text=True
    ).stdout.strip()
    script = os.path.relpath(sys.argv[0])
    return {
        "command": shlex.join(["python", script, *sys.argv[1:]]),
        "commit": commit + ("+changes" if changed else ""),
        "date": date.today().isoformat(),
        "machine": describe(choose_device()),
        "threads": torch.get_num_threads(),
        "python": platform.python_version(),
        "torch": torch.__version__,
    }


def append_row(path: Path, row: dict[str, Any]) -> None:
    """Adds ``row`` and its provenance to a CSV file; a file with other columns is begun anew."""
    row = row | provenance()
    path.parent.mkdir(parents=True, exist_ok=True)
    old: list[dict[str, Any]] = []
    if path.exists():
        with path.open(newline="") as file:
            old = [line for line in csv.DictReader(file) if set(line) == set(row)]
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(row))
        writer.writeheader()
        writer.writerows([*old, row])
