import json
import os
import signal
import socket
import threading
from contextlib import contextmanager
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import numpy as np
import pytest
import torch

from ganfill import seeding
from ganfill.api import Model
from ganfill.data.store import FORMAT
from ganfill.model_io import model_file
from ganfill.models.dcgan import Discriminator, Generator
from ganfill.models.encoder import Encoder
from ganfill.models.inpainter import Inpainter
from ganfill.models.latent import Uniform


def pytest_configure(config):
    if config.getoption("numprocesses", None):
        # Workers and what they start share the cores: with a team of threads each, they would wait for one another.
        os.environ["OMP_NUM_THREADS"] = "1"
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        # So it is in a background job, and would be in the processes that tests start and interrupt.
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport():
    report = yield
    # A file's name that a test made up need not be UTF-8; what a worker tells of the test has to be.
    report.sections = [(title, text.encode("utf-8", "backslashreplace").decode()) for title, text in report.sections]
    return report


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup():
    torch.manual_seed(0)  # for fixtures of a module, whichever of its tests is a worker's first


@pytest.fixture(autouse=True)
def same_draws():
    """Lets tests draw the same numbers in any worker, after any other test."""
    torch.manual_seed(0)


def part(name, **arguments):
    return {"class": f"ganfill.models.{name}", "arguments": arguments}


@pytest.fixture
def model():
    """An untrained model for 32 pixels, small enough to run in a moment."""
    torch.manual_seed(0)
    card = {
        "generator": part("dcgan.Generator", resolution=32, latent_dim=8, width=4),
        "discriminator": part("dcgan.Discriminator", resolution=32, width=4),
        "latent": part("latent.Uniform", dim=8),
        "resolution": 32,
        "kimg": 12.5,
        "pictures": 40,
        "data": "0" * 64,
        "terms": "Gemäß den Bedingungen",
    }
    networks = Generator(32, 8, 4).eval(), Discriminator(32, 4).eval()
    for network in networks:
        network.requires_grad_(False)
    return Model(*networks, Uniform(8), 32, 1.5, torch.rand(3, 32, 32), card)


@pytest.fixture
def enliven():
    """Gives an untrained model stronger weights and statistics of its own, so that its pictures differ."""

    def enliven(model):
        torch.manual_seed(1)
        model.generator.train()
        with torch.no_grad():
            for weight in model.generator.parameters():
                weight.mul_(20 if weight.ndim == 4 else 1)
            for _ in range(20):
                model.generator(model.latent.sample(32))
        model.generator.eval()
        return model

    return enliven


@pytest.fixture
def model_with_encoder(model):
    """The same model with an untrained encoder."""
    torch.manual_seed(2)
    model.encoder = Encoder(32, 8, 4).eval().requires_grad_(False)
    model.card["encoder"] = part("encoder.Encoder", resolution=32, latent_dim=8, width=4)
    return model


@pytest.fixture
def model_with_inpainter(model_with_encoder):
    """The same model with an untrained encoder and an untrained inpainter, which changes every guess."""
    return add_inpainter(model_with_encoder, "inpainter", 32, seed=3)


@pytest.fixture
def model_with_upsampler(model_with_inpainter):
    """The same model with an untrained inpainter of twice the resolution as its upsampler."""
    return add_inpainter(model_with_inpainter, "upsampler", 64, seed=4)


def add_inpainter(model, name, resolution, seed):
    torch.manual_seed(seed)
    inpainter = Inpainter(resolution, (8, 8), 1).eval().requires_grad_(False)
    torch.nn.init.normal_(inpainter.to_pixels.weight, 0, 0.1)
    setattr(model, name, inpainter)
    model.card[name] = part("inpainter.Inpainter", resolution=resolution, widths=[8, 8], blocks=1)
    return model


@pytest.fixture
def model_path(tmp_path, model):
    """The same model as a file."""
    model_file.save(tmp_path / "model.safetensors", model)
    return tmp_path / "model.safetensors"


@pytest.fixture
def store_path(tmp_path):
    """A store of smooth pictures at 32 pixels: of the sources ``a`` and ``b`` 16 and 8 to train on and 4 and 2 to test."""
    random = np.random.default_rng(0)
    corners = random.integers(0, 256, (30, 2, 2, 3))
    ramp = np.linspace(0, 1, 32)[:, None] * [-1, 1] + [1, 0]
    images = np.einsum("yi,nijc,xj->nyxc", ramp, corners, ramp) + random.normal(0, 8, (30, 32, 32, 3))
    pictures = [
        {"id": f"{'aab'[i % 3]}/{i:02d}", "split": "test" if i < 6 else "train"}  # every third is of b
        for i in range(30)
    ]
    path = tmp_path / "store"
    path.mkdir()
    np.save(path / "images.npy", images.round().clip(0, 255).astype(np.uint8))
    (path / "index.json").write_text(json.dumps({"format": FORMAT, "resolution": 32, "pictures": pictures}))
    return path


@pytest.fixture(scope="session")
def wandb_offline():
    """The script that reads an offline run of wandb back."""
    script = Path(__file__).resolve().parents[1] / "experiments/benchmarks/wandb_offline.py"
    spec = spec_from_file_location(script.stem, script)
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def steps():
    """Takes the module's own steps without a Trainer: plain optimizers and backward."""

    def steps(gan, n, autocast=False, batch=8):
        optimizers = gan.configure_optimizers()
        gan.optimizers = lambda: optimizers
        gan.manual_backward = lambda loss: loss.backward()
        resolution = gan.generator.resolution
        for _ in range(n):
            draws = seeding.generator(0, gan.images_seen)
            pixels = torch.randint(0, 256, (batch, resolution, resolution, 3), dtype=torch.uint8, generator=draws)
            with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
                gan.training_step(pixels, 0)
        return gan

    return steps


@pytest.fixture(scope="session")
def served():
    """Serves an application in a thread of this process, as a context that gives its address."""
    uvicorn = pytest.importorskip("uvicorn", reason="the extra app is not installed")

    @contextmanager
    def served(app):
        server = uvicorn.Server(uvicorn.Config(app, log_level="warning", ws="none"))
        with socket.socket() as listening:
            listening.bind(("127.0.0.1", 0))
            listening.listen()  # clients that come before uvicorn wait
            thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
            thread.start()
            try:
                yield f"http://127.0.0.1:{listening.getsockname()[1]}"
            finally:
                server.should_exit = True
                thread.join(20)
        assert not thread.is_alive()

    return served
