"""Figures of a training and of its model.

    python experiments/figures.py [name=faces64 run=runs/cpu model=faces64 pilot= store=data/faces64 out=experiments/results]

Writes ``NAME_training.png`` (the averaged generator at eight moments, z fixed), ``NAME_completion.png`` (twelve FFHQ test
faces, never trained on: original, damaged and completed under four masks) and ``NAME.json``; with ``pilot``, another
run, ``NAME_pilots.csv`` and ``.png`` compare the first 30 kimg of both. Without a run, ``run=``, only
``NAME_completion.png`` is made, with ``NAME_completion.json``. Only FFHQ faces are shown, because the terms of
CelebA do not permit publication.
"""

import csv
import json
import sys
import time
from pathlib import Path

import numpy as np
import yaml
from benchmarks.provenance import provenance
from PIL import Image

import ganfill
from ganfill.completion.pipeline import fill
from ganfill.data.store import ImageStore
from ganfill.images import masks
from ganfill.images.sheets import damaged, grid, save
from ganfill.search.presets import preset
from ganfill.search.result import SearchOptions

SETTINGS = {
    "name": "faces64",
    "run": "runs/cpu",
    "model": "faces64",
    "pilot": "",
    "store": "data/faces64",
    "out": "experiments/results",
}
MOMENTS = 8
KINDS = ("center", "left", "random", "freeform")
FACES = tuple(f"ffhq64/{number:05d}" for number in range(1000, 1096, 8))  # every eighth, whatever it shows
SEED = 0
PADDING = 2  # of the sample grids
PILOT_KIMG = 30


def moments(samples: Path) -> list[Path]:
    """Selects eight sample grids of a run: the last, and each at about half the kimg of the next."""
    grids = {int(path.stem[4:10]): path for path in samples.glob("kimg*_ema.png")}
    last, wanted = max(grids), [0]
    wanted += [last / 2**k for k in range(MOMENTS - 2, -1, -1)]
    return [grids[min(grids, key=lambda kimg: abs(kimg - moment))] for moment in wanted]


def first_faces(sheet: Path, side: int = 64, faces: int = 10) -> list[np.ndarray]:
    """Cuts the first pictures, uint8 (side, side, 3), out of a sample grid."""
    pixels, step = np.asarray(Image.open(sheet).convert("RGB")), side + PADDING
    corners = [(PADDING + step * (k // 8), PADDING + step * (k % 8)) for k in range(faces)]
    return [pixels[y : y + side, x : x + side] for y, x in corners]


def training_figure(samples: Path) -> Image.Image:
    """Draws a column for each moment and a row for each z."""
    sheets = moments(samples)
    columns = [first_faces(sheet) for sheet in sheets]
    return grid(list(zip(*columns, strict=True)), [f"{int(sheet.stem[4:10])} kimg" for sheet in sheets], side=64)


def loss_of(run: Path) -> str:
    """Returns the name of the loss of a run."""
    return yaml.safe_load((run / "config.yaml").read_text())["loss"]["_target_"].rsplit(".", 1)[-1]


def write_pilots(runs: list[Path], table: Path) -> None:
    """Writes the metrics of runs over their first images, and samples of their generators after them."""
    rows, faces = [], []
    for run in runs:
        with (run / "metrics.csv").open(newline="") as file:
            measured = [{"loss": loss_of(run)} | row for row in csv.DictReader(file)]
        rows += [row for row in measured if float(row["kimg"]) <= PILOT_KIMG + 1]
        sheet = min((run / "samples").glob("kimg*_ema.png"), key=lambda path: abs(int(path.stem[4:10]) - PILOT_KIMG))
        faces.append(first_faces(sheet, faces=8))
    with table.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    save(grid(faces, side=64), table.with_suffix(".png"))


def completion_figure(store: ImageStore, model: ganfill.Model, search: str) -> Image.Image:
    """Draws originals, and damaged and completed pictures for each mask."""
    rows = {name: row for row, name in enumerate(store.ids) if store.splits[row] == "test"}
    photos = [store.images[rows[name]] for name in FACES]
    columns, captions = [photos], ["original"]
    for kind in KINDS:
        drawn = masks.draw(masks.KINDS[kind], FACES, model.resolution, model.resolution, SEED)
        holes = list(drawn[:, 0].numpy())
        filled = fill(model, photos, holes, preset(search), options=SearchOptions(seed=SEED))
        columns += [
            [damaged(*pair) for pair in zip(photos, holes, strict=True)],
            [result.pictures[0] for result in filled],
        ]
        captions += [kind, "completed"]
    return grid(list(zip(*columns, strict=True)), captions, side=64)


def main() -> None:
    """Writes figures and tables."""
    settings = SETTINGS | dict(word.split("=", 1) for word in sys.argv[1:])
    name, out = settings["name"], Path(settings["out"])
    started = time.perf_counter()
    model = ganfill.load(settings["model"])
    out.mkdir(parents=True, exist_ok=True)
    save(completion_figure(ImageStore.open(Path(settings["store"])), model, "standard"), out / f"{name}_completion.png")
    if not settings["run"]:
        figures = {"model_sha256_of_content": model.digest, "search": "standard", "search_seed": SEED}
        (out / f"{name}_completion.json").write_text(json.dumps(figures | provenance(), indent=2) + "\n")
        return
    run = Path(settings["run"])
    if settings["pilot"]:
        write_pilots([Path(settings["pilot"]), run], out / f"{name}_pilots.csv")
    save(training_figure(run / "samples"), out / f"{name}_training.png")
    with (run / "metrics.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    figures = {
        "kimg": model.card["kimg"],
        "epochs": round(model.card["kimg"] * 1000 / model.card["pictures"], 2),
        "pictures": model.card["pictures"],
        "loss": model.card["config"]["loss"]["_target_"].rsplit(".", 1)[-1],
        "images_per_second_median": float(np.median([float(row["images_per_second"]) for row in rows])),
        "last_row": rows[-1],
        "model_bytes": ganfill.model_io.model_file.locate(settings["model"]).stat().st_size,
        "model_sha256_of_content": model.digest,
        "training_seed": model.card["config"]["seed"],
        "search": "standard",
        "search_seed": SEED,
        "seconds_for_figures": round(time.perf_counter() - started, 1),
    }
    (out / f"{name}.json").write_text(json.dumps(figures | provenance(), indent=2) + "\n")
    print(*sorted(out.glob(f"{name}*")), sep="\n")


if __name__ == "__main__":
    main()
