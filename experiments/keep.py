"""Keeps an evaluation's tables, a sweep's leaderboard, or a recipe's figures, in experiments/results, with their origin.

    python experiments/keep.py runs/rivals search_rivals
    python experiments/keep.py runs/architectures architectures
    python experiments/keep.py runs/cpu cpu

Copies ``table.csv`` to ``search_rivals.csv`` and ``paired.csv``, if there is one, to ``search_rivals_paired.csv``; of a
leaderboard ``leaderboard.csv`` to ``architectures.csv``, and times and samples to ``architectures_speed.csv`` and
``architectures_samples.png``. What the ``summary.json`` of the evaluation, or of each cell, tells, settings, commit,
versions and the digests of pictures and holes, goes to ``NAME.json``. Of a recipe, see ``prior.py``, all judgements of
generators go to ``cpu_generators.csv``, and the tables of completions to ``cpu_completions.csv``. Of feature networks the
names and digests are told, but not the places, which say nothing of them.
"""

import csv
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
    if (out / "generator").exists():
        _keep_recipe(out, name)
        return
    for file, end in FILES.items():
        if (out / file).exists():
            shutil.copyfile(out / file, RESULTS / f"{name}{end}")
    if (out / "leaderboard.csv").exists():
        cells = {path.parent.name: _summary(path, _floor(path.parent)) for path in sorted(out.glob("*/summary.json"))}
        content: Any = {"machine": describe(choose_device()), "cells": cells}
    else:
        content = _summary(out / "summary.json", _references(out))
    (RESULTS / f"{name}.json").write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", "utf-8")


def _keep_recipe(out: Path, name: str) -> None:
    """One row for each judgement of a generator, and for each search with each model."""
    judged = sorted(out.glob("generator/*/*/summary.json"))
    rows = []
    for path in judged:
        told = json.loads(path.read_text("utf-8"))
        figures, config = told["figures"], told["config"]
        numbers = {key: figure for key, figure in figures["generator"].items() if not isinstance(figure, str)}
        origin = {"model": path.parts[-3], "seed": config["seed"], "samples": config["samples"]}
        rows.append(origin | numbers | {"digest": figures["model"][:12], "commit": told["commit"][:12]})
    _write(RESULTS / f"{name}_generators.csv", rows)
    rows = []
    for path in (compared := sorted(out.glob("completions/*/table.csv"))):
        with path.open(newline="", encoding="utf-8") as file:
            rows += [row | {"digest": row["model"], "model": path.parts[-2]} for row in csv.DictReader(file)]
    _write(RESULTS / f"{name}_completions.csv", rows)
    content = {
        path.parent.name: _summary(path.with_name("summary.json"), _references(path.parent)) for path in compared
    }
    (RESULTS / f"{name}.json").write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", "utf-8")


def _write(path: Path, rows: list[dict[str, Any]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


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
