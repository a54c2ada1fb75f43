"""What has to hold on a CUDA device, where there is one: ``python -m pytest -m gpu``."""

import csv

import numpy as np
import pytest
import torch

import ganfill
from ganfill import cli
from ganfill.commands.train import build_gan
from ganfill.config import compose
from ganfill.images import masks, pixels
from ganfill.model_io import model_file
from ganfill.search.presets import standard
from ganfill.search.result import SearchOptions
from ganfill.training.datamodule import Batches

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device"),
]
TINY = [
    "data=synthetic",
    "data.n=256",
    "batch_size=32",
    "resolution=32",
    "model.width=16",
    "log_kimg=0.128",
    "fd_kimg=0",
]
QUICK = standard(steps=20, starts=4, pool=64)


@pytest.fixture
def images(model):
    with torch.no_grad():
        return model.generator(model.latent.sample(6, torch.Generator().manual_seed(1)))


@pytest.fixture
def holes():
    return masks.draw(masks.box, [str(i) for i in range(6)], 32, 32)


def test_a_training_runs_resumes_and_is_exported(tmp_path):
    words = ["train", *TINY, f"out={tmp_path / 'run'}", "device=cuda"]
    assert cli.run([*words, "kimg=0.512"]) == 0
    assert cli.run([*words, "kimg=1.024"]) == 0
    with (tmp_path / "run/metrics.csv").open(newline="") as file:
        assert [row["kimg"] for row in csv.DictReader(file)] == [f"{0.128 * i:.3f}".rstrip("0") for i in range(1, 9)]
    assert cli.run(["export", f"run={tmp_path / 'run'}", f"out={tmp_path / 'm.safetensors'}"]) == 0
    assert ganfill.load(tmp_path / "m.safetensors", "cuda").device.type == "cuda"


@pytest.mark.parametrize("augment", ["none", "diffaugment", "ada"])
@pytest.mark.parametrize("regularizer", ["none", "r1_r2", "gradient_penalty", "lecam"])
def test_no_step_waits_for_the_device(augment, regularizer):
    words = ["out=nowhere", *TINY, "model=dcgan_plus", f"augment={augment}", f"regularizer={regularizer}"]
    gan = build_gan(compose("train", [*words, "log_kimg=1000"])).cuda()
    optimizers = gan.configure_optimizers()
    gan.optimizers, gan.manual_backward = lambda: optimizers, lambda loss: loss.backward()
    pictures = torch.randint(0, 256, (256, 32, 32, 3), dtype=torch.uint8, device="cuda")
    batches = Batches(pictures, np.arange(256), 32, 0, mirror=True)

    def step():
        with torch.autocast("cuda", torch.bfloat16):
            gan.training_step(batches.at(gan.images_seen), 0)

    step()  # the first one loads libraries
    torch.cuda.set_sync_debug_mode("error")
    try:
        step()
        step()
    finally:
        torch.cuda.set_sync_debug_mode("default")
    gan.check_finite()
    assert gan.images_seen == 96


def test_compiled_networks_train(tmp_path):
    words = ["train", *TINY, f"out={tmp_path}", "device=cuda", "model=dcgan_plus", "regularizer=r1"]
    assert cli.run([*words, "compile=true", "kimg=0.512"]) == 0


def test_both_devices_draw_the_same_pictures(model_path):
    z = model_file.load(model_path).latent.sample(4, torch.Generator().manual_seed(0))
    with torch.no_grad():
        here, there = (model_file.load(model_path, device).generator(z.to(device)).cpu() for device in ("cpu", "cuda"))
    torch.testing.assert_close(here, there, atol=1e-2, rtol=0)


def test_known_pixels_stay_and_the_holes_content_plays_no_part(model, images, holes):
    model = model.to("cuda")
    images, holes = images.cuda(), holes.cuda()
    finished = model.complete(images, holes, search=QUICK)
    assert finished.device.type == "cuda" and torch.equal(
        finished[~holes.expand_as(images)], images[~holes.expand_as(images)]
    )
    other = model.complete(images.masked_fill(holes, float("nan")), holes, search=QUICK)
    assert torch.equal(pixels.to_uint8(finished), pixels.to_uint8(other))


def test_deterministic_answers_know_no_mates(model, images, holes):
    model = model.to("cuda")
    together = QUICK(model, images, holes, SearchOptions(deterministic=True))
    alone = QUICK(model, images[3:4], holes[3:4], SearchOptions(deterministic=True))
    assert torch.equal(alone.latents, together.latents[3:4])
