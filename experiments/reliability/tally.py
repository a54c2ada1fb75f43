"""Settings and results of the reliability forms."""

import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from experiments.benchmarks.provenance import append_row

SHOWN = 20  # failures that are printed


class Tally:
    """Counts what was tried, and prints and records the result.

    Args:
        form: name of the form, such as "kills".
        case: what was tried, such as the name of a command.
    """

    def __init__(self, form: str, case: str) -> None:
        self.form, self.case, self.tried, self.started = form, case, 0, time.monotonic()
        self.failures: list[str] = []

    def add(self, label: str, problem: str | None) -> None:
        """Counts one try; ``problem`` is None if it was survived."""
        self.tried += 1
        if problem is not None:
            self.failures.append(f"{label}: {problem}")

    def finish(self, settings: Mapping[str, str]) -> None:
        """Prints the result and appends it to the CSV file that ``settings`` name."""
        failed = len(self.failures)
        print(f"{self.form} {self.case}: tried {self.tried}, survived {self.tried - failed}, failed {failed}")
        for line in self.failures[:SHOWN]:
            print(f"  {line}")
        sys.stdout.flush()
        if settings["out"] != "null":
            counts = {"tried": self.tried, "survived": self.tried - failed, "failed": failed}
            row = {"form": self.form, "case": self.case, "seed": settings["seed"]} | counts
            append_row(Path(settings["out"]), row | {"seconds": round(time.monotonic() - self.started)})


def run_form(form: Callable[[dict[str, str]], list[Tally]], defaults: Mapping[str, str]) -> None:
    """Runs a form with the ``key=value`` words of the command line; the exit code is 1 if anything failed."""
    settings = {"seed": "0", "out": "experiments/results/reliability.csv"} | dict(defaults)
    words = dict(word.split("=", 1) for word in sys.argv[1:])
    if unknown := words.keys() - settings.keys():
        sys.exit(f"{', '.join(sorted(unknown))}: choose from {', '.join(settings)}")
    tallies = form(settings | words)
    failed, tried = sum(len(tally.failures) for tally in tallies), sum(tally.tried for tally in tallies)
    print(f"tried {tried}, survived {tried - failed}, failed {failed}")
    sys.exit(failed > 0)
