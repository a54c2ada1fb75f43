"""Compares models of different resolutions on the same pictures, each finished at the pictures' own size.

    python experiments/benchmarks/resolution.py store=data/faces128 models=faces64,faces128 \
        features=NAME=FILE.py:CLASS:WEIGHTS [pictures=ffhq128,celeba128 n=500 mask=center,half
        search=fast,standard seed=0 out=FILE]

Each test picture gets a hole. A model of a lower resolution sees the picture reduced, and its answer is enlarged and
blended into the picture, as ``ganfill complete`` does with photos. PSNR is over the hole. ``fd_NAME`` is the Frechet
distance between finished and training pictures in the features of a network. ``fd_NAME_detail`` compares the middle 64x64
pixels of both, at their own size, so that networks which reduce their input to 64x64 see all details. A row for each
model, search and hole goes to ``out``; ``original`` is the undamaged pictures.
"""

import sys
import time
from pathlib import Path

import numpy as np
from provenance import append_row

from ganfill.completion.pipeline import fill, find_placement
from ganfill.data import subsets
from ganfill.data.store import ImageStore
from ganfill.images import masks
from ganfill.images.alignment import whole
from ganfill.metrics.bootstrap import mean
from ganfill.metrics.distances import frechet
from ganfill.metrics.features import extract, load_networks
from ganfill.metrics.image import psnr
from ganfill.model_io import model_file
from ganfill.search.presets import preset
from ganfill.search.result import SearchOptions

SETTINGS = {
    "store": "data/faces128", "models": "faces64,faces128", "features": "", "pictures": "ffhq128,celeba128", "n": "500",
    "mask": "center,half", "search": "fast,standard", "seed": "0", "out": "experiments/results/resolution.csv",
}  # fmt: skip
DETAIL = 64  # side of the middle part
GROUP = 64  # pictures at once


def middle(images: np.ndarray) -> np.ndarray:
    """The middle 64x64 pixels of pictures uint8 (N, R, R, 3)."""
    begin = (images.shape[1] - DETAIL) // 2
    return images[:, begin : begin + DETAIL, begin : begin + DETAIL]


def main() -> None:
    """Measures; prints and appends the rows."""
    settings = SETTINGS | dict(word.split("=", 1) for word in sys.argv[1:])
    seed, store = int(settings["seed"]), ImageStore.open(Path(settings["store"]))
    pictures = subsets.choose(store, "test", settings["pictures"].split(","), int(settings["n"]), seed)
    networks = load_networks(settings["features"].split(",") if settings["features"] else [])
    reference = subsets.reference(store, pictures, seed)
    if reference is None:
        sys.exit(f"pictures={settings['pictures']}: the store has no training pictures of each of these sources")

    def features(images: np.ndarray) -> dict[str, np.ndarray]:
        parts = {"": images, "_detail": np.ascontiguousarray(middle(images))}
        return {
            f"fd_{network.name}{suffix}": extract(network, part, "cpu")
            for network in networks
            for suffix, part in parts.items()
        }

    of_real = features(reference.images)

    def distances(finished: np.ndarray) -> dict[str, float]:
        return {name: round(frechet(found, of_real[name]), 3) for name, found in features(finished).items()}

    def write(row: dict[str, str | int | float]) -> None:
        append_row(Path(settings["out"]), row)
        print(*(f"{key} {value}" for key, value in row.items()), sep="  ", flush=True)

    for mask in settings["mask"].split(","):
        size = pictures.images.shape[1]
        holes = masks.draw(masks.KINDS[mask], pictures.ids, size, size, seed)[:, 0].numpy()
        undamaged = {"psnr": "", "psnr_low": "", "psnr_high": "", "seconds_each": ""} | distances(pictures.images)
        common = {"mask": mask, "n": len(pictures), "size": size, "seed": seed}
        write({"model": "", "resolution": "", "search": "original"} | common | undamaged)
        for name in settings["models"].split(","):
            model = model_file.load(name)
            for search in settings["search"].split(","):
                started, finished = time.perf_counter(), []
                for begin in range(0, len(pictures), GROUP):
                    photos = list(pictures.images[begin : begin + GROUP])
                    missing = list(holes[begin : begin + GROUP])
                    placed = [
                        find_placement(whole, *pair, model.resolution) for pair in zip(photos, missing, strict=True)
                    ]
                    results = fill(
                        model, photos, missing, preset(search), placements=placed, options=SearchOptions(seed=seed)
                    )
                    finished += [result.pictures[0] for result in results]
                seconds = (time.perf_counter() - started) / len(pictures)
                done = np.stack(finished)
                quality = mean(psnr(done, pictures.images, holes))
                measured = {
                    "psnr": round(quality.mean, 3), "psnr_low": round(quality.low, 3),
                    "psnr_high": round(quality.high, 3), "seconds_each": round(seconds, 4),
                }  # fmt: skip
                label = {"model": Path(name).stem, "resolution": model.resolution, "search": search}
                write(label | common | measured | distances(done))


if __name__ == "__main__":
    main()
