"""Numbers and headings as people read them: units, decimals, intervals, which direction is better, best values."""

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

ABSENT = "–"
NAMES = {"psnr": "PSNR", "ssim": "SSIM", "l1": "L1", "lpips": "LPIPS", "fid": "FID", "kid": "KID", "seconds": "time"}
HIGHER = {"psnr", "ssim", "precision", "recall", "correlation"}
LOWER = {"l1", "seam", "lpips", "fid", "kid", "fd", "kd", "l2"}


@dataclass(frozen=True)
class Heading:
    """Heading of a column: its name, label and unit, and 1 if higher is better, -1 if lower is, 0 if neither."""

    column: str
    label: str
    unit: str
    better: int


@dataclass(frozen=True)
class TableCell:
    """Text and interval of a table's cell, its value for sorting, and whether it is the best of its group."""

    text: str
    interval: str = ""
    order: float | None = None
    best: bool = False


def heading(column: str) -> Heading:
    """Returns the heading of a column, such as "PSNR" in dB for ``psnr`` or "FD-face" for ``fd_face``.

    Floors, and the time of the best value (``fd_face_best_at``), have no better direction.
    """
    words = set(column.split("_"))
    better = 0 if {"floor", "at"} & words else 1 if words & HIGHER else -1 if words & LOWER else 0
    distance = re.fullmatch(r"(.+_)?(fd|kd|l2)_(.+?)(_floor|_last|_best|_best_at)?", column)
    if distance:
        before, kind, network, after = distance.groups(default="")
        label = f"{_spaced(before)} {kind.upper()}-{network} {_spaced(after)}".strip()
    else:
        label = _spaced(column)
    unit = "dB" if "psnr" in words else "kimg" if column.endswith("_best_at") else ""
    return Heading(column, label, unit, better)


def number(value: object) -> float | None:
    """Converts a finite number to float; returns None for bools, texts, NaN and missing values."""
    if isinstance(value, bool) or not hasattr(value, "__float__"):
        return None
    converted = float(value)  # pyright: ignore[reportArgumentType]
    return converted if math.isfinite(converted) else None


def main_columns(columns: Sequence[str]) -> list[str]:
    """Drops columns that are shown as the interval of another: ``psnr_low`` and ``psnr_high``, or ``psnr_sd``."""
    intervals = {f"{name}_sd" for name in columns}
    for name in columns:
        bounds = {f"{name}_low", f"{name}_high"}
        intervals |= bounds if bounds <= set(columns) else set()
    return [name for name in columns if name not in intervals]


def format_column(
    column: str, rows: Sequence[Mapping[str, object]], groups: Sequence[object] | None = None
) -> list[TableCell]:
    """Formats the cells of a column.

    Args:
        column: its name; a row may lack it.
        rows: of the table, with ``COLUMN_low`` and ``COLUMN_high`` if there is an interval, or ``COLUMN_sd``.
        groups: for each row, the group within which the best value is marked; None marks none.
    """
    values = [number(row.get(column)) for row in rows]
    groups = groups or [None] * len(rows)
    places = decimals(value for value in values if value is not None)
    write = plain_time if "seconds" in column.split("_") else partial(digits, places=places)
    best = {group: write(value) for group, value in _best(values, groups, heading(column).better).items()}
    cells = []
    for row, value, group in zip(rows, values, groups, strict=True):
        if value is None:
            cells.append(TableCell(_words(row.get(column))))
            continue
        low, high, deviation = (number(row.get(f"{column}_{suffix}")) for suffix in ("low", "high", "sd"))
        interval = "" if deviation is None else f"± {digits(deviation, None)}"
        interval = interval if low is None or high is None else f"{write(low)} to {write(high)}"
        cells.append(TableCell(write(value), interval, value, group in best and write(value) == best[group]))
    return cells


def decimals(values: Iterable[float]) -> int | None:
    """Returns the decimal places for a whole column; None if it spans too many magnitudes for one choice."""
    sizes = [abs(float(value)) for value in values if value]
    if all(size.is_integer() for size in sizes):
        return 0
    magnitude = math.floor(math.log10(max(sizes)))
    if max(sizes) >= 1000 * min(sizes) or magnitude < -4:
        return None
    places = max(0, (3 if magnitude >= 0 else 2) - magnitude)
    while places and all(round(size, places) == round(size, places - 1) for size in sizes):
        places -= 1
    return places


def digits(value: float, places: int | None) -> str:
    """Formats a value with ``places`` decimals; None: with three significant digits and no exponent."""
    if places is None:
        places = min(12, max(0, 2 - math.floor(math.log10(abs(value))))) if value else 0
    return f"{value:,.{places}f}".replace("-", "−")


def plain_time(seconds: float) -> str:
    """Formats a time in a suitable unit with up to three significant digits: "20 ms", "1.5 s", "2,000 s"."""
    for size, unit in ((1e-6, "µs"), (1e-3, "ms")):
        if 0 < seconds < 999.5 * size:
            return f"{float(f'{seconds / size:.3g}'):g} {unit}"
    return f"{float(f'{seconds:.3g}'):,.10g} s"


def duration(seconds: float) -> str:
    """Formats a time as "20 s", "2 min 30 s" or "2 h 5 min"; times below a minute as ``plain_time``."""
    minutes, rest = divmod(round(seconds), 60)
    if seconds < 60:
        return plain_time(seconds)
    if minutes < 60:
        return f"{minutes} min" + (f" {rest} s" if rest else "")
    hours, rest = divmod(round(seconds / 60), 60)
    return f"{hours:,} h" + (f" {rest} min" if rest else "")


def _spaced(column: str) -> str:
    return " ".join(NAMES.get(word, word) for word in column.split("_") if word)


def _words(value: object) -> str:
    missing = value is None or value == "" or (isinstance(value, float) and math.isnan(value))
    return ABSENT if missing else str(value)


def _best(values: Sequence[float | None], groups: Sequence[object], better: int) -> dict[object, float]:
    """Returns the best value of each group that has at least two different values."""
    best: dict[object, float] = {}
    for group in set(groups) - {None} if better else ():
        members = {value for value, other in zip(values, groups, strict=True) if other == group and value is not None}
        if len(members) > 1:
            best[group] = max(members, key=lambda value: better * value)
    return best
