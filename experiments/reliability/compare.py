"""Compares the results of two runs of a command, bit for bit, without the times that they contain."""

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from ganfill.completion.result_folder import JSONL

VARYING = ("seconds", "seconds_single", "images_per_second", "commit")  # times, and the checkout that ran the command
LAST_CALL = ("summary.json", "report.html", "table.md")  # describe the last call of a command, or hold formatted times


def differences(found: Path, expected: Path) -> list[str]:
    """Returns a line for each file that is missing, left over or different."""
    left, right = dict(contents(found)), dict(contents(expected))
    lines = [f"{name} is missing" for name in sorted(right.keys() - left.keys())]
    lines += [f"{name} is left over" for name in sorted(left.keys() - right.keys())]
    return lines + [f"{name} differs" for name in sorted(left.keys() & right.keys()) if left[name] != right[name]]


def contents(directory: Path) -> Iterator[tuple[str, Any]]:
    """Yields names and comparable contents of the files below a directory; locks are left out."""
    for path in sorted(directory.rglob("*")):
        if path.is_file() and not path.name.endswith(".lock"):  # .lock alone has no suffix
            yield path.relative_to(directory).as_posix(), _content(path)


def _content(path: Path) -> Any:
    if path.name in LAST_CALL:
        return None
    if path.suffix == ".csv":
        rows = list(csv.DictReader(io.StringIO(path.read_text("utf-8"))))
        return [{name: value for name, value in row.items() if name not in VARYING} for row in rows]
    if path.suffix == ".ckpt":
        return list(_leaves(torch.load(path, map_location="cpu", weights_only=True)))
    data = path.read_bytes()
    if path.suffix == JSONL:  # the order of its lines differs; results.json is made from it
        return None
    return list(_leaves(json.loads(data))) if path.suffix == ".json" else data


def _leaves(node: Any, key: str = "") -> Iterator[tuple[str, Any]]:
    """Yields keys and values of nested containers without ``VARYING`` keys; tensors become bytes."""
    if isinstance(node, dict):
        for name, value in node.items():
            if name not in VARYING:
                yield from _leaves(value, f"{key}/{name}")
    elif isinstance(node, list | tuple):
        for number, value in enumerate(node):
            yield from _leaves(value, f"{key}/{number}")
    elif isinstance(node, torch.Tensor):
        yield key, (node.dtype, node.shape, node.contiguous().flatten().view(torch.uint8).numpy().tobytes())
    else:
        yield key, node
