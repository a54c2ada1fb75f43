"""Provenance of a measurement: command, commit, date and machine, in the row of the measurement."""

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

RESULTS = ":!experiments/results"  # output of these scripts, not of the code they measure


def provenance() -> dict[str, Any]:
    """Returns command, commit, date, machine, threads and versions of this run."""
    commit = subprocess.run(["git", "rev-parse", "--short=12", "HEAD"], capture_output=True, text=True).stdout.strip()
    changed = subprocess.run(
        ["git", "status", "--porcelain", "-uno", "--", ".", RESULTS], capture_output=True, text=True
    ).stdout.strip()
    spec = sys.modules["__main__"].__spec__
    script = ["-m", spec.name] if spec else [os.path.relpath(sys.argv[0])]
    return {
        "command": shlex.join(["python", *script, *sys.argv[1:]]),
        "commit": commit + ("+changes" if changed else ""),
        "date": date.today().isoformat(),
        "machine": describe(choose_device()),
        "threads": torch.get_num_threads(),
        "python": platform.python_version(),
        "torch": torch.__version__,
    }


def append_row(path: Path, row: dict[str, Any]) -> None:
    """Appends ``row`` and its provenance to a CSV file; rows with other columns are dropped."""
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
