"""Seconds for a picture and peak memory of a search by number of pictures, and seconds of the whole command.

    python experiments/benchmarks/search_scaling.py [store=data/faces64 model=faces64 search=fast mask=center
        counts=64,512,4096 repeats=3 seed=0 out=experiments/results/search_scaling.csv]

The pictures are the first of the store, whatever their split: only time and memory are measured, from the damaged pictures
to the blended ones, after warming up; each count is measured ``repeats`` times in a process of its own, and its median
kept. The row ``command`` is ``ganfill complete`` on one picture, with Python's start and the model's loading.
"""

import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from provenance import append_row

import ganfill
from ganfill.data.store import ImageStore
from ganfill.devices import choose_device
from ganfill.images import masks, pixels
from ganfill.search.presets import preset

SETTINGS = {
    "store": "data/faces64",
    "model": "faces64",
    "search": "fast",
    "mask": "center",
    "counts": "64,512,4096",
    "repeats": "3",
    "seed": "0",
    "out": "experiments/results/search_scaling.csv",
}
WARM_UP = 8


def measure(settings: dict[str, str], n: int) -> tuple[float, float]:
    """Returns median seconds for a picture, and the peak memory of the process in MB."""
    model, search = ganfill.load(settings["model"], choose_device()), preset(settings["search"])
    store = ImageStore.open(Path(settings["store"]))
    names, truth = store.ids[:n], np.array(store.images[:n])
    images = pixels.to_float(torch.from_numpy(truth))
    holes = masks.draw(masks.KINDS[settings["mask"]], names, model.resolution, model.resolution, int(settings["seed"]))
    search(model, images[:WARM_UP], holes[:WARM_UP])
    seconds = []
    for _ in range(int(settings["repeats"])):
        started = time.perf_counter()
        found = pixels.to_uint8(search(model, images, holes).pictures[:, 0]).numpy()
        for inputs in zip(found, truth, holes[:, 0].numpy(), strict=True):
            search.blend(*inputs)
        seconds.append((time.perf_counter() - started) / n)
    return statistics.median(seconds), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def command(settings: dict[str, str]) -> float:
    """Returns median seconds of ``ganfill complete`` on one picture."""
    store, seconds = ImageStore.open(Path(settings["store"])), []
    with tempfile.TemporaryDirectory() as folder:
        Image.fromarray(np.array(store.images[0])).save(Path(folder) / "face.png")
        for i in range(int(settings["repeats"])):
            words = [f"{folder}/face.png", f"mask={settings['mask']}", f"search={settings['search']}"]
            started = time.perf_counter()
            subprocess.run(
                [
                    sys.executable,
                    "-m",
                    "ganfill",
                    "complete",
                    *words,
                    f"out={folder}/{i}",
                    f"model={settings['model']}",
                ],
                check=True,
                capture_output=True,
            )
            seconds.append(time.perf_counter() - started)
    return statistics.median(seconds)


def main() -> None:
    """Measures every count in a separate process; prints and appends a row for each."""
    settings = SETTINGS | dict(word.split("=", 1) for word in sys.argv[1:])
    if "only" in settings:
        print(*measure(settings, int(settings["only"])))
        return
    row = {key: settings[key] for key in ("search", "mask", "seed")}
    for n in settings["counts"].split(","):
        words = [f"{key}={value}" for key, value in settings.items()]
        output = subprocess.run(
            [sys.executable, __file__, *words, f"only={n}"], check=True, capture_output=True, text=True
        )
        seconds, memory = map(float, output.stdout.split())
        figures = {"n": n, "milliseconds_a_picture": round(1000 * seconds, 3), "peak_memory_mb": round(memory)}
        append_row(Path(settings["out"]), row | figures)
        print(figures, flush=True)
    figures = {"n": "command", "milliseconds_a_picture": round(1000 * command(settings)), "peak_memory_mb": ""}
    append_row(Path(settings["out"]), row | figures)
    print(figures)


if __name__ == "__main__":
    main()
