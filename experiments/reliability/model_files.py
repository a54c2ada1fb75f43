"""Gives tampered model files and checkpoints to ganfill.

    python -m experiments.reliability.model_files [models=200 checkpoints=50 seed=0 out=FILE.csv]

A model file is damaged, or written again with hostile values and a valid digest. ``info`` and ``complete`` must refuse it
with one line, or work; with a damaged one, they must work as before the damage. A damaged checkpoint must be refused, or the
training must end with the bits of an undisturbed one.
Processes may allocate 3 GB.
"""

import copy
import json
import random
import resource
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save_file

import ganfill
from experiments.reliability.commands import COMPLETE, TRAIN, save_model, smooth
from experiments.reliability.compare import differences
from experiments.reliability.malformed import damage_header, flip, remove, truncate
from experiments.reliability.processes import Outcome, run
from experiments.reliability.tally import Tally, run_form
from ganfill.model_io import model_file

MEMORY = 3 << 30  # bytes that a process may allocate
VALUES: tuple[Any, ...] = (
    *(65536, -5, 0, 1, "32", 10**12, 20_000, 3.5, float("nan"), float("inf"), None, True, [], {}, "", "x" * 100_000),
    *(
        "os.system",
        "torch.nn.Linear",
        "ganfill.cli.main",
        "ganfill.models.dcgan.Discriminator",
        {"class": "builtins.eval"},
    ),
)
DAMAGES: tuple[Callable[[bytes, random.Random], bytes], ...] = (truncate, flip, damage_header, remove)
NAMES = [damage.__name__ for damage in DAMAGES]


def model_files(settings: dict[str, str]) -> list[Tally]:
    """Tries ``models`` model files and ``checkpoints`` checkpoints."""
    seed = int(settings["seed"])
    with tempfile.TemporaryDirectory() as directory:
        tallies = [
            try_models(Path(directory), int(settings["models"]), seed),
            try_checkpoints(Path(directory), int(settings["checkpoints"]), seed),
        ]
    for tally in tallies:
        tally.finish(settings)
    return tallies


def try_models(directory: Path, count: int, seed: int) -> Tally:
    """Tries tampered model files with ``info`` and ``complete``."""
    tally, photo, out = Tally("model_files", "models"), directory / "photo.png", directory / "out"
    smooth(40, 50, np.random.default_rng(seed)).save(photo)
    good, path = directory / "good.safetensors", directory / "model.safetensors"
    save_model(good)
    shutil.copy(good, path)
    words = ["complete", str(photo), "mask=center", f"model={path}", *COMPLETE, f"out={out}"]
    reference = directory / "model reference"
    assert run(words).code == 0
    out.rename(reference)
    for number in range(count):
        draws = random.Random(f"{seed} model {number}")
        label = tamper(good, path, draws)
        problem = _problem(run(["info", f"file={path}"], in_process=limit_memory))
        if problem is None:
            outcome = run(words, in_process=limit_memory)
            problem = _problem(outcome) or _broken_json(out)
            if not problem and outcome.code == 0 and label in NAMES:  # only bytes without a meaning may have changed
                problem = "; ".join(differences(out, reference)[:3]) or None
        tally.add(f"model {number}, {label}", problem)
        shutil.rmtree(out, ignore_errors=True)
    return tally


def tamper(good: Path, path: Path, draws: random.Random) -> str:
    """Writes a tampered copy of a model file; returns how it was tampered with."""
    if draws.random() < 0.4:
        damage = draws.choice(DAMAGES)
        path.write_bytes(damage(good.read_bytes(), draws))
        return damage.__name__
    model = ganfill.load(good)
    if draws.random() < 0.15:
        network, value = draws.choice(("generator", "discriminator", "encoder")), draws.choice((float("nan"), 1e30))
        with torch.no_grad():
            next(getattr(model, network).parameters()).fill_(value)
        model_file.save(path, model)
        return f"weights of the {network} are {value}"
    model.card = copy.deepcopy(model.card)
    node: Any = model.card
    keys = []
    while isinstance(node, dict) and node:
        key = draws.choice(sorted(node))
        keys.append(key)
        if not isinstance(node[key], dict) or draws.random() < 0.3:
            break
        node = node[key]
    if draws.random() < 0.2:
        del node[keys[-1]]
        label = f"{'.'.join(keys)} is missing"
    else:
        node[keys[-1]] = draws.choice(VALUES)
        label = f"{'.'.join(keys)} is {str(node[keys[-1]])[:40]!r}"
    write_card(path, good, model.card)
    return label


def write_card(path: Path, good: Path, card: dict[str, Any]) -> None:
    """Writes a copy of a model file with another card, which ``model_file.save`` may refuse, and a valid digest."""
    tensors = load_file(good)
    header = {"format": model_file.FORMAT, "card": card, "sha256": model_file._digest(card, tensors)}
    save_file(tensors, path, {"ganfill": json.dumps(header)})


def try_checkpoints(directory: Path, count: int, seed: int) -> Tally:
    """Damages ``last.ckpt`` of short trainings and continues them."""
    tally, out = Tally("model_files", "checkpoints"), directory / "train"
    words = ["train", *TRAIN, f"out={out}"]
    start, reference = directory / "start", directory / "checkpoint reference"
    assert run([*words, "kimg=0.032"]).code == 0
    shutil.copytree(out, start)
    assert run(words).code == 0
    out.rename(reference)
    checkpoint = (start / "last.ckpt").read_bytes()
    for number in range(count):
        draws = random.Random(f"{seed} checkpoint {number}")
        damage = draws.choice(DAMAGES)
        shutil.copytree(start, out)
        (out / "last.ckpt").write_bytes(damage(checkpoint, draws))
        outcome = run(words, in_process=limit_memory)
        problem = _problem(outcome)
        if problem is None and outcome.code == 0:
            problem = "; ".join(differences(out, reference)[:3]) or None
        tally.add(f"checkpoint {number}, {damage.__name__}", problem)
        shutil.rmtree(out)
    return tally


def limit_memory() -> None:
    """Limits what this process may allocate from now on."""
    status = Path("/proc/self/status").read_text().splitlines()
    used = next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmSize"))
    resource.setrlimit(resource.RLIMIT_AS, (used + MEMORY, used + MEMORY))


def _problem(outcome: Outcome) -> str | None:
    too_much = any(word in outcome.output for word in ("allocate memory", "MemoryError", "not enough memory"))
    return outcome.problem or (f"allocates more than {MEMORY >> 30} GB" if too_much else None)


def _broken_json(out: Path) -> str | None:
    """Returns which results are no JSON, which has no NaN."""
    for path in out.glob("*.json"):
        try:
            json.loads(path.read_text("utf-8"), parse_constant=_refuse)
        except ValueError as error:
            return f"{path.name} is no JSON: {error}"
    return None


def _refuse(constant: str) -> None:
    raise ValueError(constant)


if __name__ == "__main__":
    run_form(model_files, {"models": "200", "checkpoints": "50"})
