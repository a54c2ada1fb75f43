"""Run directories: configuration, checkpoints and metrics of a training."""

import csv
import zipfile
from pathlib import Path
from typing import Any

import torch
import yaml

from ganfill.errors import UserError, first_line
from ganfill.files import write_atomically
from ganfill.runs.config_diff import leaves
from ganfill.training import distributed

# Keys that decide where a training runs and what it records besides metrics.csv.
RECORD_KEYS = (
    "out", "device", "logger", "callbacks", "features", "fd_kimg", "fd_samples", "sample_kimg", "completion_kimg",
    "checkpoint_kimg",
)  # fmt: skip
# Keys that may change when a training is resumed. No step depends on them, except on kimg: the learning rates of encoder
# and inpainter follow the length that the training has by then.
FREE_KEYS = (*RECORD_KEYS, "kimg", "minutes", "half", "trainer", "terms", "fade_kimg", "data.path", "data.store")
# Keys that older versions did not have, with the values that those versions stood for.
LATER_KEYS = {"step": "alternating", "gan.step": "alternating"}

CHECKPOINT_KEYS = (
    "images_seen", "seconds", "state_dict", "optimizer_states", "lr_schedulers", "loops", "callbacks", "epoch",
    "global_step", "pytorch-lightning_version", "ganfill", "ganfill.data_digest", "ganfill.pictures",
)  # fmt: skip


def check_resumable(out: Path, config: dict[str, Any]) -> None:
    """Checks that a training in ``out``, if there is one, can be resumed with ``config``; writes nothing.

    Raises:
        UserError: ``out`` holds a training with another configuration; the message names the keys that differ.
    """
    path = out / "config.yaml"
    if path.exists() and (out / "last.ckpt").exists():  # before the first checkpoint there is nothing to lose
        try:
            old, new = (LATER_KEYS | dict(leaves(c)) for c in (yaml.safe_load(path.read_text("utf-8")), config))
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            raise UserError(f"{path} cannot be read ({first_line(error)}): choose another out") from None
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
        for name in CHECKPOINT_KEYS:
            part = checkpoint["ganfill"] if "." in name else checkpoint
            if name.removeprefix("ganfill.") not in part:
                raise ValueError(f"{name} is missing")
        with zipfile.ZipFile(path) as archive:  # torch stores checksums, and does not compare them
            if archive.testzip():
                raise ValueError("its content has changed since it was written")
    except Exception as error:
        reason = first_line(error)
        raise UserError(f"{path} is not a readable checkpoint of ganfill ({reason}); delete it to train anew") from None
    return checkpoint


def is_over(images_seen: int, seconds: float, kimg: float, minutes: float | None) -> bool:
    """True if a training has reached either of its limits; all processes follow the first one's seconds."""
    return images_seen >= kimg * 1000 or (minutes is not None and distributed.broadcast_flag(seconds >= minutes * 60))


def check_fits(found: dict[str, Any], wanted: dict[str, Any], path: Path) -> None:
    """Raises ``UserError`` if the weights of a checkpoint are not those of a module."""
    for name in sorted(found.keys() | wanted.keys()):
        shapes = [tuple(state[name].shape) if name in state else "missing" for state in (found, wanted)]
        if shapes[0] != shapes[1]:
            raise UserError(
                f"{path} does not fit this configuration ({name} is {shapes[0]}, expected {shapes[1]}): choose another out"
            )


def last_metrics(path: Path, kimg: float) -> dict[str, float]:
    """Returns the last row of a ``metrics.csv`` up to ``kimg``; nothing if there is none."""
    if not path.exists():
        return {}
    with path.open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if float(row["kimg"]) <= kimg]
    return {name: float(value) for name, value in rows[-1].items()} if rows else {}
