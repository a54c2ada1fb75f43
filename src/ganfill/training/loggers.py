"""Loggers beside ``metrics.csv``, which is always written."""

import logging
import os
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from PIL import Image
from pytorch_lightning.loggers import Logger, TensorBoardLogger, WandbLogger

from ganfill.errors import UserError
from ganfill.files import write_atomically

log = logging.getLogger(__name__)

SECTIONS = {  # of a dashboard, by the first word of a column
    "loss": "losses", "penalty": "losses", "logit": "logits", "gradient": "gradients", "error": "errors",
    "beyond": "errors", "fd": "distances", "kd": "distances", "diversity": "distances", "images": "speed",
    "seconds": "speed",
}  # fmt: skip


def make_wandb_logger(
    out: str,
    project: str = "ganfill",
    entity: str | None = None,
    group: str | None = None,
    name: str | None = None,
    job_type: str | None = None,
    tags: str | list[str] | None = None,
    notes: str | None = None,
) -> WandbLogger:
    """Makes a logger to Weights & Biases; without an account it logs offline into ``out``, with a warning.

    The run's id is kept in ``out``, so that a resumed training continues its run. Every chart is drawn over ``kimg``.

    Args:
        out: the run directory.
        project: wandb's project.
        entity: user or team that owns the project; None: the account's default.
        group: group of the run, such as a sweep.
        name: name of the run; None: that of ``out``.
        job_type: kind of the run within its group.
        tags: tags of the run, a list or separated by commas.
        notes: description of the run.
    """
    import wandb  # takes half a second

    directory = Path(out)
    identity = directory / "wandb_id.txt"
    if not identity.exists():
        write_atomically(identity, uuid.uuid4().hex[:8])
    mode = os.environ.get("WANDB_MODE", "online")
    if mode == "online" and not has_account():
        log.warning("wandb: no account found, logging offline into %s (wandb sync sends it later)", directory / "wandb")
        mode = "offline"
    run = wandb.init(  # not by Lightning, which gives an argument that wandb warns about
        project=project,
        entity=entity,
        group=group,
        name=name or directory.name,
        job_type=job_type,
        tags=tags.split(",") if isinstance(tags, str) else tags,
        notes=notes,
        dir=out,
        id=identity.read_text().strip(),
        resume="allow",
        settings=wandb.Settings(silent=True, mode=mode),  # pyright: ignore[reportArgumentType]
    )
    run.define_metric("kimg")
    run.define_metric("*", step_metric="kimg")
    return WandbLogger(experiment=run, name=run.name, save_dir=out, project=project)


def has_account() -> bool:
    """True if an API key is set in the environment, in wandb's settings or in a netrc file."""
    import requests
    import wandb

    settings = wandb.setup().settings
    return bool(settings.api_key or requests.utils.get_netrc_auth(settings.base_url))


def finish_wandb(loggers: list[Any], exit_code: int) -> None:
    """Ends wandb's run, so that the next job of a sweep begins another."""
    if any(isinstance(logger, WandbLogger) for logger in loggers):
        import wandb

        wandb.finish(exit_code=exit_code)


def make_tensorboard_logger(out: str) -> TensorBoardLogger:
    """Makes a logger of event files in ``out``/tensorboard.

    Raises:
        UserError: the package tensorboard is not installed.
    """
    if not find_spec("tensorboard"):
        raise UserError("logger=tensorboard needs the package tensorboard: pip install tensorboard, or logger=csv")
    return TensorBoardLogger(out, name="tensorboard", version="")


def key(column: str) -> str:
    """Returns a column's name with its section, such as ``losses/loss_d``."""
    return f"{SECTIONS[column.partition('_')[0]]}/{column}"


def log_row(loggers: Sequence[Logger], row: Mapping[str, float], images_seen: int) -> None:
    """Logs numbers by their keys."""
    for logger in loggers:
        if isinstance(logger, WandbLogger):
            _log(logger, row, images_seen)
        else:
            logger.log_metrics({**row, "kimg": images_seen / 1000}, step=images_seen)


def log_pictures(loggers: Sequence[Logger], pictures: Mapping[str, Image.Image], images_seen: int) -> None:
    """Logs RGB pictures by their keys to wandb and TensorBoard."""
    for logger in loggers:
        if isinstance(logger, WandbLogger):
            import wandb

            _log(logger, {name: wandb.Image(picture) for name, picture in pictures.items()}, images_seen)
        elif isinstance(logger, TensorBoardLogger):
            for name, picture in pictures.items():
                logger.experiment.add_image(name, np.asarray(picture), images_seen, dataformats="HWC")


def log_table(
    loggers: Sequence[Logger], name: str, columns: Sequence[str], rows: Sequence[Sequence[Any]], images_seen: int
) -> None:
    """Logs a table of strings, numbers and Pillow pictures to wandb.

    Each call logs a table of its own, because a growing one would be sent as a whole each time.
    """
    for logger in loggers:
        if isinstance(logger, WandbLogger):
            import wandb

            cells: Any = [[wandb.Image(c) if isinstance(c, Image.Image) else c for c in row] for row in rows]
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
    """Keeps the files of an offline table, which ``wandb sync`` needs, beside the run and not in the home directory.

    Online they exist only for a moment. The user's own WANDB_DATA_DIR is respected.
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
    # Not through Lightning, which counts calls: pictures would have another step than the numbers beside them.
    logger.experiment.log({**values, "kimg": images_seen / 1000}, step=images_seen)
