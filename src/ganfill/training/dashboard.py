"""What loggers show, and under which names: sections, with images seen as the step of everything.

A key is ``section/column``, with the columns of ``metrics.csv``, ``distances.csv`` and ``completions.csv``. In wandb all
that is logged at one moment is one row of the run's history, and its step is images seen: sliders of pictures count in
them, and steps that a resumed training repeats are not there twice, as wandb takes none that lie before its last.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import wandb
import yaml
from PIL import Image
from pytorch_lightning.loggers import Logger, TensorBoardLogger, WandbLogger

# Of a column, by its first word.
SECTIONS = {
    "loss": "losses",
    "penalty": "losses",
    "logit": "logits",
    "gradient": "gradients",
    "error": "errors",
    "beyond": "errors",
    "fd": "distances",
    "kd": "distances",
    "diversity": "distances",
    "images": "speed",
    "seconds": "speed",
}


def key(column: str) -> str:
    """A column's name with its section before it, such as ``losses/loss_d``."""
    return f"{SECTIONS[column.partition('_')[0]]}/{column}"


def log_row(loggers: Sequence[Logger], row: Mapping[str, float], images_seen: int) -> None:
    """Logs figures by their keys."""
    for logger in loggers:
        if isinstance(logger, WandbLogger):
            _log(logger, row, images_seen)
        else:
            logger.log_metrics({**row, "kimg": images_seen / 1000}, step=images_seen)


def log_pictures(loggers: Sequence[Logger], pictures: Mapping[str, Image.Image], images_seen: int) -> None:
    """Logs RGB pictures by their keys, to loggers that can show them."""
    for logger in loggers:
        if isinstance(logger, WandbLogger):
            _log(logger, {name: wandb.Image(picture) for name, picture in pictures.items()}, images_seen)
        elif isinstance(logger, TensorBoardLogger):
            for name, picture in pictures.items():
                logger.experiment.add_image(name, np.asarray(picture), images_seen, dataformats="HWC")


def log_table(
    loggers: Sequence[Logger], name: str, columns: Sequence[str], rows: Sequence[Sequence[Any]], images_seen: int
) -> None:
    """Logs a table of texts, numbers and Pillow pictures to wandb; each moment has one of its own.

    One that grew would be sent as a whole each time.
    """
    for logger in loggers:
        if isinstance(logger, WandbLogger):
            cells: Any = [
                [wandb.Image(cell) if isinstance(cell, Image.Image) else cell for cell in row] for row in rows
            ]
            with _staging(logger):
                _log(logger, {name: wandb.Table(columns=list(columns), data=cells)}, images_seen)


def log_config(loggers: Sequence[Logger], config: dict[str, Any]) -> None:
    """Logs a training's configuration, plain values."""
    for logger in loggers:
        if isinstance(logger, TensorBoardLogger):
            text = yaml.safe_dump(config, sort_keys=False, allow_unicode=True)
            logger.experiment.add_text("config", "".join(f"    {line}\n" for line in text.splitlines()))
        else:
            logger.log_hyperparams(config)


@contextmanager
def _staging(logger: WandbLogger) -> Iterator[None]:
    """Keeps the copies of a table that ``wandb sync`` will need beside the run instead of in the user's home directory.

    Only while the run is offline, as otherwise they are gone in a moment, and only if the user has not said where.
    """
    if not logger.experiment.offline or "WANDB_DATA_DIR" in os.environ:
        yield
        return
    os.environ["WANDB_DATA_DIR"] = str(Path(str(logger.save_dir)).resolve() / "wandb")
    try:
        yield
    finally:
        del os.environ["WANDB_DATA_DIR"]


def _log(logger: WandbLogger, values: Mapping[str, Any], images_seen: int) -> None:
    # Not by Lightning's way, which counts calls: pictures would have another step than the figures beside them.
    logger.experiment.log({**values, "kimg": images_seen / 1000}, step=images_seen)
