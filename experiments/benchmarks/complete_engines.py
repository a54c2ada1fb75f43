"""Cost of ``ganfill complete`` in one process, in shards and on Ray, for the same pictures; whether the results are equal.

    python experiments/benchmarks/complete_engines.py [counts=512 model=faces64 search=fast mask=freeform pictures=DIR
        out=experiments/results/complete_engines.csv]

Completes drawn faces of 64 x 64 pixels with ``outputs=finished`` on the CPU: in one process, in four shards one after
another, in four shards of which two run at once, and with ``engine=ray`` on this machine if Ray is installed. Each row holds
the processor time of the whole command with all its processes (read every 50 ms, so the last moments of a process are
missing), the time by the clock, and the number of files, pictures and ``results.json``, that are not bit-equal to those of
one process. The faces are kept in ``pictures`` if it is given.
"""

import filecmp
import sys
import tempfile
import time
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

import psutil
from complete_scaling import SETTINGS as OF_SCALING
from complete_scaling import draw, words
from provenance import append_row

SETTINGS = OF_SCALING | {
    "counts": "512",
    "mask": "freeform",
    "out": "experiments/results/complete_engines.csv",
}
SHARDS = ["-m", "shard=0/4,1/4,2/4,3/4"]
WAYS = {
    "one process": [],
    "4 shards in turn": SHARDS,
    "4 shards, two at once": [*SHARDS, "launcher=joblib", "launcher.n_jobs=2"],
    "ray": ["engine=ray"],
}
INTERVAL = 0.05  # seconds


def measure(command: list[str], folder: Path) -> tuple[float, float]:
    """Runs a command in a folder; returns its seconds, and the processor seconds of all its processes."""
    started, used = time.perf_counter(), dict[psutil.Process, float]()
    with (folder / "printed").open("w") as printed:
        process = psutil.Popen(command, cwd=folder, stdout=printed, stderr=printed)
        while process.poll() is None:
            with suppress(psutil.Error):
                for each in [process, *process.children(recursive=True)]:
                    with suppress(psutil.Error):
                        times = each.cpu_times()
                        used[each] = times.user + times.system
            time.sleep(INTERVAL)
    seconds = time.perf_counter() - started
    if process.returncode:
        sys.exit((folder / "printed").read_text())
    return seconds, sum(used.values())


def differing(out: Path, expected: Path) -> int:
    """Returns the number of pictures and summaries that are not bit-equal to the expected ones, or are missing."""
    names = [path.name for path in expected.glob("*.png")] + ["results.json"]
    _, *others = filecmp.cmpfiles(out, expected, names, shallow=False)
    return sum(map(len, others))


def main() -> None:
    """Measures every way for every count; prints and appends a row for each."""
    settings = SETTINGS | dict(word.split("=", 1) for word in sys.argv[1:])
    ways = dict(WAYS)
    if not find_spec("ray"):
        print("without Ray, which is not installed: pip install 'ganfill[ray]'", flush=True)
        del ways["ray"]
    with tempfile.TemporaryDirectory() as directory:
        folder, pictures = Path(directory), Path(settings["pictures"] or directory).resolve()
        for n in map(int, settings["counts"].split(",")):
            draw(pictures, n)
            for way, more in ways.items():
                out = folder / f"{n} {way}".replace(",", "")
                given = [*words(settings, pictures / str(n), out), *more]
                seconds, processor = measure([sys.executable, "-m", "ganfill", "complete", *given], folder)
                row = {key: settings[key] for key in ("model", "search", "mask")} | {
                    "n": n,
                    "way": way,
                    "processor_seconds": round(processor, 1),
                    "seconds": round(seconds, 1),
                    "files": len(list(out.glob("*.png"))) + 1,
                    "differing_files": differing(out, folder / f"{n} one process"),
                }
                append_row(Path(settings["out"]), row)
                print(row, flush=True)


if __name__ == "__main__":
    main()
