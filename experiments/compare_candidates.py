"""Trains three designs of an inpainter for equal processor time, and measures them.

    OMP_NUM_THREADS=1 taskset -c 1 python experiments/compare_candidates.py [features=NAME=FILE.py:CLASS:WEIGHTS,...
        models=packaged,guess,b,a,c store=data/faces64 pictures=celebacrop64 n=300 many=64 seed=0 folder=runs/candidates]

b is ganfill's own design. ``kimg`` below was chosen by the measured speeds, so that each takes about eight minutes of
processor time, a third of it for the regression. A candidate that is in ``folder`` already is not trained again. ``fast``
completes ``n`` faces by each candidate, by the packaged inpainter and without an inpainter (``guess``). ``spread`` is the
mean absolute difference between two of eight such answers to each of ``many`` faces, in levels. A row for each model and
hole goes to ``experiments/results/candidates.csv``, and sheets to ``folder``.
"""

import csv
import os
import resource
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from benchmarks.provenance import append_row
from torch.utils.flop_counter import FlopCounterMode

from ganfill.commands import evaluate
from ganfill.config import compose
from ganfill.metrics.features import load_networks
from ganfill.model_io import model_file

SETTINGS = {
    "features": "", "models": "packaged,guess,b,a,c", "store": "data/faces64", "pictures": "celebacrop64", "n": "300",
    "many": "64", "seed": "0", "folder": "runs/candidates",
}  # fmt: skip
MODEL = "faces64"
HERE = Path(__file__).parent
RESULTS = HERE / "results" / "candidates.csv"
CANDIDATES = {
    "b": "regression_kimg=11.8 kimg=26.4",
    "a": (
        "inpainter._target_=candidates.ModulatedGenerator inpainter.widths=[32,64,112] regression_kimg=11.2 kimg=25.3"
    ),
    "c": (
        "inpainter._target_=candidates.CoModulated inpainter.widths=[40,80,144,208] inpainter.blocks=1 "
        "regression_kimg=11.2 kimg=25.3"
    ),
}


def train(name: str, words: str, settings: dict[str, str]) -> tuple[str, float]:
    """Trains a candidate unless it is there; returns its model file and the CPU seconds."""
    out = Path(settings["folder"], name)
    record = out / "cpu_seconds.txt"
    if not record.exists():
        data = f"data.path={settings['store']}"
        words = f"train-inpainter {data} model={MODEL} {words} seed={settings['seed']} out={out}"
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, "-m", "ganfill", *words.split()], check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        record.write_text(f"{after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime:.1f}\n")
    return str(out / "model.safetensors"), float(record.read_text())


def measure(model: str, settings: dict[str, str], sheets: Path) -> dict[str, dict[str, str]]:
    """Completes faces by a model; returns the row of each kind of hole, and keeps the sheets."""
    folder, common = Path(settings["folder"]), ("mask=center,half", "search=fast", f"seed={settings['seed']}")
    common = (*common, f"data.path={settings['store']}", f"model={model}", f"pictures={settings['pictures']}")
    found: dict[str, dict[str, str]] = {}
    many = f"n={settings['many']}"
    for out, *words in (
        (folder / "many", many, "answers=8"),
        (folder / "quality", f"n={settings['n']}", f"features={settings['features'] or 'null'}", "sheet=16"),
    ):
        evaluate.run(compose("evaluate", [*common, *words, f"out={out}"]))
        with (out / "table.csv").open(newline="") as file:
            rows = [row for row in csv.DictReader(file) if row["search"] == "fast"]
        for row in rows:
            found[row["mask"]] = found.get(row["mask"], {}) | {key: value for key, value in row.items() if value}
    shutil.copytree(folder / "quality" / "sheets", sheets, dirs_exist_ok=True)
    return found


def size(model: str) -> dict[str, Any]:
    """Returns the parameters of a model's inpainter, in thousands, and its million multiply-adds for a picture."""
    inpainter = model_file.load(model).inpainter
    if inpainter is None:
        return {"parameters_k": 0, "million_multiply_adds": 0}
    picture, known = torch.zeros(1, 3, 64, 64), torch.ones(1, 1, 64, 64)
    with FlopCounterMode(display=False) as counter:
        inpainter(picture, known, picture)
    parameters = sum(parameter.numel() for parameter in inpainter.parameters())
    return {
        "parameters_k": round(parameters / 1e3),
        "million_multiply_adds": round(counter.get_total_flops() / 2e6),
    }


def main() -> None:
    """Trains, measures, and appends rows."""
    settings = SETTINGS | dict(word.split("=", 1) for word in sys.argv[1:])
    folder = Path(settings["folder"])
    folder.mkdir(parents=True, exist_ok=True)
    os.environ |= {"PYTHONPATH": str(HERE), "GANFILL_PLUGINS": "candidates"}
    packaged = model_file.load(MODEL)
    card = {key: value for key, value in packaged.card.items() if key not in ("inpainter", "upsampler")}
    model_file.save(folder / "guess.safetensors", replace(packaged, inpainter=None, upsampler=None, card=card))
    models: dict[str, tuple[str, float | str]] = {}
    for name in settings["models"].split(","):
        if name in CANDIDATES:
            models[name] = train(name, CANDIDATES[name], settings)
        else:
            models[name] = MODEL if name == "packaged" else str(folder / "guess.safetensors"), ""
    networks = {
        network.name: network.digest[:12]
        for network in load_networks(settings["features"].split(",") if settings["features"] else [])
    }
    for name, (model, seconds) in models.items():
        kimg = model_file.load(model).card.get("inpainter", {}).get("kimg", "")
        for mask, row in measure(model, settings, folder / f"sheets_{name}").items():
            measured = {key: row.get(key, "") for key in ("psnr", "psnr_low", "psnr_high", "fd_face", "fd_artifact")}
            measured["spread"] = row["diversity"]
            common = {"model": name, "mask": mask, "n": settings["n"], "many": settings["many"], "kimg": kimg}
            append_row(
                RESULTS,
                common | {"cpu_seconds": seconds} | size(model) | measured
                | {"networks": networks, "seed": settings["seed"]},
            )  # fmt: skip
            print(name, mask, measured, flush=True)


if __name__ == "__main__":
    main()
