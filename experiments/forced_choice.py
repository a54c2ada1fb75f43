"""Two-alternative forced choice between the completions of two models, without knowing which is whose.

    python experiments/forced_choice.py models=OLD,NEW [n=48 mask=center,half search=standard seed=0 store=data/faces64
        out=runs/forced_choice]

Writes ``pair_1.png`` and so on, the damaged picture and the left and right completion, in random order and enlarged, and
``key.csv``, which says which model's is on the left. Write ``choices.csv`` with the columns ``pair`` and ``choice`` (left,
right or equal) before opening the key; the same command then appends a row for each mask to
``experiments/results/forced_choice.csv``. All faces are of FFHQ.
"""

import csv
import sys
from pathlib import Path
from typing import Any

import numpy as np
from benchmarks.provenance import append_row
from PIL import Image

import ganfill
from ganfill import seeding
from ganfill.completion.pipeline import fill
from ganfill.data import subsets
from ganfill.data.store import ImageStore
from ganfill.images import masks
from ganfill.images.sheets import damaged, grid, save
from ganfill.search.presets import preset
from ganfill.search.result import SearchOptions

SETTINGS = {
    "models": "",
    "n": "48",
    "mask": "center,half",
    "search": "standard",
    "seed": "0",
    "store": "data/faces64",
    "out": "runs/forced_choice",
}
RESULTS = Path("experiments/results/forced_choice.csv")
ENLARGED = 5


def enlarge(picture: np.ndarray) -> np.ndarray:
    """A picture uint8 (H, W, 3) at ``ENLARGED`` times its size."""
    height, width = picture.shape[:2]
    size = (ENLARGED * width, ENLARGED * height)
    return np.asarray(Image.fromarray(picture).resize(size, Image.Resampling.BICUBIC))


def draw(settings: dict[str, str], out: Path) -> None:
    """Completes all faces by both models, and writes pairs and key."""
    names, seed = settings["models"].split(","), int(settings["seed"])
    models = [ganfill.load(name) for name in names]
    faces = subsets.choose(ImageStore.open(Path(settings["store"])), "test", ["ffhq64"], int(settings["n"]), seed)
    photos, side = list(faces.images), models[0].resolution
    first = np.random.default_rng(seeding.derive_seed(seed, "order"))
    key: list[dict[str, Any]] = []
    for mask in settings["mask"].split(","):
        holes = list(masks.draw(masks.KINDS[mask], faces.ids, side, side, seed)[:, 0].numpy())
        options = SearchOptions(seed=seed)
        answers = [fill(model, photos, holes, preset(settings["search"]), options=options) for model in models]
        for photo, hole, face, *results in zip(photos, holes, faces.ids, *answers, strict=True):
            left = int(first.integers(2))
            shown = [damaged(photo, hole), *(results[i].pictures[0] for i in (left, 1 - left))]
            pair = {"pair": len(key) + 1, "mask": mask, "face": face, "left": names[left], "right": names[1 - left]}
            key.append(pair)
            row = [enlarge(picture) for picture in shown]
            save(grid([row], ["damaged", "left", "right"], ENLARGED * side), out / f"pair_{len(key)}.png")
    with (out / "key.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(key[0]))
        writer.writeheader()
        writer.writerows(key)


def count(settings: dict[str, str], out: Path) -> None:
    """Compares the choices with the key; prints and appends a row for each mask."""
    with (out / "key.csv").open(newline="") as file:
        key = list(csv.DictReader(file))
    with (out / "choices.csv").open(newline="") as file:
        choices = {row["pair"]: row["choice"] for row in csv.DictReader(file)}
    old, new = settings["models"].split(",")
    for mask in settings["mask"].split(","):
        chosen = [row.get(choices[row["pair"]], "equal") for row in key if row["mask"] == mask]
        counts = {"old": chosen.count(old), "new": chosen.count(new), "equal": chosen.count("equal")}
        row = {"mask": mask, "search": settings["search"], "pairs": len(chosen)} | counts
        digests = {name: ganfill.load(model).digest[:12] for name, model in (("old_model", old), ("new_model", new))}
        print(row)
        append_row(RESULTS, row | digests | {"seed": settings["seed"]})


def main() -> None:
    """Draws the pairs, or counts the choices that were made on them."""
    settings = SETTINGS | dict(word.split("=", 1) for word in sys.argv[1:])
    out = Path(settings["out"])
    if (out / "choices.csv").exists():
        count(settings, out)
    else:
        draw(settings, out)


if __name__ == "__main__":
    main()
