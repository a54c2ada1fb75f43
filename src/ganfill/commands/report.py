"""``ganfill report``: writes a page about one training."""

import logging
from pathlib import Path

from omegaconf import DictConfig

from ganfill.errors import UserError
from ganfill.locks import hold_file
from ganfill.runs import report

log = logging.getLogger(__name__)


def run(config: DictConfig) -> Path:
    """Writes the page about the training in ``config.run``; returns the path of the page.

    Raises:
        UserError: there is no training.
    """
    directory = Path(str(config.run))
    out = directory if config.out is None else Path(str(config.out))
    page = out / "report.html" if out.is_dir() else out
    training = report.read(directory)
    if page.suffix.lower() not in (".html", ".htm"):
        raise UserError(f"out={out} is neither a folder nor the name of a page: give out={out.with_suffix('.html')}")
    for problem in training.problems:
        log.warning("%s", problem)
    with hold_file(page):
        report.write(page, training)
    return page
