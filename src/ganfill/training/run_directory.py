"""Run directories: configuration, checkpoints and metrics of a training."""

import math
import zipfile
from dataclasses import fields
from pathlib import Path
from typing import Any

import torch
import yaml

from ganfill.adversarial.fade import Fade
from ganfill.errors import UserError, first_line
from ganfill.files import write_atomically
from ganfill.runs.config_diff import leaves
from ganfill.runs.reader import PRUNED, read_table
from ganfill.text_files import read_mapping
from ganfill.training import distributed

# Keys that decide where a training runs and what it records besides metrics.csv.
RECORD_KEYS = (
    "out", "device", "logger", "callbacks", "features", "fd_kimg", "fd_samples", "sample_kimg", "completion_kimg",
    "checkpoint_kimg",
)  # fmt: skip
# Keys that may change when a training is resumed. No step depends on them, with two exceptions. The learning rates of
# encoder and inpainter follow the length that the training has by then (kimg), and docs/training.md lists what depends on
# the number of processes (trainer).
FREE_KEYS = (*RECORD_KEYS, "kimg", "minutes", "half", "trainer", "terms", "data.path", "data.store")
# Keys that older versions did not have, with the values that those versions stood for.
LATER_KEYS = {
    "step": "alternating", "gan.step": "alternating", "gap_aware": False, "gan.gap_aware": False, "fade_kimg": 100,
    "feature_weight": 0.0,
}  # fmt: skip

# Content of a checkpoint. A name with a dot is one of the provenance.
CHECKPOINT_FIELDS: dict[str, type | tuple[type, ...]] = {
    "images_seen": int, "seconds": (int, float), "state_dict": dict, "optimizer_states": list, "lr_schedulers": list,
    "loops": dict, "callbacks": dict, "epoch": int, "global_step": int, "pytorch-lightning_version": str, "ganfill": dict,
    "ganfill.data_digest": str, "ganfill.pictures": int,
}  # fmt: skip
MOST = 10**15  # images, steps or seconds


def check_resumable(out: Path, config: dict[str, Any]) -> None:
    """Checks that a training in ``out``, if there is one, can be resumed with ``config``; writes nothing.

    Raises:
        UserError: ``out`` holds a training with another configuration; the message names the keys that differ.
    """
    path = out / "config.yaml"
    if path.exists() and (out / "last.ckpt").exists():  # before the first checkpoint there is nothing to lose
        try:
            old, new = (LATER_KEYS | dict(leaves(c)) for c in (read_mapping(path), config))
        except ValueError as error:
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
    """Makes ``out`` the run directory of ``config``: writes ``config.yaml``, and forgets how an earlier attempt ended.

    Raises:
        UserError: see ``check_resumable``.
    """
    check_resumable(out, config)
    if out.exists() and not out.is_dir():
        raise UserError(f"out={out} is a file: choose another out for the run directory")
    out.mkdir(parents=True, exist_ok=True)
    write_atomically(out / "config.yaml", yaml.safe_dump(config, sort_keys=False, allow_unicode=True))
    for note in ("failed.txt", PRUNED):  # of a sweep
        (out / note).unlink(missing_ok=True)


def read_checkpoint(path: Path, remedy: str = "delete it to train anew") -> dict[str, Any]:
    """Loads the checkpoint of a training, plain tensors and values only, onto the CPU.

    Raises:
        UserError: it is missing, damaged or not from ganfill.
    """
    if not path.exists():
        raise UserError(f"{path} does not exist: give the out directory of a training that has saved a checkpoint")
    try:
        checkpoint = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
        if not isinstance(checkpoint, dict):
            raise ValueError(f"it holds {type(checkpoint).__name__}")
        _check_fields(checkpoint)
        with zipfile.ZipFile(path) as archive:  # torch stores checksums, and does not compare them
            if archive.testzip():
                raise ValueError("its content has changed since it was written")
    except Exception as error:
        reason = first_line(error)
        raise UserError(f"{path} is not a readable checkpoint of ganfill ({reason}); {remedy}") from None
    return checkpoint


def _check_fields(checkpoint: dict[str, Any]) -> None:
    """Raises ``ValueError`` for a field that is missing, of another type, or out of range."""
    for name, kind in CHECKPOINT_FIELDS.items():
        part = checkpoint["ganfill"] if "." in name else checkpoint
        key = name.removeprefix("ganfill.")
        if key not in part:
            raise ValueError(f"{name} is missing")
        value = part[key]
        in_range = not isinstance(value, int | float) or 0 <= value <= MOST  # False for NaN
        if not isinstance(value, kind) or isinstance(value, bool) or not in_range:
            raise ValueError(f"{name} is {value!r:.40}")
    if strange := [name for name, value in checkpoint["state_dict"].items() if not isinstance(value, torch.Tensor)]:
        raise ValueError(f"{strange[0]} is no tensor")
    fade = checkpoint.get("fade")  # missing in checkpoints of older versions
    if fade is not None and not all(isinstance(fade[field.name], int | float) for field in fields(Fade)):
        raise ValueError(f"fade is {fade!r:.80}")


def is_over(images_seen: int, seconds: float, kimg: float, minutes: float | None) -> bool:
    """True if a training has reached either of its limits; all processes follow the first one's seconds."""
    return images_seen >= kimg * 1000 or (minutes is not None and distributed.broadcast_flag(seconds >= minutes * 60))


def check_fits(found: dict[str, Any], wanted: dict[str, Any], path: Path, remedy: str = "choose another out") -> None:
    """Raises ``UserError`` if the weights of a checkpoint are not those of a module."""
    for name in sorted(found.keys() | wanted.keys()):
        shapes = [tuple(state[name].shape) if name in state else "missing" for state in (found, wanted)]
        if shapes[0] != shapes[1]:
            raise UserError(
                f"{path} does not fit this configuration ({name} is {shapes[0]}, expected {shapes[1]}): {remedy}"
            )


def last_metrics(path: Path, kimg: float) -> dict[str, float]:
    """Returns the finite numbers in the last row of a ``metrics.csv`` up to ``kimg``; nothing if there is none."""
    rows = [row for row in read_table(path, [])[1] if row["kimg"] <= kimg]
    return {name: value for name, value in rows[-1].items() if math.isfinite(value)} if rows else {}
