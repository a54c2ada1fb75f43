"""``ganfill leaderboard``: compares the cells of a sweep."""

import logging
from pathlib import Path

from omegaconf import DictConfig

from ganfill.errors import Incomplete, UserError
from ganfill.runs import leaderboard, reader
from ganfill.runs.ranking import rank

log = logging.getLogger(__name__)

GROUPS = ("seed", None)


def run(config: DictConfig) -> Path:
    """Writes the leaderboard of ``config.runs``; returns the path of its page.

    Raises:
        UserError: there are no cells, or a setting makes no sense.
        Incomplete: some cells are not finished; everything is written.
    """
    runs = Path(str(config.runs))
    out = runs if config.out is None else Path(str(config.out))
    if config.group not in GROUPS:
        raise UserError(f"group={config.group} is not known: use seed, or null for a row a cell")
    if not runs.is_dir():
        raise UserError(f"{runs} is no directory: give one that holds the run directories of ganfill train")
    cells = reader.read(runs)
    if not cells:
        raise UserError(f"{runs} holds no training, at any depth: give a directory that ganfill train has written to")
    entries, by = rank(cells, None if config.by is None else str(config.by), config.group == "seed")
    for problem in leaderboard.write(out, runs.resolve().name, cells, entries, by):
        log.warning("%s", problem)
    page = out / "leaderboard.html"
    late = [f"{cell.name} ({cell.state})" for cell in cells if not cell.finished]
    if late:
        raise Incomplete(
            f"{page} is written, but {len(late)} of {len(cells)} cells are not finished: {', '.join(late)}"
        )
    return page
