"""Files per second of ``ganfill prepare``, compared with decoding and scaling the same files.

    python experiments/benchmarks/prepare_throughput.py [rounds=3 n=30000 side=128 resolution=64 out=FILE]

Writes ``n`` different PNG files of smooth noise to a temporary folder and reads them once, so that both find them in
memory. Then measures in turn, ``rounds`` times: a pool of processes on all cores that opens, converts and scales each
file and keeps nothing, and ``ganfill.data.prepare.prepare`` into a fresh directory, with its listing, hashing, search
for duplicates and writing. Medians are compared. The row goes to ``out``; the last line is the ratio of the two rates.
"""

import multiprocessing
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from statistics import median

import numpy as np
from PIL import Image

from ganfill.data.prepare import prepare

SETTINGS = {"rounds": 3, "n": 30000, "side": 128, "resolution": 64, "out": "experiments/results/prepare_throughput.csv"}


def write_picture(folder: Path, side: int, number: int) -> None:
    """Writes a PNG of smooth noise that depends on ``number``; a thousand share a folder, as in FFHQ."""
    coarse = np.random.default_rng(number).integers(0, 256, (9, 9, 3), np.uint8)
    picture = Image.fromarray(coarse).resize((side, side), Image.Resampling.BICUBIC)
    picture.save(folder / f"{number // 1000 * 1000:05}" / f"{number:05}.png")


def decode_only(resolution: int, path: Path) -> None:
    """Decodes and scales one file."""
    with Image.open(path) as picture:
        picture.convert("RGB").resize((resolution, resolution), Image.Resampling.LANCZOS)


def plain_rate(paths: Sequence[Path], resolution: int) -> float:
    """Measures files per second of a pool that only decodes and scales."""
    started = time.perf_counter()
    with multiprocessing.Pool(cores()) as pool:
        for _ in pool.imap_unordered(partial(decode_only, resolution), paths, chunksize=64):
            pass
    return len(paths) / (time.perf_counter() - started)


def prepare_rate(folder: Path, n: int, resolution: int) -> float:
    """Measures files per second of ``prepare``."""
    with tempfile.TemporaryDirectory() as out:
        started = time.perf_counter()
        store = prepare([folder], Path(out, "store"), resolution=resolution)
        seconds = time.perf_counter() - started
        if len(store.images) != n:
            raise RuntimeError(f"{len(store.images)} of {n} pictures are in the store")
    return n / seconds


def cores() -> int:
    """Returns the number of cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def main() -> None:
    """Measures; prints and appends a row."""
    from provenance import append_row  # imports torch, and prepare's worker processes import this file's head

    settings = SETTINGS | dict(word.split("=", 1) for word in sys.argv[1:])
    rounds, n, side, resolution = (int(settings[key]) for key in list(SETTINGS)[:4])
    rates: dict[str, list[float]] = {"plain": [], "prepare": []}
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        for number in range(0, n, 1000):
            (folder / f"{number:05}").mkdir()
        with multiprocessing.Pool(cores()) as pool:
            pool.map(partial(write_picture, folder, side), range(n), chunksize=64)
        paths = sorted(folder.rglob("*.png"))
        megabytes = sum(len(path.read_bytes()) for path in paths) / 1e6
        for _ in range(rounds):
            rates["plain"].append(plain_rate(paths, resolution))
            rates["prepare"].append(prepare_rate(folder, n, resolution))
    found = {f"{name}_files_per_second": round(median(values), 1) for name, values in rates.items()}
    ratio = median(rates["prepare"]) / median(rates["plain"])
    row = {"n": n, "side": side, "resolution": resolution, "rounds": rounds, "megabytes": round(megabytes, 1)}
    append_row(Path(settings["out"]), row | {"cores": cores()} | found | {"ratio": round(ratio, 3)})
    for name, value in found.items():
        print(f"{name} {value}")
    print(f"ratio {ratio:.2f}")


if __name__ == "__main__":
    main()
