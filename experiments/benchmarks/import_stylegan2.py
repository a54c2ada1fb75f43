"""Measures the import of StyleGAN2 weights: agreement with the official code, and the cost of a large network on the CPU.

    python experiments/benchmarks/import_stylegan2.py [resolution=256 pool=16 starts=2 steps=4 cut_steps=8
        agreement=experiments/results/stylegan2_agreement.csv out=experiments/results/stylegan2_import.csv]

The agreement is with the answers of NVIDIA's code in ``tests/compatibility/stylegan2.safetensors``; largest differences.
Then a network of config F with random weights is written as a state dict with the official names, and ``ganfill import``,
``info``, ``generate`` and ``complete`` run on it as commands, each with its seconds and the size of the file that it writes.
"""

import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch
from PIL import Image
from provenance import append_row
from safetensors.torch import load_file

from ganfill.model_io import stylegan2_file
from ganfill.models.stylegan2 import Discriminator, Generator

ROOT = Path(__file__).parents[2]
ANSWERS = ROOT / "tests/compatibility/stylegan2.safetensors"
SETTINGS = {
    "resolution": "256",
    "pool": "16",
    "starts": "2",
    "steps": "4",
    "cut_steps": "8",
    "agreement": "experiments/results/stylegan2_agreement.csv",
    "out": "experiments/results/stylegan2_import.csv",
}


def main() -> None:
    """Measures; prints and appends rows."""
    settings = SETTINGS | dict(word.split("=", 1) for word in sys.argv[1:])
    for name, (difference, largest) in agreement().items():
        row = {"compared": name, "largest_difference": f"{difference:.2e}", "largest_value": round(largest, 3)}
        append_row(Path(settings["agreement"]), row)
        print(*row.values(), sep="  ")
    with tempfile.TemporaryDirectory() as folder:
        for row in commands(Path(folder), settings):
            append_row(Path(settings["out"]), row)
            print(*row.values(), sep="  ")


@torch.no_grad()
def agreement() -> dict[str, tuple[float, float]]:
    """Returns the largest difference from the official answers, and the largest answer, for each kind of answer."""
    model, expected = stylegan2_file.load(ANSWERS), load_file(ANSWERS)
    generator, discriminator = model.generator, model.discriminator
    assert isinstance(generator, Generator)
    assert isinstance(discriminator, Discriminator)
    ws = generator.forward_until(expected["z"], 1)
    truncated = generator.w_avg + 0.7 * (ws[:1] - generator.w_avg)
    found = {
        "w": ws[:, 0],
        "pictures": generator.forward_from(ws, 1),
        "pictures_truncated": generator.forward_from(truncated, 1),
        "logits": discriminator.train()(expected["pictures"]),
    }
    return {
        name: ((value - expected[name]).abs().max().item(), expected[name].abs().max().item())
        for name, value in found.items()
    }


def commands(folder: Path, settings: dict[str, str]) -> list[dict[str, str | float | int]]:
    """Runs the commands on a network with random weights; returns a row for each."""
    resolution = int(settings["resolution"])
    source, model, photo = folder / "official.pt", folder / "model.safetensors", folder / "photo.png"
    torch.save(random_networks(resolution), source)
    Image.open(ROOT / "src/ganfill/packaged/demo/astronaut.png").convert("RGB").resize((resolution, resolution)).save(
        photo
    )
    search = [
        "search=from_pool",
        *(f"search.{key}={settings[key]}" for key in ("pool", "starts", "steps", "cut_steps")),
    ]
    steps = [
        ("import", [source, f"out={model}"], model),
        ("import half=true", [source, f"out={folder / 'half.safetensors'}"], folder / "half.safetensors"),
        ("info", [model], None),
        ("generate n=8 truncation=0.7", [f"model={model}", f"out={folder / 'generated'}"], folder / "generated/sheet.png"),
        ("complete mask=center", [photo, f"model={model}", *search, "search.cut_prior=0.003", f"out={folder / 'filled'}"],
         folder / "filled/photo.png"),
    ]  # fmt: skip
    rows = []
    for words, places, written in steps:
        started = time.perf_counter()
        subprocess.run(["ganfill", *words.split(), *map(str, places)], check=True, stdout=subprocess.DEVNULL)
        row = {"resolution": resolution, "ganfill": words, "seconds": round(time.perf_counter() - started, 1)}
        row |= {"search": " ".join(search[1:]) if words.startswith("complete") else ""}
        rows.append(row | {"megabytes_in": megabytes(source), "megabytes_out": megabytes(written)})
    return rows


def random_networks(resolution: int) -> dict[str, dict[str, torch.Tensor]]:
    """Returns state dicts of config F with the official names, as the networks are at the start of a training."""
    torch.manual_seed(0)
    generator = Generator(resolution, 512, 512, 32768, 512, mapping_layers=8, noise=True)
    discriminator = Discriminator(resolution, 512, 32768, group=4)
    stages = resolution.bit_length() - 2
    theirs = {"G_ema": stylegan2_file.generator_names(8, stages), "D": stylegan2_file.discriminator_names(stages)}
    networks = {"G_ema": generator.state_dict(), "D": discriminator.state_dict()}
    networks["G_ema"]["constant"] = networks["G_ema"]["constant"][0]
    networks["D"]["dense.weight"] = networks["D"]["dense.weight"].flatten(1)
    return {name: {theirs[name][key]: value for key, value in state.items()} for name, state in networks.items()}


def megabytes(path: Path | None) -> float:
    """Returns the size of a file in millions of bytes; 0 without one."""
    return round(path.stat().st_size / 1e6, 1) if path else 0.0


if __name__ == "__main__":
    main()
