"""Tables as CSV and Markdown files."""

import csv
import io
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ganfill.files import write_atomically
from ganfill.report.table_format import TableCell, format_column

LAST = ("answers", "model", "seed", "device", "machine", "threads", "torch", "cell")  # columns that follow all others

Row = dict[str, Any]


def columns(rows: Sequence[Row]) -> list[str]:
    """Returns the union of the rows' columns in order of first appearance, those of ``LAST`` at the end."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    return [name for name in names if name not in LAST] + [name for name in LAST if name in names]


def write_csv(path: Path, rows: Sequence[Row], names: Sequence[str] | None = None) -> None:
    """Writes a table, numbers with six significant digits; missing values and NaN are empty cells.

    Args:
        path: of the file.
        rows: of the table.
        names: of the columns to write; default: ``columns(rows)``.
    """
    file = io.StringIO(newline="")
    writer = csv.DictWriter(file, names or columns(rows), restval="", extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: _exact(value) for name, value in row.items()} for row in rows)
    write_atomically(path, file.getvalue())


def markdown(rows: Sequence[Mapping[str, Any]], names: Sequence[str]) -> str:
    """Formats a table as on a page, with intervals and deviations behind their means.

    Args:
        rows: of the table.
        names: of the columns to show.
    """
    columns = [format_column(name, rows) for name in names]
    lines = [" | ".join(names), "---|" * len(names)]
    lines += [" | ".join(map(_text, cells)) for cells in zip(*columns, strict=True)]
    header, rule, *body = lines
    return "\n".join([f"| {header} |", f"|{rule}", *(f"| {line} |" for line in body)]) + "\n"


def _exact(value: Any) -> Any:
    if not isinstance(value, float):
        return value
    return "" if math.isnan(value) else f"{value:.6g}"


def _text(cell: TableCell) -> str:
    interval = cell.interval if cell.interval.startswith("±") else f"({cell.interval})"
    return cell.text.replace("|", "\\|") + (f" {interval}" if cell.interval else "")
