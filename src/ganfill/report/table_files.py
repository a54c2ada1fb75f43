"""Tables as CSV and Markdown files."""

import csv
import io
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ganfill.files import write_atomically

# Columns of a table that come after the figures.
LAST = ("answers", "model", "seed", "device", "machine", "threads", "torch", "cell")


Row = dict[str, Any]


def columns(rows: Sequence[Row]) -> list[str]:
    """The columns of rows that need not all have the same: in the order in which they first come, ``LAST`` last."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    return [name for name in names if name not in LAST] + [name for name in LAST if name in names]


def write_csv(path: Path, rows: Sequence[Row], names: Sequence[str] | None = None) -> None:
    """Writes a table as a whole, numbers with six significant digits; what a row has not, or is NaN, is an empty cell.

    Args:
        path: of the file.
        rows: of the table.
        names: of the columns to write; those of ``columns`` if not given.
    """
    file = io.StringIO(newline="")
    writer = csv.DictWriter(file, names or columns(rows), restval="", extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: _exact(value) for name, value in row.items()} for row in rows)
    write_atomically(path, file.getvalue())


def markdown(rows: Sequence[Mapping[str, Any]], shown: Sequence[str]) -> str:
    """A table for people, with intervals behind their means.

    Args:
        rows: of the table.
        shown: columns to show; ``X_low`` and ``X_high`` of a row, or its deviation ``X_sd``, are put behind ``X``.
    """
    lines = ["| " + " | ".join(shown) + " |", "|" + "---|" * len(shown)]
    lines += ["| " + " | ".join(_text(row, name) for name in shown) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def _exact(value: Any) -> Any:
    if not isinstance(value, float):
        return value
    return "" if math.isnan(value) else f"{value:.6g}"


def _text(row: Mapping[str, Any], name: str) -> str:
    shown, low, high, deviation = (_short(row.get(f"{name}{end}")) for end in ("", "_low", "_high", "_sd"))
    if deviation:
        return f"{shown} ± {deviation}"
    return f"{shown} ({low} to {high})" if low and high else shown


def _short(value: Any) -> str:
    """Three or four digits of a number; texts as they are; nothing for None and NaN."""
    if not isinstance(value, float):
        return "" if value is None else str(value).replace("|", "\\|")
    if math.isnan(value):
        return ""
    return f"{value:.2f}" if 1 <= abs(value) < 1000 else f"{value:.3g}"
