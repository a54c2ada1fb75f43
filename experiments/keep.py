"""Copies tables of an evaluation, a sweep or a recipe to experiments/results, with their provenance.

    python experiments/keep.py runs/rivals search_rivals
    python experiments/keep.py runs/architectures architectures
    python experiments/keep.py runs/cpu cpu

An evaluation: ``table.csv`` becomes ``search_rivals.csv``, and ``paired.csv``, if there is one,
``search_rivals_paired.csv``. A leaderboard: ``leaderboard.csv`` becomes ``architectures.csv``; times and samples become
``architectures_speed.csv`` and ``architectures_samples.png``. A recipe (see ``prior.py``): evaluations of generators are
collected in ``cpu_generators.csv``, tables of completions, if there are any, in ``cpu_completions.csv``. Settings, commit,
versions and digests from the ``summary.json`` of the evaluation, or of each run, go to ``NAME.json``. Feature networks are
identified by name and digest, not by path.
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
    """Copies the evaluation or the leaderboard under the name given on the command line."""
    out, name = Path(sys.argv[1]), sys.argv[2]
    if (out / "generator").exists():
        _keep_recipe(out, name)
        return
    for file, end in FILES.items():
        if (out / file).exists():
            shutil.copyfile(out / file, RESULTS / f"{name}{end}")
    if (out / "leaderboard.csv").exists():
        runs = {path.parent.name: _summary(path, _floor(path.parent)) for path in sorted(out.glob("*/summary.json"))}
        content: Any = {"machine": describe(choose_device()), "cells": runs}
    else:
        content = _summary(out / "summary.json", _references(out))
    (RESULTS / f"{name}.json").write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", "utf-8")


def _keep_recipe(out: Path, name: str) -> None:
    """Writes a row for each evaluation of a generator, and for each search with each model."""
    evaluated = sorted(out.glob("generator/*/*/summary.json"))
    rows = []
    for path in evaluated:
        summary = json.loads(path.read_text("utf-8"))
        figures, config = summary["figures"], summary["config"]
        numbers = {key: figure for key, figure in figures["generator"].items() if not isinstance(figure, str)}
        origin = {"model": path.parts[-3], "seed": config["seed"], "samples": config["samples"]}
        rows.append(origin | numbers | {"digest": figures["model"][:12], "commit": summary["commit"][:12]})
    _write(RESULTS / f"{name}_generators.csv", rows)
    if not (compared := sorted(out.glob("completions/*/table.csv"))):
        return
    rows = []
    for path in compared:
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
    """Reads a summary and identifies feature networks by digest."""
    summary = json.loads(path.read_text("utf-8"))
    words = summary["config"]["features"] or []
    words = words.split(",") if isinstance(words, str) else words
    names = [word.split("=")[0] for word in words]
    summary["config"]["features"] = {name: digests.get(name, "unknown digest") for name in names}
    summary["config"].pop("out")
    return summary


def _references(out: Path) -> dict[str, str]:
    """Reads the digests of the networks of an evaluation."""
    paths = sorted((out / "cells").glob("original-*.json"))
    inputs = {path.stem.split("-")[1]: json.loads(path.read_text("utf-8"))["depends"] for path in paths}
    return {name: str(depends.get("network")) for name, depends in inputs.items()}


def _floor(run: Path) -> dict[str, str]:
    """Reads the digests of the networks that measured a training."""
    path = run / "distances_floor.json"
    return json.loads(path.read_text("utf-8"))["networks"] if path.exists() else {}


if __name__ == "__main__":
    main()
