"""Run directories: configuration, checkpoints and metrics of a training."""

import csv
from pathlib import Path
from typing import Any

import torch
import yaml

from ganfill.errors import UserError
from ganfill.files import write_atomically
from ganfill.training import distributed

# Keys that may change when a training is resumed, because no step depends on them; only the learning rate of an encoder
# depends on kimg.
FREE_KEYS = (
    *("kimg", "minutes", "half", "out", "device", "trainer", "logger", "terms", "data.path", "data.store"),
    *("callbacks", "features", "fd_kimg", "fd_samples", "completion_kimg"),
)


def check_resumable(out: Path, config: dict[str, Any]) -> None:
    """Checks that a training in ``out``, if there is one, can be resumed with ``config``; writes nothing.

    Raises:
        UserError: ``out`` holds a training with another configuration; the message names the keys that differ.
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
                "restore these values or choose another out"
            )


def init_run_dir(out: Path, config: dict[str, Any]) -> None:
    """Makes ``out`` the run directory of ``config`` and writes ``config.yaml``.

    Raises:
        UserError: see ``check_resumable``.
    """
    check_resumable(out, config)
    if out.exists() and not out.is_dir():
        raise UserError(f"out={out} is a file: choose another out for the run directory")
    out.mkdir(parents=True, exist_ok=True)
    write_atomically(out / "config.yaml", yaml.safe_dump(config, sort_keys=False, allow_unicode=True))


def read_checkpoint(path: Path) -> dict[str, Any]:
    """Loads the checkpoint of a training, plain tensors and values only, onto the CPU.

    Raises:
        UserError: it is missing, damaged or not from ganfill.
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


def is_over(images_seen: int, seconds: float, kimg: float, minutes: float | None) -> bool:
    """True if a training has reached either of its limits; all processes follow the first one's seconds."""
    return images_seen >= kimg * 1000 or (minutes is not None and distributed.broadcast_flag(seconds >= minutes * 60))


def last_metrics(path: Path, kimg: float) -> dict[str, float]:
    """Returns the last row of a ``metrics.csv`` up to ``kimg``; nothing if there is none."""
    if not path.exists():
        return {}
    with path.open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if float(row["kimg"]) <= kimg]
    return {name: float(value) for name, value in rows[-1].items()} if rows else {}


def _flat(config: Any, prefix: str = "") -> dict[str, Any]:
    if not isinstance(config, dict):
        return {prefix: config}
    return {name: v for key, value in config.items() for name, v in _flat(value, f"{prefix}.{key}".strip(".")).items()}
