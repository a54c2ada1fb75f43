"""Completes JPEG photos of faces that were painted over, with and without the pixels into which the paint has bled.

    python experiments/benchmarks/bleeding.py pictures=FOLDER [n=30 seed=0 out=FILE]

A blob of one colour is painted over the middle of each FFHQ crop of 256 pixels. The crop is saved as JPEG, and
``search=fast`` completes it with the blob as mask: with ``hole=mask`` exactly that, with ``hole=widened`` also the pixels of
``include_bleeding``, and with ``hole=unpainted`` the mask on a file that was never painted. ``psnr`` is over the blob,
against the crop. ``tint`` is the distance of the mean colours there, in levels. A row for each quality and hole goes to
``out``.
"""

import sys
from io import BytesIO
from pathlib import Path

import cv2
import numpy as np
from PIL import Image
from provenance import append_row

from ganfill.completion.pipeline import fill, find_placement
from ganfill.images.alignment import whole
from ganfill.images.bleeding import include_bleeding
from ganfill.model_io.model_file import load
from ganfill.search.presets import fast

SETTINGS = {"pictures": "", "n": "30", "seed": "0", "out": "experiments/results/bleeding.csv"}
QUALITIES = (95, 90, 75, 60)
PAINTS = ((255, 255, 255), (0, 0, 0), (200, 40, 40), (110, 70, 30), (30, 30, 80), (128, 128, 128))


def draw_blob(side: int, random: np.random.Generator) -> np.ndarray:
    """A polygon of twelve corners around the middle, bool (side, side)."""
    angles = np.linspace(0, 2 * np.pi, 12, endpoint=False)
    radii = random.uniform(0.15, 0.3, (12, 1)) * side
    corners = side / 2 + radii * np.stack([np.cos(angles), np.sin(angles)], 1)
    return cv2.fillPoly(np.zeros((side, side), np.uint8), [corners.round().astype(np.int32)], 1) > 0


def compress(pixels: np.ndarray, quality: int) -> np.ndarray:
    """Pixels after JPEG compression with the usual subsampling of colours, uint8 (H, W, 3)."""
    Image.fromarray(pixels).save(file := BytesIO(), "JPEG", quality=quality)
    return np.array(Image.open(file))


def main() -> None:
    """Measures each quality and hole."""
    settings = SETTINGS | dict(word.split("=", 1) for word in sys.argv[1:])
    model, seed = load("faces64", "cpu"), int(settings["seed"])
    files = sorted(Path(settings["pictures"]).glob("*.jpg"))[: int(settings["n"])]
    for quality in QUALITIES:
        results = {"mask": [], "widened": [], "unpainted": []}
        for number, file in enumerate(files):
            crop = np.array(Image.open(file).convert("RGB"))
            mask = draw_blob(len(crop), np.random.default_rng([seed, number]))
            painted = crop.copy()
            painted[mask] = PAINTS[number % len(PAINTS)]
            photo = compress(painted, quality)
            tried = {
                "mask": (photo, mask),
                "widened": (photo, include_bleeding(photo, mask, lossy=True)),
                "unpainted": (compress(crop, quality), mask),
            }
            for name, (pixels, hole) in tried.items():
                placement = find_placement(whole, pixels, hole, model.resolution)
                finished = fill(model, [pixels], [hole], fast(), placements=[placement])[0].pictures[0]
                error = finished[mask].astype(float) - crop[mask]
                results[name].append((10 * np.log10(255**2 / np.square(error).mean()), np.linalg.norm(error.mean(0))))
        for name, values in results.items():
            decibels, tint = np.mean(values, 0)
            row = {"n": len(files), "seed": seed, "quality": quality, "hole": name}
            row |= {"psnr": round(decibels, 2), "tint": round(tint, 1)}
            append_row(Path(settings["out"]), row)
            print(*(f"{key} {value}" for key, value in row.items()), sep="  ")


if __name__ == "__main__":
    main()
