"""Sends hostile requests to ``ganfill app``.

    python -m experiments.reliability.hostile_requests [requests=300 page=true seed=0 out=FILE.csv]

After every request the server must be alive, must not have answered with an internal error, must serve others in time and
must not have sent a picture from outside its upload folder. At the end it must give the same answer as in the beginning,
with memory below a limit.
"""

import random
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import requests

from experiments.reliability.commands import save_model, smooth
from experiments.reliability.http_client import Client
from experiments.reliability.tally import Tally, run_form

MEMORY = 3000  # megabytes


@contextmanager
def served(model: Path, page: str) -> Iterator[tuple[str, subprocess.Popen]]:
    """Runs the server; yields its address and process."""
    words = [f"models={model}", "device=cpu", "seconds=10", f"page={page}", "port=0"]
    command = [sys.executable, "-m", "ganfill", "app", *words]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        try:
            assert process.stdout is not None
            yield process.stdout.readline().split()[3].rstrip(";"), process
        finally:
            process.terminate()


def hostile_requests(settings: dict[str, str]) -> list[Tally]:
    """Sends ``requests`` requests, chosen at random."""
    seed, tally = int(settings["seed"]), Tally("hostile_requests", f"page={settings['page']}")
    with tempfile.TemporaryDirectory() as directory:
        save_model(Path(directory, "model.safetensors"))
        secret = Path(directory, "secret.png")
        smooth(61, 67, np.random.default_rng(1)).save(secret)
        with served(Path(directory, "model.safetensors"), settings["page"]) as (address, process):
            client = Client(address, secret)
            kinds: list[Callable[[random.Random], str | None]] = [
                *(
                    client.malformed_picture,
                    client.hostile_options,
                    client.giant,
                    client.foreign_page,
                    client.raw_bytes,
                ),
                *(client.other_path, *([client.page_event] * 2 if settings["page"] == "true" else [])),
            ]
            first = client.complete(client.sample(), '{"hole": "center"}', headers={"Accept": "image/png"}).content
            for number in range(int(settings["requests"])):
                draws = random.Random(f"{seed} {number}")
                send = draws.choice(kinds)
                try:
                    problem = send(draws)
                except requests.RequestException as error:  # the server may close a connection, but not hang
                    problem = "no answer in time" if isinstance(error, requests.Timeout) else None
                tally.add(f"request {number}, {send.__name__}", problem or client.in_time())
                if process.poll() is not None:
                    tally.add("the server", f"ended with {process.returncode}")
                    break
            else:
                last = client.complete(client.sample(), '{"hole": "center"}', headers={"Accept": "image/png"}).content
                tally.add("the same request at the end", None if last == first else "has another answer")
                peak = peak_memory(process.pid)
                tally.add("memory", None if peak < MEMORY else f"the server took {peak:.0f} MB")
    tally.finish(settings)
    return [tally]


def peak_memory(pid: int) -> float:
    """Returns the largest resident set of a process so far, in megabytes."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM"))


if __name__ == "__main__":
    run_form(hostile_requests, {"requests": "300", "page": "true"})
