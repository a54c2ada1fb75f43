"""Cost of a picture in ``ganfill complete`` that is listed and recorded, but not computed.

    python experiments/benchmarks/complete_listing.py [n=65536 out=experiments/results/complete_listing.csv]

Lists a folder of ``n`` small files, records a result for each as ``search=fast`` does, starts again, when all of them are
done, and writes ``results.json``. The row holds processor time in microseconds of a picture for each, the bytes of the
record, and the growth of the memory, which listing and record take, in bytes of a picture. Files are in the system's cache.
"""

import resource
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from provenance import append_row

from ganfill.completion.find_pictures import find_others, find_pictures
from ganfill.completion.result_folder import RESULTS, ResultFolder
from ganfill.images.holes import HoleSource

SETTINGS = {"n": "65536", "out": "experiments/results/complete_listing.csv"}
SQUARE = {"left": 0, "top": 0, "right": 64, "bottom": 64, "angle": 0.0, "face": None, "score": 0.16712}
HOLE = {"left": 16, "top": 16, "right": 48, "bottom": 48, "pixels": 1024, "method": "model", "squares": [SQUARE]}


def main() -> None:
    """Measures once; prints and appends the row."""
    settings = SETTINGS | dict(word.split("=", 1) for word in sys.argv[1:])
    n, row = int(settings["n"]), dict[str, Any]()

    @contextmanager
    def timed(name: str) -> Iterator[None]:
        started = time.process_time()
        yield
        row[f"microseconds_to_{name}"] = round(1e6 * (time.process_time() - started) / n, 1)

    with tempfile.TemporaryDirectory() as directory:
        images, out, source = Path(directory, "in"), Path(directory, "out"), HoleSource("center", 64)
        images.mkdir()
        for i in range(n):
            (images / f"{i:08}.png").write_bytes(bytes(8))
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        with timed("list"):
            pictures = find_pictures([str(images)])
            find_others([str(images)])
        folder = ResultFolder(out, {}, True)
        with timed("choose"):
            jobs = [folder.job(name, path, source) for name, path in pictures.items()]
        with timed("record"):
            for job in jobs:
                folder.begin(job)
                (out / f"{job.name}.png").touch()
                entry = {"source": str(job.path), "missing": 0.25, "scores": [0.16712], "holes": [HOLE]}
                folder.finish(job, entry | {"files": [f"{job.name}.png"], "digest": job.digest})
        row["bytes_of_memory"] = round(1024 * (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / n)
        row["bytes_of_record"] = round(folder.records.path.stat().st_size / n)
        again = ResultFolder(out, {}, True)
        with timed("start_again"):
            done = [again.has(again.job(name, path, source)) for name, path in pictures.items()]
        assert all(done)
        with timed("write_results"):
            again.write_results()
        row["bytes_of_results"] = round((out / RESULTS).stat().st_size / n)
    append_row(Path(settings["out"]), {"n": n} | row)
    print(row)


if __name__ == "__main__":
    main()
