"""Images per second of a DCGAN training: ganfill's whole loop, its bare steps, and the plain PyTorch loop.

    python experiments/benchmarks/train_throughput.py [rounds=3 steps=16 batch_size=128 resolution=64 model=dcgan
        step=alternating loss=NonSaturating precision=auto out=FILE]

All train the same networks on the same drawn pictures in memory, in turn, ``rounds`` times; medians are compared.
The plain loop is that of PyTorch's DCGAN example: float32, contiguous memory, default Adam, discriminator gradients taken
in the generator's step too; its loss is ``NonSaturating``. ganfill runs as ``ganfill train`` does, with callbacks and
``metrics.csv``. ``model=dcgan_plus`` leaves batch norm out of the discriminator of all, which ``step=joint`` needs, and
measures both bare steps. Beside them stands the rate of plain matrix products in the same precision, and how much of it
ganfill's bare step reaches by the floating-point operations that torch counts in it. With one thread, time is CPU
time, to which other work on the machine adds little. The row goes to ``out``; the last line is the speedup of ganfill's
whole loop over the plain one, with the kind of arithmetic.
"""

import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from statistics import median

import pytorch_lightning as pl
import torch
from provenance import append_row
from torch.nn.functional import binary_cross_entropy_with_logits
from torch.utils.flop_counter import FlopCounterMode

from ganfill.adversarial import losses
from ganfill.devices import choose_device, has_bfloat16
from ganfill.images.pixels import to_float
from ganfill.models import dcgan, dcgan_plus
from ganfill.models.latent import Normal
from ganfill.training.datamodule import Batches, SyntheticDataModule
from ganfill.training.fit import fit
from ganfill.training.gan import GAN
from ganfill.training.trainer import choose_precision

SETTINGS = {
    "rounds": 3,
    "steps": 16,
    "batch_size": 128,
    "resolution": 64,
    "model": "dcgan",
    "step": "alternating",
    "loss": "NonSaturating",
    "precision": "auto",
    "out": "experiments/results/train_throughput.csv",
}
DISCRIMINATORS = {"dcgan": dcgan.Discriminator, "dcgan_plus": dcgan_plus.Discriminator}
ADAM = partial(torch.optim.Adam, lr=2e-4, betas=(0.5, 0.999))


def plain_loop(data: SyntheticDataModule, device: torch.device, steps: int, model: str) -> float:
    """Measures images per second of the loop of PyTorch's example."""
    generator = dcgan.Generator(data.resolution).to(device)
    discriminator = DISCRIMINATORS[model](data.resolution).to(device)
    optimizer_g, optimizer_d = ADAM(generator.parameters()), ADAM(discriminator.parameters())
    pictures = to_float(torch.from_numpy(data.pictures)).contiguous().to(device)
    ones, zeros = torch.ones(data.batch_size, device=device), torch.zeros(data.batch_size, device=device)

    def step(i: int) -> None:
        rows = torch.arange(i * data.batch_size, (i + 1) * data.batch_size) % len(pictures)
        fake = generator(torch.randn(data.batch_size, 100, device=device))
        discriminator.zero_grad()
        binary_cross_entropy_with_logits(discriminator(pictures[rows]), ones).backward()
        binary_cross_entropy_with_logits(discriminator(fake.detach()), zeros).backward()
        optimizer_d.step()
        generator.zero_grad()
        binary_cross_entropy_with_logits(discriminator(fake), ones).backward()
        optimizer_g.step()

    return _rate(step, data.batch_size, steps, device)


def make_gan(resolution: int, settings: dict) -> GAN:
    """Builds the module as ``ganfill train`` does."""
    adam, loss = partial(ADAM, fused=True), getattr(losses, settings["loss"])()
    networks = dcgan.Generator(resolution), DISCRIMINATORS[settings["model"]](resolution)
    return GAN(*networks, Normal(100), loss, adam, adam, step=settings["step"])


def bare_step(
    data: SyntheticDataModule, device: torch.device, precision: str, steps: int, settings: dict
) -> tuple[float, float]:
    """Measures images per second of the training step without Lightning, and floating-point operations for an image."""
    gan = make_gan(data.resolution, settings).to(device)
    optimizers = gan.configure_optimizers()
    gan.optimizers = lambda: optimizers  # pyright: ignore[reportAttributeAccessIssue]
    gan.manual_backward = lambda loss: loss.backward()  # pyright: ignore[reportAttributeAccessIssue]
    batches = Batches(data.pictures, data.rows, data.batch_size, 0, False)

    def step(i: int) -> None:
        pixels = batches.at(gan.images_seen).to(device)
        with torch.autocast(device.type, torch.bfloat16, enabled=precision == "bf16-mixed"):
            gan.training_step(pixels, i)

    with FlopCounterMode(display=False) as counter:
        step(0)
    return _rate(step, data.batch_size, steps, device), counter.get_total_flops() / data.batch_size


