"""A run directory: which configuration it belongs to and how far its training has come."""

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
import yaml

from ganfill.errors import UserError
from ganfill.files import partial_path, write_atomically

# What a training may be continued with: none of these changes what the next step computes, but that an encoder's
# learning rate follows its kimg.
FREE_KEYS = (
    *("kimg", "minutes", "half", "out", "device", "trainer", "logger", "terms", "data.path", "data.store"),
    *("callbacks", "features", "fd_kimg", "fd_samples", "completion_kimg"),
)


def check_resumable(out: Path, config: dict[str, Any]) -> None:
    """Checks that a training in ``out``, if there is one, can be continued with ``config``; writes nothing.

    Raises:
        UserError: another configuration was trained in ``out``; the message names the keys that differ.
    """
    path = out / "config.yaml"
    if path.exists() and (out / "last.ckpt").exists():  # before the first checkpoint there is nothing to lose
        old, new = _flat(yaml.safe_load(path.read_text())), _flat(config)
        free = tuple(f"{key}." for key in FREE_KEYS)
        differing = [
            f"{key} (there {old.get(key)}, now {new.get(key)})"
            for key in sorted(old.keys() | new.keys())
            if old.get(key) != new.get(key) and not f"{key}.".startswith(free)
        ]
        if differing:
            raise UserError(
                f"{out} holds a training with another configuration: {', '.join(differing)}; "
                "give it back these values or choose another out"
            )


def init_run_dir(out: Path, config: dict[str, Any]) -> None:
    """Makes ``out`` the run directory of ``config`` and writes ``config.yaml``.

    Raises:
        UserError: another configuration was trained in ``out``.
    """
    check_resumable(out, config)
    out.mkdir(parents=True, exist_ok=True)
    path = out / "config.yaml"
    write_atomically(path, yaml.safe_dump(config, sort_keys=False, allow_unicode=True))


def save_checkpoint(trainer: pl.Trainer, path: Path) -> None:
    """Replaces the checkpoint at ``path`` as a whole. Every rank calls this; the first one writes."""
    if trainer.is_global_zero:
        write_atomically(path, trainer.save_checkpoint)
    else:
        trainer.save_checkpoint(partial_path(path))


def read_checkpoint(path: Path) -> dict[str, Any]:
    """Loads a checkpoint of a training, plain tensors and values only, onto the CPU.

    Raises:
        UserError: it is missing, damaged or none of ours.
    """
    if not path.exists():
        raise UserError(f"{path} does not exist: give the out directory of a training that has saved a checkpoint")
    try:
        checkpoint = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
        missing = {"images_seen", "ganfill", "state_dict"} - checkpoint.keys()
        if missing:
            raise ValueError(f"{missing.pop()} is missing")
    except Exception as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UserError(f"{path} is not a readable checkpoint of ganfill ({reason}); delete it to train anew") from None
    return checkpoint


def last_metrics(path: Path, kimg: float) -> dict[str, float]:
    """The last row of a ``metrics.csv`` up to ``kimg``; nothing if there is none."""
    if not path.exists():
        return {}
    with path.open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if float(row["kimg"]) <= kimg]
    return {name: float(value) for name, value in rows[-1].items()} if rows else {}


def _flat(config: Any, prefix: str = "") -> dict[str, Any]:
    if not isinstance(config, dict):
        return {prefix: config}
    return {name: v for key, value in config.items() for name, v in _flat(value, f"{prefix}.{key}".strip(".")).items()}


def cut_back(path: Path, columns: Sequence[str], images_seen: int) -> list[list[str]]:
    """Leaves in a CSV file, whose first column is kimg, these columns' header and the rows up to ``images_seen``.

    Returns:
        The rows that are left; none if there was no such file.
    """
    rows: list[list[str]] = []
    if path.exists():
        with path.open(newline="") as file:
            header, *rows = [*csv.reader(file)] or [[]]
        # A row that was being written when the training was killed is no row.
        whole = [row for row in rows if len(row) == len(columns)] if header == list(columns) else []
        rows = [row for row in whole if round(float(row[0]) * 1000) <= images_seen]

    file = io.StringIO(newline="")
    csv.writer(file).writerows([columns, *rows])
    write_atomically(path, file.getvalue())
    return rows
