from dataclasses import replace
from functools import partial

import pytest
import torch
from torch.nn.functional import interpolate

from ganfill.adversarial.losses import Relativistic
from ganfill.adversarial.regularizers import R1
from ganfill.images.pixels import to_float
from ganfill.images.regions import Box, make_view
from ganfill.models.dcgan_plus import Discriminator
from ganfill.models.inpainter import Inpainter
from ganfill.search.presets import fast
from ganfill.search.published import yeh2017
from ganfill.training.upsampler_module import UpsamplerTraining, reduce

ADAM = partial(torch.optim.Adam, lr=1e-3, betas=(0.5, 0.99))


@pytest.fixture
def make(model_with_inpainter, enliven):
    def make(model=None, **options):
        torch.manual_seed(0)
        return UpsamplerTraining(
            Inpainter(64, (8, 8), 1), Discriminator(64, 8), model or enliven(model_with_inpainter), loss=Relativistic(),
            regularizer=R1(0.5, 2), optimizer=ADAM, discriminator_optimizer=ADAM, kimg=0.32, regression_kimg=0.16,
            log_kimg=0.016, **({"search": fast(precision="fp32")} | options),
        )  # fmt: skip

    return make


def test_pictures_are_reduced_as_photos_are():
    torch.manual_seed(0)
    pixels = torch.randint(256, (64, 64, 3), dtype=torch.uint8)
    hole = torch.rand(64, 64) < 0.1
    view = make_view(pixels.numpy(), hole.numpy(), Box(0, 0, 64, 64), 32)
    real = pixels.permute(2, 0, 1)[None] / 127.5 - 1
    small, missing = reduce(real, hole[None, None].float(), 2)
    assert torch.equal(missing[0].bool(), view.hole) and 0.2 < missing.mean() < 0.5
    torch.testing.assert_close(small[0], view.image, atol=1e-5, rtol=0)


def test_guesses_are_the_enlarged_answers_of_the_model(make, model_with_inpainter):
    module = make()
    real, hole = torch.rand(8, 3, 64, 64), module.draw_holes(8, resolution=64)
    guesses = module._draw_guesses(real, hole, False)
    small, missing = reduce(real, hole, 2)
    answers = fast(precision="fp32")(model_with_inpainter, small, missing.bool()).pictures[:, 0]
    wanted = interpolate(answers, size=(64, 64), mode="bicubic")
    torch.testing.assert_close(guesses[:4], wanted[:4], atol=1e-4, rtol=0)  # those after them saw a part of the hole
    other = torch.where(hole > 0, torch.rand_like(real), real)
    assert torch.equal(module._draw_guesses(other, hole, False)[:4], guesses[:4])


def test_a_search_judges_the_small_pictures_by_the_models_own_discriminator(make, model_with_inpainter):
    module = make(model_with_inpainter, search=yeh2017(steps=1, precision="fp32"))
    real = to_float(torch.randint(256, (8, 64, 64, 3), dtype=torch.uint8))
    guess = module._draw_guesses(real, module.draw_holes(8, resolution=64), jittered=False)
    assert guess.shape == (8, 3, 64, 64) and guess.isfinite().all()
    assert module.fixed["discriminator"] is model_with_inpainter.discriminator


def test_holes_are_deep(make):
    holes = make().draw_holes(64, resolution=64)
    assert holes.shape == (64, 1, 64, 64)
    neighbours = torch.nn.functional.avg_pool2d(holes, 3, 1, 1)[holes > 0]
    assert neighbours.mean() > 0.9  # of scattered pixels it would be 0.8


def test_details_are_trained_on_the_mean_of_both_orientations(make, by_itself):
    module, calls = by_itself(make()), []
    module.inpainter.register_forward_hook(lambda *call: calls.append(call))
    module.images_seen = 160  # the first adversarial step
    module.training_step(torch.randint(256, (8, 64, 64, 3), dtype=torch.uint8), 0)
    assert len(calls) == 2


@pytest.mark.parametrize("seen", [0, 256])
def test_both_parts_of_the_training_move_the_upsampler_alone(make, by_itself, model_with_inpainter, seen):
    module = by_itself(make())
    module.images_seen = seen
    networks = module.inpainter, model_with_inpainter.inpainter, model_with_inpainter.generator
    before = [[p.clone() for p in network.parameters()] for network in networks]
    for _ in range(2):
        module.training_step(torch.randint(256, (8, 64, 64, 3), dtype=torch.uint8), 0)
    same = [all(map(torch.equal, old, network.parameters())) for old, network in zip(before, networks, strict=True)]
    assert same == [False, True, True] and module.finite
    assert module.measured["loss_d"].isfinite() == bool(seen)


def test_a_model_without_an_inpainter_gives_the_generators_pictures(make, model_with_inpainter):
    module = make(replace(model_with_inpainter, inpainter=None))
    real, hole = torch.rand(8, 3, 64, 64), module.draw_holes(8, resolution=64)
    small, missing = reduce(real, hole, 2)
    wanted = interpolate(module._encode(small, missing, False), size=(64, 64), mode="bicubic")
    torch.testing.assert_close(module._draw_guesses(real, hole, False)[1:], wanted[1:])