def product_rate(device: torch.device, precision: str, side: int = 2048) -> float:
    """Measures floating-point operations per second of a product of square matrices, best of five."""
    dtype = torch.bfloat16 if precision == "bf16-mixed" else torch.float32
    a, b = (torch.randn(side, side, device=device, dtype=dtype) for _ in range(2))
    return max(_rate(lambda i: a @ b, 1, 5, device) for _ in range(5)) * 2 * side**3


class Stopwatch(pl.Callback):
    """Takes the time after each step."""

    def __init__(self, device: torch.device) -> None:
        self.device, self.times = device, []

    def on_train_batch_end(self, *_, **__) -> None:
        """Takes the time."""
        self.times.append(_now(self.device))


def whole_loop(data: SyntheticDataModule, device: torch.device, precision: str, steps: int, settings: dict) -> float:
    """Measures images per second of the second half of ``fit`` with all callbacks, after its first row of metrics."""
    kimg, stopwatch = steps * data.batch_size / 1000, Stopwatch(device)
    with tempfile.TemporaryDirectory() as out:
        gan = make_gan(data.resolution, settings)
        gan.log_kimg = kimg / 2
        options = {"device": device, "precision": precision, "make_loggers": list, "provenance": {}}
        fit(gan, data, Path(out), kimg=kimg, checkpoint_kimg=10, callbacks=[stopwatch], **options)
    middle = steps // 2 - 1
    return (steps - 1 - middle) * data.batch_size / (stopwatch.times[-1] - stopwatch.times[middle])


def _rate(step, batch_size: int, steps: int, device: torch.device) -> float:
    for i in range(2):
        step(i)
    started = _now(device)
    for i in range(steps):
        step(i)
    return steps * batch_size / (_now(device) - started)


def _now(device: torch.device) -> float:
    if device.type == "cuda":
        torch.cuda.synchronize()
    return time.process_time() if device.type == "cpu" and torch.get_num_threads() == 1 else time.perf_counter()


def arithmetic(device: torch.device, precision: str) -> str:
    """Names the arithmetic of a measurement, and what the machine has."""
    used = "bfloat16" if precision == "bf16-mixed" else "float32"
    return f"{used} on a machine {'with' if has_bfloat16(device) else 'without'} native bfloat16"


def main() -> None:
    """Measures; prints and appends a row."""
    settings = SETTINGS | dict(word.split("=", 1) for word in sys.argv[1:])
    rounds, steps, batch_size, resolution = (int(settings[key]) for key in list(SETTINGS)[:4])
    device = choose_device("auto")
    precision = choose_precision(str(settings["precision"]), device)
    data = SyntheticDataModule(batch_size, resolution)
    data.setup()
    names = ["alternating", "joint"] if settings["model"] == "dcgan_plus" else ["alternating"]
    rates: dict[str, list[float]] = {"plain": [], "alternating": [], "joint": [], "ganfill": []}
    products, operations = [], {}
    for _ in range(rounds):
        products.append(product_rate(device, precision))
        rates["plain"].append(plain_loop(data, device, steps, str(settings["model"])))
        for name in names:
            rate, operations[name] = bare_step(data, device, precision, steps, settings | {"step": name})
            rates[name].append(rate)
        rates["ganfill"].append(whole_loop(data, device, precision, 2 * steps, settings))
    found = {f"{name}_images_per_second": round(median(values), 1) if values else "" for name, values in rates.items()}
    bare = median(rates[str(settings["step"])])
    loop = 1 - median(rates["ganfill"]) / bare
    speedup = median(rates["ganfill"]) / median(rates["plain"])
    row = {key: settings[key] for key in ("resolution", "batch_size", "model", "step", "loss")}
    row |= {"precision": precision, "rounds": rounds, "steps": steps}
    reached = bare * operations[settings["step"]]
    found |= {"step_gflops": round(reached / 1e9, 1), "product_gflops": round(median(products) / 1e9, 1)}
    append_row(Path(settings["out"]), row | found | {"loop_share": round(loop, 4), "speedup": round(speedup, 3)})
    for name, value in found.items():
        print(f"{name} {value}")
    if rates["joint"]:
        print(
            f"the joint step is {median(rates['joint']) / median(rates['alternating']):.2f}x as fast as the alternating one"
        )
    print(f"the bare step reaches {reached / median(products):.0%} of the rate of {precision} matrix products")
    print(f"loop costs {loop:.1%} of the bare step")
    print(f"speedup {speedup:.2f}x, {arithmetic(device, precision)}")


if __name__ == "__main__":
    main()
