"""Sheets of pictures in a run directory, named by the training's clock, that a resumed training continues."""

import re
from pathlib import Path

NAME = re.compile(r"kimg(\d{6,12})(?:_\w+)?\.png")


def sheet_path(directory: Path, images_seen: int, kind: str = "") -> Path:
    """Returns ``directory/kimg000120.png``, or ``kimg000120_KIND.png``."""
    return directory / f"kimg{images_seen // 1000:06d}{'_' if kind else ''}{kind}.png"


def drop_later_sheets(directory: Path, images_seen: int) -> None:
    """Deletes sheets from after ``images_seen``, which the training will repeat; all of them if it begins anew."""
    for path in directory.glob("kimg*.png"):
        match = NAME.fullmatch(path.name)
        if match and (not images_seen or int(match[1]) > images_seen // 1000):
            path.unlink()
