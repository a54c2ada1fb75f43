"""Small inputs, and the commands that are tried on them."""

import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from experiments.reliability.compare import contents
from experiments.reliability.processes import Outcome, run
from experiments.reliability.tally import Tally
from ganfill.api import Model
from ganfill.model_io import model_file
from ganfill.models.dcgan import Discriminator, Generator
from ganfill.models.encoder import Encoder
from ganfill.models.latent import Uniform

SIZES = ((32, 32), (48, 70), (64, 64), (90, 33), (64, 64))  # height, width of the photos to complete
TINY = ("data=synthetic", "data.n=40", "batch_size=16", "resolution=32", "latent.dim=16", "model.width=4", "device=cpu")
TRAIN = (*TINY, "precision=32-true", "log_kimg=0.032", "kimg=0.112", "checkpoint_kimg=0.032", "sample_kimg=0.048")
TRAIN = (*TRAIN, "fd_kimg=0.048", "fd_samples=8", "completion_kimg=0.064")
COMPLETE = ("answers=2", "gif=true", "device=cpu", "align=center", "search.steps=8", "search.pool=32")

Command = Callable[[Path], list[str]]
Attempt = Callable[[str, Command, Path], Tally]


def try_each(settings: Mapping[str, str], pictures: int, attempt: Attempt) -> list[Tally]:
    """Makes inputs, and tries each command that ``settings`` name.

    Args:
        settings: of the form.
        pictures: number of pictures to prepare.
        attempt: gets the name of a command, the command, and a directory for its output; returns its tally.
    """
    with tempfile.TemporaryDirectory() as directory:
        inputs, tallies = Path(directory, "inputs"), []
        make_inputs(inputs, int(settings["seed"]), pictures)
        known = commands(inputs)
        for name in settings["commands"].split(","):
            tallies.append(attempt(name, known[name], Path(directory)))
            tallies[-1].finish(settings)
        return tallies


def run_undisturbed(
    command: Command, out: Path, reference: Path, in_process: Callable[[], object] | None = None
) -> tuple[Outcome, float]:
    """Runs a command to its end and moves its results to ``reference``; returns how it ended, and the seconds it took.

    The output has the same name each time a command runs, because configurations and tables contain it.
    """
    started = time.monotonic()
    outcome = run(command(out), out, in_process=in_process)
    seconds = time.monotonic() - started
    assert outcome.code == 0, outcome.output
    out.rename(reference)
    assert any(content is not None for _, content in contents(reference)), f"{reference} has nothing to compare"
    return outcome, seconds


def smooth(height: int, width: int, random: np.random.Generator) -> Image.Image:
    """Draws a smooth picture."""
    return Image.fromarray(random.integers(0, 256, (4, 4, 3), dtype=np.uint8)).resize((width, height))


def make_inputs(directory: Path, seed: int, pictures: int) -> None:
    """Makes a model, photos with masks, a folder of ``pictures`` small pictures, and a store of them."""
    random = np.random.default_rng(seed)
    for name in ("photos", "masks", "many"):
        (directory / name).mkdir(parents=True)
    for number, (height, width) in enumerate(SIZES):
        smooth(height, width, random).save(directory / f"photos/{number}.png")
        hole = np.zeros((height, width), np.uint8)
        hole[height // 3 : height // 2, width // 4 : width // 2] = 255
        Image.fromarray(hole).save(directory / f"masks/{number}.png")
    for number in range(pictures):
        smooth(24, 24, random).save(directory / f"many/{number:04}.png")
    save_model(directory / "model.safetensors")
    outcome = run(["prepare", f"source={directory / 'many'}", f"out={directory / 'store'}", "resolution=32"])
    assert outcome.code == 0, outcome.output


@torch.no_grad()
def save_model(path: Path) -> None:
    """Saves a small untrained model with an encoder."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        parts = {
            "generator": (Generator, {"resolution": 32, "latent_dim": 8, "width": 4}),
            "discriminator": (Discriminator, {"resolution": 32, "width": 4}),
            "encoder": (Encoder, {"resolution": 32, "latent_dim": 8, "width": 4}),
        }
        networks = {name: kind(**arguments).eval().requires_grad_(False) for name, (kind, arguments) in parts.items()}
        mean_picture = torch.rand(3, 32, 32)
    card = {
        name: {"class": f"{kind.__module__}.{kind.__name__}", "arguments": arguments}
        for name, (kind, arguments) in parts.items()
    }
    card["encoder"] |= {"kimg": 1.0, "pictures": 40, "metrics": {}}
    card |= {"latent": {"class": "ganfill.models.latent.Uniform", "arguments": {"dim": 8}}, "resolution": 32}
    card |= {"kimg": 12.5, "pictures": 40, "data": "0" * 64, "terms": None}
    networks_of_model = (networks["generator"], networks["discriminator"], Uniform(8), 32, 1.5, mean_picture, card)
    model_file.save(path, Model(*networks_of_model, encoder=networks["encoder"]))


def commands(inputs: Path) -> dict[str, Command]:
    """Returns the commands that write a directory, each a function of that directory.

    ``complete`` uses the packaged model, because the bits of a tiny one do not depend on the other pictures in a batch.
    """
    model, photos, masks = inputs / "model.safetensors", inputs / "photos", inputs / "masks"
    words = (f"model={model}", "device=cpu", "search=amos2016:steps=3,mean", "mask=center,random", "n=6", "sheet=2")
    return {
        "prepare": lambda out: ["prepare", f"source={inputs / 'many'}", f"out={out}", "resolution=32"],
        "train": lambda out: ["train", *TRAIN, f"out={out}"],
        "complete": lambda out: [
            "complete", f"images={photos}", f"mask={masks}", "model=faces64", *COMPLETE, f"out={out}"
        ],
        "evaluate": lambda out: ["evaluate", f"data.path={inputs / 'store'}", *words, f"out={out}"],
        "sweep": lambda out: [
            "train", "-m", *TRAIN, "loss=non_saturating,hinge", f"out={out}/${{hydra:runtime.choices.loss}}"
        ],
    }  # fmt: skip
