"""Keeps an evaluation's tables in experiments/results, with where they come from.

    python experiments/keep.py runs/rivals search_rivals

Copies ``table.csv`` to ``search_rivals.csv`` and ``paired.csv``, if there is one, to ``search_rivals_paired.csv``. What
``summary.json`` tells, settings, commit, versions and the digests of pictures and holes, goes to ``search_rivals.json``, but
for the places of feature networks, which say nothing of them: their names and digests stay.
"""

import json
import shutil
import sys
from pathlib import Path

RESULTS = Path("experiments/results")


def main() -> None:
    """Keeps the evaluation and under the name that the command line gives."""
    out, name = Path(sys.argv[1]), sys.argv[2]
    for file, end in (("table.csv", ".csv"), ("paired.csv", "_paired.csv")):
        if (out / file).exists():
            shutil.copyfile(out / file, RESULTS / f"{name}{end}")
    summary = json.loads((out / "summary.json").read_text("utf-8"))
    words = summary["config"]["features"] or []
    words = words.split(",") if isinstance(words, str) else words
    digests = {cell["name"]: cell["network"] for cell in _distances(out)}
    summary["config"]["features"] = {
        word.split("=")[0]: digests.get(word.split("=")[0], "unknown digest") for word in words
    }
    (RESULTS / f"{name}.json").write_text(json.dumps(summary, indent=1, ensure_ascii=False) + "\n", "utf-8")


def _distances(out: Path) -> list[dict[str, str]]:
    """Name and digest of the network of every reference that was kept."""
    found = []
    for path in sorted((out / "cells").glob("reference-*.json")):
        depends = json.loads(path.read_text("utf-8"))["depends"]
        found.append({"name": path.stem.split("-")[1], "network": str(depends.get("network"))})
    return found


if __name__ == "__main__":
    main()
