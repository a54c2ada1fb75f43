"""Cost of a picture in ``ganfill complete`` by number of pictures, beside the cost of its parts; memory and resuming.

    python experiments/benchmarks/complete_scaling.py [counts=64,512,4096 model=faces64 search=fast mask=center
        pictures=DIR out=experiments/results/complete_scaling.csv]

Completes drawn faces of 64 x 64 pixels with ``outputs=finished`` on the CPU. Each row holds, for a number of pictures, the
time and the processor time of a picture (from the listing to ``results.json``, less those of one picture), the processor
time of decoding, searching with blending, and encoding one PNG, their ratio, the peak memory of the process, and the times
of the whole command when all pictures are done. Processor time counts all threads and leaves out other programs. The faces
are kept in ``pictures`` if it is given.
"""

import os
import resource
import subprocess
import sys
import tempfile
import time
from io import BytesIO
from pathlib import Path

import numpy as np
import torch
from omegaconf import DictConfig
from PIL import Image
from provenance import append_row

import ganfill
from ganfill.commands import complete, completers
from ganfill.completion.completer import Completer
from ganfill.config import compose
from ganfill.data.synthetic import draw_faces
from ganfill.devices import choose_device
from ganfill.images import masks, pixels
from ganfill.images.photo import Photo
from ganfill.search.presets import preset

SETTINGS = {
    "counts": "64,512,4096",
    "model": "faces64",
    "search": "fast",
    "mask": "center",
    "pictures": "",
    "out": "experiments/results/complete_scaling.csv",
}
SIDE = 64
DRAWN = 512  # faces that differ; the others are these, shifted
GROUP = 32  # pictures that ganfill complete searches together


def draw(folder: Path, n: int) -> None:
    """Draws pictures into ``folder/n`` unless it exists."""
    if (folder / str(n)).exists():
        return
    (folder / str(n)).mkdir(parents=True)
    faces = draw_faces(min(n, DRAWN), SIDE, torch.Generator().manual_seed(0))
    for i in range(n):
        face = np.roll(faces[i % DRAWN], i // DRAWN, axis=1)
        Image.fromarray(face).save(folder / f"{n}/{i:08}.png")


def parts(settings: dict[str, str], folder: Path) -> float:
    """Returns the processor seconds of a picture for decoding, searching with blending, and encoding."""
    model, search = ganfill.load(settings["model"], choose_device("cpu")), preset(settings["search"])
    paths = sorted(folder.iterdir())[:DRAWN]
    seconds = 0.0
    for begin in range(-GROUP, len(paths), GROUP):  # the first group warms up
        group = paths[max(begin, 0) : max(begin, 0) + GROUP]
        holes = masks.draw(masks.KINDS[settings["mask"]], [path.stem for path in group], SIDE, SIDE, 0)
        started = time.process_time()
        faces = [Photo.read(path).pixels for path in group]
        images = pixels.to_float(torch.from_numpy(np.stack(faces)))
        found = pixels.to_uint8(search(model, images, holes).pictures[:, 0]).numpy()
        for inputs in zip(found, faces, holes[:, 0].numpy(), strict=True):
            Image.fromarray(search.blend(*inputs)).save(BytesIO(), "PNG")
        seconds += time.process_time() - started if begin >= 0 else 0
    return seconds / len(paths)


def cost(settings: dict[str, str], n: str, out: Path) -> tuple[float, float, float]:
    """Returns seconds and processor seconds of a picture, and the peak memory in MB of the process."""
    loading = [0.0, 0.0]

    def build_completers(config: DictConfig) -> dict[str, Completer]:
        started = time.perf_counter(), time.process_time()
        built = completers.build_completers(config)
        loading[:] = time.perf_counter() - started[0], time.process_time() - started[1]
        return built

    def run(n: str, out: Path) -> tuple[float, float]:
        config = compose("complete", words(settings, Path(settings["pictures"], n), out))
        started = time.perf_counter(), time.process_time()
        complete.run(config)
        seconds, processor = time.perf_counter() - started[0], time.process_time() - started[1]
        return seconds - loading[0], processor - loading[1]

    complete.build_completers = build_completers
    with tempfile.TemporaryDirectory() as directory:
        _, one = (run("1", Path(directory, name)) for name in ("warm", "one"))
    many = run(n, out)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return (many[0] - one[0]) / (int(n) - 1), (many[1] - one[1]) / (int(n) - 1), memory


def words(settings: dict[str, str], folder: Path, out: Path) -> list[str]:
    """Returns the words of the command."""
    given = [f"{key}={settings[key]}" for key in ("model", "search", "mask")]
    return [f"images={folder}", f"out={out}", "outputs=finished", "device=cpu", *given]


def again(settings: dict[str, str], folder: Path, out: Path) -> tuple[float, float]:
    """Returns seconds and processor seconds of the whole command, with Python's start."""
    started = time.perf_counter()
    command = [sys.executable, "-m", "ganfill", "complete", *words(settings, folder, out)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    assert status == 0, status
    return time.perf_counter() - started, usage.ru_utime + usage.ru_stime


def main() -> None:
    """Measures every count in a process of its own; prints and appends a row for each."""
    settings = SETTINGS | dict(word.split("=", 1) for word in sys.argv[1:])
    with tempfile.TemporaryDirectory() as directory:
        pictures = Path(settings["pictures"] or directory)
        if "only" in settings:
            print(*cost(settings, settings["only"], Path(settings["done"])))
            print(parts(settings, pictures / settings["only"]))
            return
        draw(pictures, 1)
        for n in map(int, settings["counts"].split(",")):
            draw(pictures, n)
            out = Path(directory, f"out {n}")
            given = [f"{key}={value}" for key, value in settings.items()]
            given += [f"pictures={pictures}", f"done={out}", f"only={n}"]
            child = subprocess.run([sys.executable, __file__, *given], stdout=subprocess.PIPE, check=True, text=True)
            seconds, processor, memory, of_parts = map(float, child.stdout.split())
            if_done = again(settings, pictures / str(n), out)
            row = {key: settings[key] for key in ("model", "search", "mask")} | {
                "n": n,
                "milliseconds_a_picture": round(1000 * seconds, 2),
                "processor_milliseconds_a_picture": round(1000 * processor, 2),
                "processor_milliseconds_of_parts": round(1000 * of_parts, 2),
                "ratio": round(processor / of_parts, 3),
                "peak_memory_mb": round(memory),
                "seconds_if_done": round(if_done[0], 1),
                "processor_seconds_if_done": round(if_done[1], 1),
            }
            append_row(Path(settings["out"]), row)
            print(row, flush=True)


if __name__ == "__main__":
    main()
