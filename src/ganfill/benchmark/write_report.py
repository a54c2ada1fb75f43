"""Writes the files of an evaluation: tables, contact sheets, and a report that holds them all."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from ganfill.benchmark.compare import Evaluation
from ganfill.benchmark.eval_case import EvalCase
from ganfill.benchmark.generator import GeneratorReport
from ganfill.files import write_atomically
from ganfill.images.masks import KINDS
from ganfill.images.sheets import grid, save
from ganfill.report import table_files
from ganfill.report.html import Figure, Table, render
from ganfill.report.plots import quality_against_share, quality_against_time

HIDDEN = ("model", "seed", "device", "machine", "threads", "torch", "cell")  # stated once per page
SIDE = 128  # of the pictures on contact sheets
CAPTION = 18  # letters that fit above a picture
SAMPLES_A_ROW = 8
EXPLANATIONS = (
    "psnr, ssim, l1 and seam are computed on the finished uint8 picture over the pixels of the hole; l1, seam and "
    "diversity are in levels of 0 to 255. PSNR rewards blur: also compare the distances and the sheets.",
    "fd_ and kd_ are Frechet and kernel distances of the whole finished pictures from training pictures of the same "
    "sources, in a feature network of that name; the row original is the distance of the undamaged pictures, a lower "
    "bound in expectation. They depend on the number of pictures. l2_ is the Euclidean distance between the features of a "
    "finished picture and of its original.",
    "seconds is the time for a picture in a batch of all pictures, seconds_single for a single picture, from the damaged "
    "picture to the finished answers, after a warm-up. A pass is one forward and backward run through the generator.",
)


def write(out: Path, result: Evaluation, cases: Sequence[EvalCase], sheet: int, facts: Mapping[str, str]) -> None:
    """Writes ``table.csv``, ``table.md``, ``paired.csv``, ``sheets/MASK.png`` and ``report.html``.

    Sheets of other masks, which an earlier evaluation has left, are removed.

    Args:
        out: the directory.
        result: of ``evaluate``.
        cases: arguments of ``evaluate``.
        sheet: pictures on a contact sheet.
        facts: conditions of the measurement, for the report.
    """
    table_files.write_csv(out / "table.csv", result.rows)
    (out / "paired.csv").unlink(missing_ok=True)
    if result.paired:
        table_files.write_csv(out / "paired.csv", result.paired)
    shown = [name for name in table_files.columns(result.rows) if name not in HIDDEN]
    write_atomically(out / "table.md", _markdown(result, shown))
    figures = [
        Figure("Hole PSNR against time for a picture", quality_against_time(result.rows), is_plot=True),
        Figure("Hole PSNR against the missing share", quality_against_share(result.shares), is_plot=True),
    ]
    for mask in set(KINDS) - {case.mask for case in cases}:
        (out / "sheets" / f"{mask}.png").unlink(missing_ok=True)
    for case in cases:
        path = out / "sheets" / f"{case.mask}.png"
        _write_sheet(path, case, result.sheets[case.mask], sheet)
        figures.append(Figure(f"The first pictures, {case.mask}", path.read_bytes()))
    tables = [Table("Searches", shown, result.rows)]
    if result.paired:
        against = result.paired[0]["against"]
        caption = f"Difference from {against}, picture by picture"
        tables.append(Table(caption, table_files.columns(result.paired), result.paired))
    notes = [*(f"Skipped: {what}: {reason}" for what, reason in result.skipped.items()), *EXPLANATIONS]
    _write_page(out, title="Searches compared", tables=tables, figures=figures, facts=facts, notes=notes)


def write_generator(out: Path, report: GeneratorReport, skipped: Mapping[str, str], facts: Mapping[str, str]) -> None:
    """Writes ``generator.csv``, ``sheets/samples.png``, ``sheets/neighbours.png`` and ``report.html``."""
    rows = [{"figure": name, "value": value} for name, value in report.figures.items()]
    table_files.write_csv(out / "generator.csv", rows)
    samples = list(report.samples)
    lines = [samples[i : i + SAMPLES_A_ROW] for i in range(0, len(samples), SAMPLES_A_ROW)]
    nearest = [f"nearest {i}" for i in range(1, max(map(len, report.neighbours), default=1))]
    sheets = {
        "samples": ("Samples, not selected", grid(lines, side=64)),
        "neighbours": (
            "Samples with the least distance to a training picture, and their nearest training pictures",
            grid(report.neighbours, ["sample", *nearest], SIDE),
        ),
    }
    figures = []
    for name, (caption, picture) in sheets.items():
        path = out / "sheets" / f"{name}.png"
        save(picture, path)
        figures.append(Figure(caption, path.read_bytes()))
    notes = [f"Skipped: {what}: {reason}" for what, reason in skipped.items()]
    tables = [Table("Figures", ["figure", "value"], rows)]
    _write_page(out, title="Evaluation of a generator", tables=tables, figures=figures, facts=facts, notes=notes)


def _write_page(out: Path, **content: object) -> None:
    """Writes ``report.html``, with the content of ``templates/evaluation.html``."""
    write_atomically(out / "report.html", render("evaluation.html", **content))


def _write_sheet(path: Path, case: EvalCase, answers: Mapping[str, np.ndarray], count: int) -> None:
    """Writes a row for each picture: original, damaged, and the first answer of every search."""
    columns = {"original": case.pictures.images[:count], "damaged": case.damaged[:count], **answers}
    rows = list(zip(*columns.values(), strict=True))
    save(grid(rows, [_short(caption) for caption in columns], SIDE), path)


def _short(caption: str) -> str:
    """Shortens a caption to its beginning and end if it is too long."""
    return caption if len(caption) <= CAPTION else f"{caption[: CAPTION // 2]}…{caption[-(CAPTION // 2) :]}"


def _markdown(result: Evaluation, shown: Sequence[str]) -> str:
    """Formats a table for each mask, and the reasons for what was skipped."""
    columns = [name for name in shown if not name.endswith(("_low", "_high")) and name != "mask"]
    masks = list(dict.fromkeys(row["mask"] for row in result.rows))
    parts = [
        f"## {mask}\n\n" + table_files.markdown([row for row in result.rows if row["mask"] == mask], columns)
        for mask in masks
    ]
    if result.skipped:
        parts.append("## Skipped\n\n" + "".join(f"- {what}: {why}\n" for what, why in result.skipped.items()))
    return "\n".join(parts)
