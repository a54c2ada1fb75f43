"""Starts the same command several times at once with one output directory.

    python -m experiments.reliability.races [races=10 processes=3 commands=prepare,train,complete,evaluate,sweep seed=0
        out=FILE.csv]

At least one process must finish. The others must finish too, or be refused with one line that names the directory. The
results must be those of an undisturbed run.
"""

import random
import shutil
import time
from functools import partial
from pathlib import Path

from experiments.reliability.commands import Command, run_undisturbed, try_each
from experiments.reliability.compare import differences
from experiments.reliability.processes import Process
from experiments.reliability.tally import Tally, run_form

PICTURES = 100


def races(settings: dict[str, str]) -> list[Tally]:
    """Races each command ``races`` times against itself."""
    count, processes, seed = (int(settings[key]) for key in ("races", "processes", "seed"))
    return try_each(settings, PICTURES, partial(race, count=count, processes=processes, seed=seed))


def race(name: str, command: Command, directory: Path, count: int, processes: int, seed: int) -> Tally:
    """Races one command ``count`` times; half of the races start at once, the others at random moments."""
    draws, tally = random.Random(f"{seed} {name}"), Tally("races", name)
    out, reference = directory / name, directory / f"{name} reference"
    _, duration = run_undisturbed(command, out, reference)
    for number in range(count):
        pauses = [draws.uniform(0, duration / processes) * (number % 2) for _ in range(processes - 1)]
        started_processes = [Process(command(out))]
        for pause in pauses:
            time.sleep(pause)
            started_processes.append(Process(command(out)))
        outcomes = [process.wait() for process in started_processes]
        problems = [outcome.problem for outcome in outcomes if outcome.problem]
        problems += [
            f"refused without naming the directory: {outcome.last_line}"
            for outcome in outcomes
            if outcome.code == 2 and str(out) not in outcome.output
        ]
        if not any(outcome.code == 0 for outcome in outcomes):
            problems.append(f"nobody finished: {outcomes[0].last_line}")
        problems += differences(out, reference)
        label = f"race {number}, pauses {', '.join(f'{pause:.2f} s' for pause in pauses)}"
        tally.add(label, "; ".join(problems[:3]) or None)
        shutil.rmtree(out, ignore_errors=True)
    shutil.rmtree(reference)
    return tally


if __name__ == "__main__":
    run_form(races, {"races": "10", "processes": "3", "commands": "prepare,train,complete,evaluate,sweep"})
