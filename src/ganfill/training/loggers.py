"""Loggers beside ``metrics.csv``, which is always written."""

import logging
import os
import uuid
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import requests
import wandb
from pytorch_lightning.loggers import TensorBoardLogger, WandbLogger

from ganfill.errors import UserError

log = logging.getLogger(__name__)


def make_wandb_logger(
    out: str, project: str = "ganfill", group: str | None = None, name: str | None = None
) -> WandbLogger:
    """Logs to Weights & Biases: online with an account, otherwise offline into ``out``, said in one line.

    The run's id is kept in ``out``, so that a resumed training continues its run, offline in a directory beside the first
    one; ``kimg`` is the axis of every chart. See ``dashboard`` for what is shown.

    Args:
        out: the run directory.
        project: of wandb.
        group: that the run belongs to, such as a sweep.
        name: of the run; None: that of ``out``.
    """
    directory = Path(out)
    identity = directory / "wandb_id.txt"
    if not identity.exists():
        identity.write_text(uuid.uuid4().hex[:8])
    mode = os.environ.get("WANDB_MODE", "online")
    if mode == "online" and not has_account():
        log.warning("wandb: no account found, logging offline into %s (wandb sync sends it later)", directory / "wandb")
        mode = "offline"
    logger = WandbLogger(
        name=name or directory.name,
        save_dir=out,
        id=identity.read_text().strip(),
        project=project,
        group=group,
        settings=wandb.Settings(silent=True, mode=mode),  # pyright: ignore[reportArgumentType]
    )
    logger.experiment.define_metric("kimg")
    logger.experiment.define_metric("*", step_metric="kimg")
    return logger


def has_account() -> bool:
    """Whether an API key is set in the environment, in wandb's settings or in a netrc file."""
    settings = wandb.setup().settings
    return bool(settings.api_key or requests.utils.get_netrc_auth(settings.base_url))


def finish_wandb(loggers: list[Any], exit_code: int) -> None:
    """Ends the run, so that the next job of a sweep begins one of its own."""
    if any(isinstance(logger, WandbLogger) for logger in loggers):
        wandb.finish(exit_code=exit_code)


def make_tensorboard_logger(out: str) -> TensorBoardLogger:
    """Logs event files into ``out``/tensorboard.

    Raises:
        UserError: the package tensorboard is not installed.
    """
    if not find_spec("tensorboard"):
        raise UserError("logger=tensorboard needs the package tensorboard: pip install tensorboard, or logger=csv")
    return TensorBoardLogger(out, name="tensorboard", version="")
