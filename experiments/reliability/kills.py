"""Kills commands, continues them, and compares the results with those of an undisturbed run, bit for bit.

    python -m experiments.reliability.kills [kills=50 commands=prepare,train,complete,evaluate,sweep threads=1
        seed=0 out=FILE.csv]

Half of the kills come before a file operation in the output directory, spread over all of them; the other half at random
moments, which also tears what is being written. After a third of the kills, the command that continues is killed too.
``threads`` is the number of threads of torch, on which bits may depend.
"""

import random
import shutil
import tempfile
import time
from functools import partial
from pathlib import Path

import torch

from experiments.reliability.commands import Command, commands, make_inputs
from experiments.reliability.compare import differences
from experiments.reliability.processes import Outcome, Process, run
from experiments.reliability.tally import Tally, run_form

PICTURES = 300  # to prepare: several chunks


def kills(settings: dict[str, str]) -> list[Tally]:
    """Kills each command ``kills`` times."""
    names = settings["commands"].split(",")
    count, seed, threads = (int(settings[key]) for key in ("kills", "seed", "threads"))
    with tempfile.TemporaryDirectory() as directory:
        inputs = Path(directory, "inputs")
        make_inputs(inputs, seed, PICTURES)
        known = commands(inputs)
        tallies = []
        for name in names:
            tallies.append(kill_command(name, known[name], Path(directory), count, seed, threads))
            tallies[-1].finish(settings)
        return tallies


def kill_command(name: str, command: Command, directory: Path, count: int, seed: int, threads: int) -> Tally:
    """Kills one command ``count`` times; returns what was survived."""
    draws, tally = random.Random(f"{seed} {name}"), Tally("kills", name)
    out, reference = directory / name, directory / f"{name} reference"
    # The output has the same name each time, because configurations and tables contain it.
    started = time.monotonic()
    set_threads = partial(torch.set_num_threads, threads)
    whole = run(command(out), out, in_process=set_threads)
    duration = time.monotonic() - started
    assert whole.code == 0, whole.output
    out.rename(reference)
    for number in range(count):
        if number % 2:
            moment = draws.uniform(0, duration)
            label = f"killed after {moment:.3f} s"
            kill_after(Process(command(out), in_process=set_threads), moment)
        else:
            at = 1 + number * (whole.operations - 1) // max(count - 1, 1)
            label = f"killed before file operation {at} of {whole.operations}"
            run(command(out), out, at, set_threads)
        if draws.random() < 1 / 3:
            again = draws.uniform(0, duration)
            label += f" and again after {again:.3f} s"
            kill_after(Process(command(out), in_process=set_threads), again)
        tally.add(label, _check(run(command(out), in_process=set_threads), out, reference))
        shutil.rmtree(out, ignore_errors=True)
    shutil.rmtree(reference)
    return tally


def kill_after(process: Process, seconds: float) -> None:
    """Kills a process after a time, unless it has ended by then."""
    time.sleep(seconds)
    process.kill()  # a process that has ended stays a zombie until wait
    process.wait()


def _check(outcome: Outcome, out: Path, reference: Path) -> str | None:
    """Returns what is wrong with the end of the command that continued, or with its results."""
    if outcome.problem or outcome.code:
        return outcome.problem or f"exit code {outcome.code}: {outcome.last_line}"
    return "; ".join(differences(out, reference)[:3]) or None


if __name__ == "__main__":
    run_form(kills, {"kills": "50", "commands": "prepare,train,complete,evaluate,sweep", "threads": "1"})
