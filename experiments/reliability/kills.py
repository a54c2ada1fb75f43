"""Kills commands, continues them, and compares the results with those of an undisturbed run, bit for bit.

    python -m experiments.reliability.kills [kills=50 commands=prepare,train,complete,evaluate,sweep threads=1
        seed=0 out=FILE.csv]

Half of the kills come before a file operation in the output directory, spread over all of them; the other half at random
moments, which also tears what is being written. After a third of the kills, the command that continues is killed too.
``threads`` is the number of threads of torch, on which bits may depend.
"""

import random
import shutil
import signal
import time
from functools import partial
from pathlib import Path

import torch

from experiments.reliability.commands import Command, run_undisturbed, try_each
from experiments.reliability.compare import differences
from experiments.reliability.processes import Outcome, Process, run
from experiments.reliability.tally import Tally, run_form

PICTURES = 300  # to prepare: several chunks


def kills(settings: dict[str, str]) -> list[Tally]:
    """Kills each command ``kills`` times."""
    count, seed, threads = (int(settings[key]) for key in ("kills", "seed", "threads"))
    return try_each(settings, PICTURES, partial(kill_command, count=count, seed=seed, threads=threads))


def kill_command(name: str, command: Command, directory: Path, count: int, seed: int, threads: int) -> Tally:
    """Kills one command ``count`` times; returns what was survived."""
    draws, tally = random.Random(f"{seed} {name}"), Tally("kills", name)
    out, reference = directory / name, directory / f"{name} reference"
    set_threads = partial(torch.set_num_threads, threads)
    whole, duration = run_undisturbed(command, out, reference, set_threads)
    for number in range(count):
        if number % 2:
            killed, label = False, ""
            while not killed:  # a command that was faster than the undisturbed one begins anew
                shutil.rmtree(out, ignore_errors=True)
                moment = draws.uniform(0, duration)
                label = f"killed after {moment:.3f} s"
                killed = kill_after(Process(command(out), in_process=set_threads), moment)
        else:
            at = 1 + number * (whole.operations - 1) // max(count - 1, 1)
            label = f"killed before file operation {at} of {whole.operations}"
            killed = run(command(out), out, at, set_threads).code == -signal.SIGKILL
        if draws.random() < 1 / 3:
            again = draws.uniform(0, duration)
            if kill_after(Process(command(out), in_process=set_threads), again):
                label += f" and again after {again:.3f} s"
        problem = _check(run(command(out), in_process=set_threads), out, reference)
        tally.add(label, problem if killed else "ended before it was killed")
        shutil.rmtree(out, ignore_errors=True)
    shutil.rmtree(reference)
    return tally


def kill_after(process: Process, seconds: float) -> bool:
    """Kills a process after a time; returns whether it still ran by then."""
    time.sleep(seconds)
    process.kill()  # a process that has ended stays a zombie until wait
    return process.wait().code == -signal.SIGKILL


def _check(outcome: Outcome, out: Path, reference: Path) -> str | None:
    """Returns what is wrong with the end of the command that continued, or with its results."""
    if outcome.problem or outcome.code:
        return outcome.problem or f"exit code {outcome.code}: {outcome.last_line}"
    return "; ".join(differences(out, reference)[:3]) or None


if __name__ == "__main__":
    run_form(kills, {"kills": "50", "commands": "prepare,train,complete,evaluate,sweep", "threads": "1"})
