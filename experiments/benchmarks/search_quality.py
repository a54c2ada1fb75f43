"""Hole PSNR and seconds a picture of several searches, on faces that no training saw or on the generator's own.

    python experiments/benchmarks/search_quality.py [store=data/faces64 model=faces64 n=64 masks=center,random
        searches=standard,amos2016,yeh2017 pictures=ffhq64/01 seed=0 device=auto out=FILE]

``pictures`` is the beginning of the ids of the test pictures to take, the first n of them; ``generator`` takes pictures
drawn from the model itself, whose holes a perfect search fills exactly. A search is given with settings after a colon,
such as ``yeh2017:rate=0.1:steps=500``. All pictures of a mask are searched for at once, in the same precision; the seconds
hold everything from the damaged pictures to the blended ones, the pool of ``standard`` too. PSNR is that of the hole's
pixels (peak 255, on uint8), its mean over pictures with a 95 % bootstrap interval; ``pasted`` is without blending. The mean
of the training pictures, pasted, is the floor. Rows are added to ``out``.
"""

import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from provenance import append_row

import ganfill
from ganfill import pixels, seeding
from ganfill.completion import LatentSearch, masks
from ganfill.completion.presets import PRESETS
from ganfill.data.store import ImageStore
from ganfill.devices import choose_device

SETTINGS = {
    "store": "data/faces64",
    "model": "faces64",
    "n": "64",
    "masks": "center,random",
    "searches": "standard,amos2016,yeh2017",
    "pictures": "ffhq64/01",
    "seed": "0",
    "device": "auto",
    "out": "experiments/results/search_quality.csv",
}


def hole_psnr(finished: np.ndarray, truth: np.ndarray, holes: np.ndarray) -> np.ndarray:
    """PSNR in dB over the hole's pixels of each picture: uint8 (N, H, W, 3) twice, bool (N, H, W) -> (N,)."""
    squares = (finished.astype(np.float64) - truth) ** 2 * holes[..., None]
    error = squares.sum((1, 2, 3)) / (3 * holes.sum((1, 2)))
    return 10 * np.log10(255**2 / np.maximum(error, 1e-6))


def interval(values: np.ndarray, draws: int = 2000) -> tuple[float, float]:
    """The 95 % bootstrap interval of the mean over pictures."""
    rows = np.random.default_rng(0).integers(0, len(values), (draws, len(values)))
    low, high = np.percentile(values[rows].mean(1), [2.5, 97.5])
    return float(low), float(high)


def make_search(word: str) -> LatentSearch:
    """The preset that ``name:key=value:...`` asks for."""
    name, *settings = word.split(":")
    pairs = (setting.split("=", 1) for setting in settings)
    arguments: dict[str, Any] = {key: int(value) if value.isdigit() else float(value) for key, value in pairs}
    return PRESETS[name](**arguments)


def take_pictures(settings: dict[str, str], model: ganfill.Model) -> tuple[list[str], np.ndarray]:
    """Names and pictures, uint8 (n, R, R, 3)."""
    n = int(settings["n"])
    if settings["pictures"] == "generator":
        z = model.latent.sample(n, seeding.generator(int(settings["seed"]), "recovery")).to(model.device)
        with torch.no_grad():
            return [f"generated/{i}" for i in range(n)], pixels.to_uint8(model.generator(z)).cpu().numpy()
    store = ImageStore.open(Path(settings["store"]))
    rows = [row for row in store.rows("test") if store.ids[row].startswith(settings["pictures"])][:n]
    return [store.ids[row] for row in rows], np.asarray(store.images[rows])


def main() -> None:
    """Runs every search on every mask; prints and keeps a row for each."""
    settings = SETTINGS | dict(word.split("=", 1) for word in sys.argv[1:])
    model, seed = ganfill.load(settings["model"], choose_device(settings["device"])), int(settings["seed"])
    names, truth = take_pictures(settings, model)
    images = pixels.to_float(torch.from_numpy(truth))
    mean = np.broadcast_to(pixels.to_uint8(model.mean_picture).cpu().numpy(), truth.shape)
    for kind in settings["masks"].split(","):
        holes = masks.draw(masks.KINDS[kind], names, model.resolution, model.resolution, seed)
        missing = holes[:, 0].numpy()
        row = {
            "pictures": settings["pictures"],
            "n": len(names),
            "mask": kind,
            "seed": seed,
            "model": model.digest[:12],
        }
        floor = hole_psnr(mean, truth, missing)
        for word in settings["searches"].split(","):
            search = make_search(word)
            started = time.perf_counter()
            found = search(model, images, holes, seed=seed)
            answers = pixels.to_uint8(found.pictures[:, 0]).numpy()
            finished = [search.blend(*three) for three in zip(answers, truth, missing, strict=True)]
            seconds = (time.perf_counter() - started) / len(names)
            psnr = hole_psnr(np.stack(finished), truth, missing)
            low, high = interval(psnr)
            figures = {
                "search": word,
                "steps": search.steps,
                "hole_psnr_db": round(psnr.mean(), 2),
                "low_db": round(low, 2),
                "high_db": round(high, 2),
                "median_db": round(float(np.median(psnr)), 2),
                "pasted_db": round(hole_psnr(answers, truth, missing).mean(), 2),
                "mean_picture_db": round(floor.mean(), 2),
                "seconds_a_picture": round(seconds, 4),
            }
            append_row(Path(settings["out"]), row | figures)
            print(kind, *(f"{name} {value}" for name, value in figures.items()), sep="  ", flush=True)


if __name__ == "__main__":
    main()
