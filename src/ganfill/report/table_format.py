"""How a table of measurements is worded for people: headings, numbers, intervals, which way is better, which is best."""

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

ABSENT = "–"
NAMES = {"psnr": "PSNR", "ssim": "SSIM", "l1": "L1", "lpips": "LPIPS", "fid": "FID", "kid": "KID", "seconds": "time"}
HIGHER = {"psnr", "ssim", "precision", "recall", "correlation"}
LOWER = {"l1", "seam", "lpips", "fid", "kid", "fd", "kd"}


@dataclass(frozen=True)
class Heading:
    """A column's head: its name, what stands there, its unit or "", and 1 (more is better), -1 (less is) or 0 (neither)."""

    column: str
    label: str
    unit: str
    better: int


@dataclass(frozen=True)
class TableCell:
    """What is shown in a table's cell, its interval or "", by what it is sorted, and whether it is its group's best."""

    text: str
    interval: str = ""
    order: float | None = None
    best: bool = False


def heading(column: str) -> Heading:
    """The head of a column, such as "PSNR" in dB for ``psnr`` or "FD-face" for ``fd_face``.

    Floors, and when the best was reached (``fd_face_best_at``), are no contest.
    """
    words = set(column.split("_"))
    better = 0 if {"floor", "at"} & words else 1 if words & HIGHER else -1 if words & LOWER else 0
    distance = re.fullmatch(r"(.+_)?(fd|kd)_(.+?)(_floor|_last|_best|_best_at)?", column)
    if distance:
        before, kind, network, after = distance.groups(default="")
        label = f"{_spaced(before)} {kind.upper()}-{network} {_spaced(after)}".strip()
    else:
        label = _spaced(column)
    unit = "dB" if "psnr" in words else "kimg" if column.endswith("_best_at") else ""
    return Heading(column, label, unit, better)


def number(value: object) -> float | None:
    """The value as a float if it is a finite number, else None: bools, texts, NaN and what is missing are none."""
    if isinstance(value, bool) or not hasattr(value, "__float__"):
        return None
    converted = float(value)  # pyright: ignore[reportArgumentType]
    return converted if math.isfinite(converted) else None


def shown(columns: Sequence[str]) -> list[str]:
    """The columns that get a place of their own: ``psnr_low`` and ``psnr_high``, or ``psnr_sd``, stand beneath ``psnr``."""
    small = {f"{name}_sd" for name in columns}
    for name in columns:
        ends = {f"{name}_low", f"{name}_high"}
        small |= ends if ends <= set(columns) else set()
    return [name for name in columns if name not in small]


def cells(column: str, rows: Sequence[Mapping[str, object]], groups: Sequence[object]) -> list[TableCell]:
    """A column's cells, row by row.

    Args:
        column: its name; a row may lack it.
        rows: of the table, with ``COLUMN_low`` and ``COLUMN_high`` if there is an interval, or ``COLUMN_sd``.
        groups: for each row, whom it competes with for the best value; None for no one.
    """
    values = [number(row.get(column)) for row in rows]
    places = decimals(value for value in values if value is not None)
    write = plain_time if "seconds" in column.split("_") else partial(digits, places=places)
    best = {group: write(value) for group, value in _best(values, groups, heading(column).better).items()}
    made = []
    for row, value, group in zip(rows, values, groups, strict=True):
        if value is None:
            made.append(TableCell(_words(row.get(column))))
            continue
        low, high, deviation = (number(row.get(f"{column}_{end}")) for end in ("low", "high", "sd"))
        interval = "" if deviation is None else f"± {digits(deviation, None)}"
        interval = interval if low is None or high is None else f"{write(low)} to {write(high)}"
        made.append(TableCell(write(value), interval, value, group in best and write(value) == best[group]))
    return made


def decimals(values: Iterable[float]) -> int | None:
    """Decimal places that suit a whole column; None where it spans so much that each value needs its own."""
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
    """The value with so many decimal places, or where None with three significant digits and no exponent."""
    if places is None:
        places = min(12, max(0, 2 - math.floor(math.log10(abs(value))))) if value else 0
    return f"{value:,.{places}f}".replace("-", "−")


def plain_time(seconds: float) -> str:
    """A time in the unit that suits it, with three significant digits at most: "20 ms", "1.5 s", "2,000 s"."""
    for size, unit in ((1e-6, "µs"), (1e-3, "ms")):
        if 0 < seconds < 999.5 * size:
            return f"{float(f'{seconds / size:.3g}'):g} {unit}"
    return f"{float(f'{seconds:.3g}'):,.10g} s"


def duration(seconds: float) -> str:
    """A time as people tell it: "20 s", "2 min 30 s", "2 h 5 min"; shorter ones as ``plain_time``."""
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
    """For each group with two values or more that differ, the best."""
    found: dict[object, float] = {}
    for group in set(groups) - {None} if better else ():
        rivals = {value for value, its in zip(values, groups, strict=True) if its == group and value is not None}
        if len(rivals) > 1:
            found[group] = max(rivals, key=lambda value: better * value)
    return found
