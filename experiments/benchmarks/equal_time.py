"""Two settings of a training in equal CPU time: images seen, and Frechet distances of the averaged generators.

    python experiments/benchmarks/equal_time.py a=step=alternating b=step=joint features=NAME=FILE.py:CLASS:WEIGHTS
        [train="experiment=cpu data.path=data/faces64" seconds=480 every=120 slice=10 samples=3000 real=5000
        folder=runs/equal_time out=experiments/results/equal_time.csv]

Both train in this process, in turn, for slices of equal CPU time (``time.process_time``), so that other work on the machine
delays both alike. ``train`` holds the arguments of ``ganfill train`` that both share. The averaged generators of every
``every`` seconds are kept in ``folder``; the same command, or one with fewer ``seconds``, measures those that it finds there
without training again. Data, steps and averages count, measuring does not. Each generator gets a row in ``out``.
"""

import json
import sys
import time
from pathlib import Path

import numpy as np
import torch
from provenance import append_row

from ganfill import seeding
from ganfill.commands.train import build_gan
from ganfill.config import build, compose
from ganfill.data.subsets import draw
from ganfill.devices import choose_device
from ganfill.metrics.distances import frechet
from ganfill.metrics.features import extract, load_networks
from ganfill.training.datamodule import Batches
from ganfill.training.gan import GAN
from ganfill.training.trainer import choose_precision

SETTINGS = {
    "a": "step=alternating",
    "b": "step=joint",
    "features": "",
    "train": "experiment=cpu data.path=data/faces64",
    "seconds": "480",
    "every": "120",
    "slice": "10",
    "samples": "3000",
    "real": "5000",
    "folder": "runs/equal_time",
    "out": "experiments/results/equal_time.csv",
}
CPU = torch.device("cpu")


class Training:
    """A training without Lightning, which counts its CPU seconds."""

    def __init__(self, words: list[str]) -> None:
        config = compose("train", [*words, "out=unused"])
        self.gan, self.seconds = build_gan(config), 0.0
        self.bfloat16 = choose_precision(config.precision, choose_device(config.device)) == "bf16-mixed"
        self.data = build(config.data)
        self.data.setup()
        self.batches = Batches(self.data.pictures, self.data.rows, config.batch_size, config.seed, config.data.mirror)
        optimizers = self.gan.configure_optimizers()
        self.gan.optimizers = lambda: optimizers  # pyright: ignore[reportAttributeAccessIssue]
        self.gan.manual_backward = lambda loss: loss.backward()  # pyright: ignore[reportAttributeAccessIssue]

    def train_until(self, seconds: float) -> None:
        """Trains until so many CPU seconds have been used."""
        started = time.process_time() - self.seconds
        while self.seconds < seconds:
            with torch.autocast("cpu", torch.bfloat16, enabled=self.bfloat16):
                self.gan.training_step(self.batches.at(self.gan.images_seen), 0)
            self.seconds = time.process_time() - started


def main() -> None:
    """Trains, measures, and appends rows."""
    settings = SETTINGS | dict(word.split("=", 1) for word in sys.argv[1:])
    seconds, every, slice_, samples, real = (
        int(settings[key]) for key in ("seconds", "every", "slice", "samples", "real")
    )
    networks = load_networks(settings["features"].split(","))  # a mistake in them ends this before the training
    folder, marks = Path(settings["folder"]), range(every, seconds + 1, every)
    folder.mkdir(parents=True, exist_ok=True)
    names = settings["a"], settings["b"]
    trainings = {name: Training([*settings["train"].split(), *name.split()]) for name in names}
    kept = {(name, mark): folder / f"{name.replace(' ', '+')}_{mark}.pt" for name in names for mark in marks}
    if not all(path.exists() for path in kept.values()):
        for target in sorted({*range(slice_, seconds + 1, slice_), *marks}):
            for name, training in trainings.items():
                training.train_until(target)
                if target in marks:
                    state = {"images_seen": training.gan.images_seen, "seconds": training.seconds}
                    torch.save(state | {"weights": training.gan.generator_ema.state_dict()}, kept[name, target])
                print(f"{name} {training.seconds:.1f} s {training.gan.images_seen / 1000:g} kimg", flush=True)
    data = trainings[names[0]].data
    order = torch.randperm(len(data.rows), generator=seeding.generator(0, "distances, real")).numpy()
    pictures = data.pictures[np.sort(data.rows[order[:real]])]
    references = [extract(network, pictures, CPU) for network in networks]
    for (name, mark), path in kept.items():
        state = torch.load(path, weights_only=True)
        found = measure(trainings[name].gan, state["weights"], networks, references, samples)
        rate = state["images_seen"] / state["seconds"]
        row = {"setting": name, "shared": settings["train"], "cpu_seconds": mark, "kimg": state["images_seen"] / 1000}
        row |= {"images_per_cpu_second": round(rate, 1), "samples": samples, "real": real} | found
        digests = {network.name: network.digest[:12] for network in networks}
        append_row(Path(settings["out"]), row | {"networks": json.dumps(digests)})
        print(*row.values(), sep="  ", flush=True)


def measure(gan: GAN, weights: dict, networks: list, references: list, samples: int) -> dict[str, float]:
    """Returns the Frechet distance of an averaged generator in each feature network."""
    gan.generator_ema.load_state_dict(weights)
    drawn = draw(gan.generator_ema, gan.latent.sample(samples, seeding.generator(gan.seed, "distances"), gan.device))
    pairs = zip(networks, references, strict=True)
    return {f"fd_{network.name}": round(frechet(real, extract(network, drawn, CPU)), 3) for network, real in pairs}


if __name__ == "__main__":
    main()
