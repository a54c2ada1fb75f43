"""``ganfill leaderboard``: compares the runs of a sweep."""

import logging
from pathlib import Path

from omegaconf import DictConfig

from ganfill.errors import Incomplete, UserError
from ganfill.files import identify
from ganfill.locks import hold_file
from ganfill.runs import leaderboard
from ganfill.runs.ranking import rank
from ganfill.runs.reader import read_runs

log = logging.getLogger(__name__)

GROUPS = ("seed", None)


def run(config: DictConfig) -> Path:
    """Writes the leaderboard of ``config.runs``; returns the path of its page.

    Raises:
        UserError: there are no runs, or a setting is invalid.
        Incomplete: some runs are not finished; everything is written.
    """
    directory = Path(str(config.runs))
    out = directory if config.out is None else Path(str(config.out))
    if config.group not in GROUPS:
        raise UserError(f"group={config.group} is not known: use seed, or null for a row for each run")
    if not directory.is_dir():
        raise UserError(f"{directory} is not a directory: give one that holds run directories of ganfill train")
    runs = read_runs(directory)
    if not runs:
        raise UserError(
            f"{directory} holds no training at any depth: give a directory that ganfill train has written to"
        )
    entries, by = rank(runs, None if config.by is None else str(config.by), config.group == "seed")
    page = out / "leaderboard.html"
    with hold_file(page):
        problems = leaderboard.write(out, identify(directory).name, runs, entries, by)
    for problem in problems:
        log.warning("%s", problem)
    late = [f"{run.name} ({run.state})" for run in runs if not (run.finished or run.pruned)]
    if late:
        raise Incomplete(f"{page} is written, but {len(late)} of {len(runs)} runs are not finished: {', '.join(late)}")
    return page
