"""Files that tests of ``ganfill complete`` write and read."""

import json

import numpy as np
from PIL import Image


def picture(path, size=(32, 32), seed=0, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (*size, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path, **options)
    return pixels


def names(folder):
    files = (path for path in folder.rglob("*") if path.is_file() and not path.name.startswith("."))
    return sorted(str(path.relative_to(folder)) for path in files)


def results(folder):
    return json.loads((folder / "results.json").read_text("utf-8"))


def figures(folder):
    return json.loads((folder / "summary.json").read_text("utf-8"))["figures"]
