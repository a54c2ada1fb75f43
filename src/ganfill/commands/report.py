"""``ganfill report``: one page about a training."""

import logging
from pathlib import Path

from omegaconf import DictConfig

from ganfill.runs import report as training

log = logging.getLogger(__name__)


def run(config: DictConfig) -> Path:
    """Writes the page about the training in ``config.run``; returns the page's path.

    Raises:
        UserError: there is no training.
    """
    directory = Path(str(config.run))
    out = directory if config.out is None else Path(str(config.out))
    page = out / "report.html" if out.is_dir() else out
    found = training.read(directory)
    for problem in found.problems:
        log.warning("%s", problem)
    training.write(page, found)
    return page
