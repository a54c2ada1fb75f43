"""The files of an evaluation: tables, contact sheets, and one report that holds them all."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from ganfill.benchmark.cells import EvalCase
from ganfill.benchmark.compare import Evaluation
from ganfill.benchmark.generator import GeneratorReport
from ganfill.files import write_atomically
from ganfill.images.sheets import grid, save
from ganfill.report import table_files
from ganfill.report.html import Figure, Table, evaluation_page
from ganfill.report.plots import quality_against_share, quality_against_time

HIDDEN = ("model", "seed", "device", "machine", "threads", "torch", "cell")  # the page tells them once
SIDE = 128  # of the pictures on contact sheets
CAPTION = 18  # letters above a picture of that side
SAMPLES_A_ROW = 8
EXPLANATIONS = (
    "psnr, ssim, l1 and seam are those of the finished uint8 picture over the hole's pixels alone; l1, seam and "
    "diversity are in levels of 0 to 255. PSNR rewards blur: look at the distances and at the sheets beside it.",
    "fd_ and kd_ are Frechet and kernel distances of the whole finished pictures from training pictures of the same "
    "sources, in a feature network of that name; the row original is the distance of the undamaged pictures, which "
    "nothing real can be expected to beat. They depend on the number of pictures.",
    "seconds are those of a picture in the batch of all, seconds_single of a picture alone, from the damaged picture to "
    "the finished answers, after warming up. A pass is one forward and backward run through the generator.",
)


def write(out: Path, result: Evaluation, scenes: Sequence[EvalCase], sheet: int, facts: Mapping[str, str]) -> None:
    """Writes ``table.csv``, ``table.md``, ``paired.csv``, ``sheets/MASK.png`` and ``report.html``.

    Args:
        out: the directory.
        result: of ``evaluate``.
        scenes: as they were given to it.
        sheet: pictures on a contact sheet.
        facts: what was measured with, for the report.
    """
    table_files.write_csv(out / "table.csv", result.rows)
    (out / "paired.csv").unlink(missing_ok=True)
    if result.paired:
        table_files.write_csv(out / "paired.csv", result.paired)
    shown = [name for name in table_files.columns(result.rows) if name not in HIDDEN]
    _write(out / "table.md", _markdown(result, shown))
    figures = [
        Figure("Hole PSNR against seconds a picture", quality_against_time(result.rows)),
        Figure("Hole PSNR against the missing share", quality_against_share(result.shares)),
    ]
    for scene in scenes:
        path = out / "sheets" / f"{scene.mask}.png"
        _write_sheet(path, scene, result.sheets[scene.mask], sheet)
        figures.append(Figure(f"The first pictures, {scene.mask}", path.read_bytes()))
    tables = [Table("Searches", shown, result.rows)]
    if result.paired:
        against = result.paired[0]["against"]
        caption = f"Difference from {against}, picture by picture"
        tables.append(Table(caption, table_files.columns(result.paired), result.paired))
    notes = [*(f"Skipped: {what}: {reason}" for what, reason in result.skipped.items()), *EXPLANATIONS]
    _write(out / "report.html", evaluation_page("Searches compared", tables, figures, facts, notes))


def write_generator(out: Path, report: GeneratorReport, skipped: Mapping[str, str], facts: Mapping[str, str]) -> None:
    """Writes ``generator.csv``, ``sheets/samples.png``, ``sheets/neighbours.png`` and ``report.html``."""
    rows = [{"figure": name, "value": value} for name, value in report.figures.items()]
    table_files.write_csv(out / "generator.csv", rows)
    samples = list(report.samples)
    lines = [samples[i : i + SAMPLES_A_ROW] for i in range(0, len(samples), SAMPLES_A_ROW)]
    nearest = [f"nearest {i}" for i in range(1, max(map(len, report.neighbours), default=1))]
    sheets = {
        "samples": ("Samples, as they come", grid(lines, side=64)),
        "neighbours": (
            "The samples closest to a training picture, and the training pictures nearest to them",
            grid(report.neighbours, ["sample", *nearest], SIDE),
        ),
    }
    figures = []
    for name, (caption, picture) in sheets.items():
        path = out / "sheets" / f"{name}.png"
        save(picture, path)
        figures.append(Figure(caption, path.read_bytes()))
    notes = [f"Skipped: {what}: {reason}" for what, reason in skipped.items()]
    page = evaluation_page("A generator judged", [Table("Figures", ["figure", "value"], rows)], figures, facts, notes)
    _write(out / "report.html", page)


def _write_sheet(path: Path, scene: EvalCase, answers: Mapping[str, np.ndarray], count: int) -> None:
    """Originals, what was damaged, and the first answer of every search, a row for each picture."""
    columns = {"original": scene.pictures.images[:count], "damaged": scene.damaged[:count], **answers}
    rows = list(zip(*columns.values(), strict=True))
    save(grid(rows, [_short(caption) for caption in columns], SIDE), path)


def _short(caption: str) -> str:
    """A caption that fits above a picture: beginning and end of a long one."""
    return caption if len(caption) <= CAPTION else f"{caption[: CAPTION // 2]}…{caption[-(CAPTION // 2) :]}"


def _markdown(result: Evaluation, shown: Sequence[str]) -> str:
    """A table for each mask, and what was skipped."""
    whole = [name for name in shown if not name.endswith(("_low", "_high")) and name != "mask"]
    masks = list(dict.fromkeys(row["mask"] for row in result.rows))
    parts = [
        f"## {mask}\n\n" + table_files.markdown([row for row in result.rows if row["mask"] == mask], whole)
        for mask in masks
    ]
    if result.skipped:
        parts.append("## Skipped\n\n" + "".join(f"- {what}: {why}\n" for what, why in result.skipped.items()))
    return "\n".join(parts)


def _write(path: Path, text: str) -> None:
    write_atomically(path, text)
