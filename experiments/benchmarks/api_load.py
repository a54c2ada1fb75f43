"""Load test of ``ganfill app`` with concurrent clients: errors, mixed-up answers, latency, memory.

    python experiments/benchmarks/api_load.py [model=faces64 search=standard mask=center clients=8 requests=25 page=true
        seed=0 out=experiments/results/api_load.csv]

A server process is started as a user would. Each client sends its requests one after the other; every request is a picture
and a seed of its own, made of the packaged demonstration faces by turning and shifting their colours. An answer is mixed
up unless its pixels are those that ``Model.complete`` gives in this process for the same picture alone. Memory is the
server's resident set: after a first round of warming up, and at the end.
"""

import statistics
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path

import numpy as np
import requests
from PIL import Image
from provenance import append_row
from served import served

import ganfill
from ganfill.model_io.model_file import PACKAGED

SETTINGS = {
    "model": "faces64",
    "search": "standard",
    "mask": "center",
    "clients": "8",
    "requests": "25",
    "page": "true",
    "seed": "0",
    "out": "experiments/results/api_load.csv",
}


def resident(pid: int) -> float:
    """Returns the resident set of a process in megabytes."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS"))


def pictures(count: int, seed: int) -> list[np.ndarray]:
    """Returns variations of the demonstration faces, uint8 (64, 64, 3) or larger."""
    random = np.random.default_rng(seed)
    faces = [np.asarray(Image.open(path).convert("RGB")) for path in sorted(PACKAGED.glob("demo/ffhq_*.png"))]
    variations = []
    for i in range(count):
        face = faces[i % len(faces)][:, :: random.choice([-1, 1])]
        variations.append((face + random.integers(-20, 21, 3)).clip(0, 255).astype(np.uint8))
    return variations


def ask(address: str, settings: dict[str, str], picture: np.ndarray, seed: int) -> tuple[bytes, float]:
    """Sends a request; returns the PNG of the answer, empty after an error, and the seconds it took."""
    file = BytesIO()
    Image.fromarray(picture).save(file, "PNG")
    options = f'{{"search": "{settings["search"]}", "hole": "{settings["mask"]}", "seed": {seed}}}'
    started = time.perf_counter()
    answer = requests.post(
        f"{address}/v1/complete",
        files={"picture": file.getvalue()},
        data={"options": options},
        headers={"Accept": "image/png"},
        timeout=600,
    )
    return answer.content if answer.ok else b"", time.perf_counter() - started


def main() -> None:
    """Measures; prints and appends a row."""
    settings = SETTINGS | dict(word.split("=", 1) for word in sys.argv[1:])
    clients, each, seed = (int(settings[key]) for key in ("clients", "requests", "seed"))
    asked = pictures(clients * each, seed)
    with (
        served([f"models={settings['model']}", f"page={settings['page']}"]) as (address, pid),
        ThreadPoolExecutor(clients) as threads,
    ):
        for i in range(clients):
            ask(address, settings, asked[i], seed)
        before, started = resident(pid), time.perf_counter()

        def client(i: int) -> list[tuple[bytes, float]]:
            return [ask(address, settings, asked[k], seed + k) for k in range(i * each, (i + 1) * each)]

        found = [answer for part in threads.map(client, range(clients)) for answer in part]
        seconds, after = time.perf_counter() - started, resident(pid)
    model, mixed_up = ganfill.load(settings["model"]), 0
    for k, (png, _) in enumerate(found):
        alone = model.complete(Image.fromarray(asked[k]), settings["mask"], search=settings["search"], seed=seed + k)
        mixed_up += bool(png) and not np.array_equal(np.asarray(Image.open(BytesIO(png))), np.asarray(alone))
    latencies = sorted(latency for _, latency in found)
    figures = {
        "answers": len(found),
        "errors": sum(not png for png, _ in found),
        "mixed_up": mixed_up,
        "answers_a_second": round(len(found) / seconds, 2),
        "latency_median_s": round(statistics.median(latencies), 3),
        "latency_95_percent_s": round(latencies[int(0.95 * len(latencies))], 3),
        "memory_before_mb": round(before),
        "memory_after_mb": round(after),
    }
    keys = ("model", "search", "mask", "clients", "requests", "page", "seed")
    append_row(Path(settings["out"]), {key: settings[key] for key in keys} | figures)
    print(figures)


if __name__ == "__main__":
    main()
