"""Reads a training that was logged to wandb offline, with the reader of wandb.

    python experiments/benchmarks/wandb_offline.py RUN [FILE.json]

RUN is the out directory of a training with ``logger=wandb`` that was offline (without an account, or WANDB_MODE=offline).
Every part of it (a resumed training has several) is read by ``wandb leet inspect --json``. Printed, and written to
FILE.json, are for each part its id, group, exit code and number of configured values; for each key how many moments it has,
from which to which kimg; the files of pictures and tables that are there; and the artifacts.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

MEDIA = ("image-file", "table-file")


def parts(run: Path) -> list[Path]:
    """Returns the ``.wandb`` files of a training's parts, oldest first."""
    return sorted(run.glob("wandb/offline-run-*/run-*.wandb"))


def records(part: Path) -> list[dict[str, Any]]:
    """Reads all records of a part, each with its ``type`` and, under that name, its content."""
    command = [sys.executable, "-m", "wandb", "leet", "inspect", "--json", str(part)]
    environment = os.environ | {"WANDB_MODE": "offline", "WANDB_ERROR_REPORTING": "false"}  # no network access
    output = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout
    return [json.loads(line) for line in output.splitlines()]


def history(found: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Returns the rows of a run's history; pictures and tables are dictionaries with ``_type`` and ``path``."""
    rows = []
    for record in _of("history", found):
        row: dict[str, Any] = {}
        for name, value in record["item"].items():
            outer, dot, inner = name.partition(".")
            if dot:
                row.setdefault(outer, {})[inner] = value
            else:
                row[name] = value
        rows.append(row)
    return rows


def outline(part: Path) -> dict[str, Any]:
    """Summarizes what a dashboard shows of a part."""
    found = records(part)
    (run,), rows = _of("run", found), history(found)
    keys: dict[str, list[float]] = {}
    media: dict[str, int] = {}
    for row in rows:
        for name, value in row.items():
            if "/" not in name:
                continue
            keys.setdefault(name, []).append(row["kimg"])
            if isinstance(value, dict) and value["_type"] in MEDIA:
                media[name] = media.get(name, 0) + (part.parent / "files" / value["path"]).is_file()
    return {
        "part": part.parent.name,
        "id": run["run_id"],
        "project": run["project"],
        "group": run.get("run_group"),
        "exit_code": exit_code(found),
        "configured": len(config(found)),
        "steps": [row["_step"] for row in rows[:: max(len(rows) - 1, 1)]],
        "keys": {name: {"moments": len(kimg), "kimg": [kimg[0], kimg[-1]]} for name, kimg in sorted(keys.items())},
        "files": media,
        "artifacts": [
            {"name": item["name"], "type": item["type"], "metadata": sorted(json.loads(item.get("metadata") or "{}"))}
            for item in artifacts(found)
        ],
    }


def config(found: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """Returns the logged configuration."""
    values: dict[str, Any] = {}
    for record in _of("config", found):
        values |= record["update"]
    return values


def exit_code(found: Iterable[dict[str, Any]]) -> int | None:
    """Returns 0 for a finished training, 1 for a failed, 255 for an interrupted, None for a killed one."""
    return next((record["exit_code"] for record in _of("exit", found)), None)


def artifacts(found: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Returns the logged artifacts."""
    return _of("artifact", found)


def _of(kind: str, found: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    return [record[kind] for record in found if record["type"] == kind]


def main() -> None:
    """Prints the summary, and writes it with its provenance."""
    from provenance import provenance  # beside this file, which tests import from elsewhere

    if not 2 <= len(sys.argv) <= 3:
        sys.exit(__doc__)
    found = {"parts": [outline(part) for part in parts(Path(sys.argv[1]))]} | provenance()
    text = json.dumps(found, indent=1) + "\n"
    print(text)
    if len(sys.argv) == 3:
        Path(sys.argv[2]).write_text(text)


if __name__ == "__main__":
    main()
