"""The packaged model, as a user meets it."""

import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import ganfill
from ganfill import seeding
from ganfill.images import masks, pixels
from ganfill.search.presets import from_pool

DEMO = Path(ganfill.__file__).parent / "packaged/demo"


@pytest.fixture(scope="module")
def faces64():
    return ganfill.load("faces64")


@pytest.fixture(scope="module")
def drawn(faces64):
    """Pictures of the generator's own, and the middle of each missing."""
    with torch.no_grad():
        images = faces64.generator(faces64.latent.sample(8, seeding.generator(0, "recovery")))
    return images, masks.draw(masks.center, [str(i) for i in range(8)], 64, 64)


def psnr(one, other, holes):
    """In dB over the hole's pixels of each picture, on uint8."""
    error = (pixels.to_uint8(one).double() - pixels.to_uint8(other).double()).square().mean(-1)
    missing = holes[:, 0]
    return 10 * torch.log10(255**2 / ((error * missing).sum((1, 2)) / missing.sum((1, 2))).clamp_min(1e-9))


def test_three_lines_complete_a_picture(faces64):
    photo = Image.open(DEMO / "astronaut.png").convert("RGB")
    finished = faces64.complete(photo, "center")
    before, after = np.asarray(photo), np.asarray(finished)
    side = min(before.shape[:2])
    changed = (before != after).any(2)
    assert 0.2 * side**2 < changed.sum() <= 0.25 * side**2 + side


def test_what_the_generator_drew_is_found_again(faces64, drawn):
    images, holes = drawn
    searched = replace(faces64, inpainter=None)  # which would change what the search has found
    found = searched.complete(images, holes, search=from_pool(cut_steps=0))
    assert psnr(found, images, holes).median() >= 30


@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize("search", ["fast", "standard"])
def test_an_answer_depends_on_neither_batch_nor_order(faces64, drawn, search, threads):
    images, holes = drawn[0][:3], drawn[1][:3]
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        together = faces64.complete(images, holes, search=search)
        turned = faces64.complete(images.flip(0), holes.flip(0), search=search).flip(0)
        alone = torch.stack([faces64.complete(*pair, search=search) for pair in zip(images, holes, strict=True)])
    finally:
        torch.set_num_threads(before)
    assert torch.equal(turned, together) and torch.equal(alone, together)


def test_what_the_hole_holds_does_not_change_one_bit(faces64, drawn):
    images, holes = drawn[0][:2], drawn[1][:2]
    finished = faces64.complete(images, holes)
    nothing = faces64.complete(images.masked_fill(holes, float("nan")), holes)
    noise = faces64.complete(torch.where(holes, torch.randn(images.shape), images), holes)
    assert torch.equal(finished[holes.expand_as(finished)], nothing[holes.expand_as(finished)])
    assert torch.equal(finished[holes.expand_as(finished)], noise[holes.expand_as(finished)])


def test_the_discriminator_tells_photographs_from_generated_pictures(faces64, drawn):
    photos = torch.stack([torch.from_numpy(np.array(Image.open(path))) for path in sorted(DEMO.glob("ffhq_*.png"))])
    with torch.no_grad():
        real, fake = (faces64.discriminator(images).mean() for images in (pixels.to_float(photos), drawn[0]))
    assert real > fake
    assert np.isfinite(faces64.logit_centre) and faces64.mean_picture.shape == (3, 64, 64)


def test_python_needs_neither_lightning_nor_hydra_nor_wandb():
    code = (
        "import sys, PIL.Image, ganfill\n"
        f"picture = PIL.Image.open({str(DEMO / 'ffhq_01016.png')!r})\n"
        "ganfill.load('faces64').complete(picture, 'center', search=ganfill.LatentSearch(rounds=((1, 2),)))\n"
        "print({'pytorch_lightning', 'lightning', 'hydra', 'omegaconf', 'wandb'} & set(sys.modules))"
    )
    finished = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert finished.stdout.strip() == "set()", finished.stderr


def test_importing_takes_little_longer_than_torch():
    def seconds(code):
        started = time.perf_counter()
        subprocess.run([sys.executable, "-c", code], check=True)
        return time.perf_counter() - started

    torch_alone = min(seconds("import torch") for _ in range(2))
    assert min(seconds("import torch, ganfill; ganfill.load") for _ in range(2)) < torch_alone + 3
