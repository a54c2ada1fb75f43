"""Keeps an evaluation's tables, or a sweep's leaderboard, in experiments/results, with where they come from.

    python experiments/keep.py runs/rivals search_rivals
    python experiments/keep.py runs/architectures architectures

Copies ``table.csv`` to ``search_rivals.csv`` and ``paired.csv``, if there is one, to ``search_rivals_paired.csv``; of a
leaderboard ``leaderboard.csv`` to ``architectures.csv``, and times and samples to ``architectures_speed.csv`` and
``architectures_samples.png``. What the ``summary.json`` of the evaluation, or of each cell, tells, settings, commit,
versions and the digests of pictures and holes, goes to ``NAME.json``, but for the places of feature networks, which say
nothing of them: their names and digests stay.
"""

import json
import shutil
import sys
from pathlib import Path
from typing import Any

from ganfill.devices import choose_device, describe

RESULTS = Path("experiments/results")
FILES = {
    "table.csv": ".csv",
    "paired.csv": "_paired.csv",
    "leaderboard.csv": ".csv",
    "leaderboard_speed.csv": "_speed.csv",
    "leaderboard_samples.png": "_samples.png",
}


def main() -> None:
    """Keeps the evaluation or the leaderboard under the name that the command line gives."""
    out, name = Path(sys.argv[1]), sys.argv[2]
    for file, end in FILES.items():
        if (out / file).exists():
            shutil.copyfile(out / file, RESULTS / f"{name}{end}")
    if (out / "leaderboard.csv").exists():
        cells = {path.parent.name: _summary(path, _floor(path.parent)) for path in sorted(out.glob("*/summary.json"))}
        content: Any = {"machine": describe(choose_device()), "cells": cells}
    else:
        content = _summary(out / "summary.json", _references(out))
    (RESULTS / f"{name}.json").write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", "utf-8")


def _summary(path: Path, digests: dict[str, str]) -> dict[str, Any]:
    """A summary whose feature networks are told by their digests."""
    summary = json.loads(path.read_text("utf-8"))
    words = summary["config"]["features"] or []
    words = words.split(",") if isinstance(words, str) else words
    names = [word.split("=")[0] for word in words]
    summary["config"]["features"] = {name: digests.get(name, "unknown digest") for name in names}
    summary["config"].pop("out")
    return summary


def _references(out: Path) -> dict[str, str]:
    """Digests of the networks of an evaluation's references."""
    paths = sorted((out / "cells").glob("reference-*.json"))
    found = {path.stem.split("-")[1]: json.loads(path.read_text("utf-8"))["depends"] for path in paths}
    return {name: str(depends.get("network")) for name, depends in found.items()}


def _floor(run: Path) -> dict[str, str]:
    """Digests of the networks that a training was measured by."""
    path = run / "distances_floor.json"
    return json.loads(path.read_text("utf-8"))["networks"] if path.exists() else {}


if __name__ == "__main__":
    main()
