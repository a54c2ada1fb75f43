"""Searches of a model with an inpainter."""

from dataclasses import replace

import pytest
import torch

from ganfill.models.inpainter import complete_averaged
from ganfill.search.networks import Networks
from ganfill.search.presets import posterior, preset
from ganfill.search.published import amos2016, yeh2017
from ganfill.search.result import SearchOptions
from ganfill.search.target import Target

INPAINTED = {"fast": {}, "standard": {}, "best": {}, "posterior": {"burn_in": 1, "samples": 2, "leaps": 1}}


def without(model):
    return replace(model, inpainter=None)


def test_each_answer_is_completed_with_its_own_picture(model_with_inpainter, images, holes):
    target = Target.of(images, holes)
    guesses = torch.rand(5, 2, 3, 32, 32) * 2 - 1
    completed = Networks(model_with_inpainter, "fp32").inpaint(target, guesses)
    for i in range(5):
        for j in range(2):
            alone = complete_averaged(
                model_with_inpainter.inpainter, target.image[i : i + 1], target.known[i : i + 1], guesses[i : i + 1, j]
            )
            torch.testing.assert_close(completed[i, j], alone[0], atol=1e-5, rtol=1e-5)
    assert Networks(without(model_with_inpainter)).inpaint(target, guesses) is guesses


@pytest.mark.parametrize("name", INPAINTED)
def test_a_search_ends_with_the_inpainter(model_with_inpainter, images, holes, name):
    search = replace(preset(name), **INPAINTED[name])
    options = SearchOptions(answers=2)
    after, before = (
        search(model, images, holes, options) for model in (model_with_inpainter, without(model_with_inpainter))
    )
    assert torch.equal(after.latents, before.latents) and torch.equal(after.errors, before.errors)
    expected = Networks(model_with_inpainter).inpaint(Target.of(images, holes), before.pictures)
    torch.testing.assert_close(after.pictures, expected, atol=1e-3, rtol=1e-3)
    known = ~holes[:, None].expand_as(after.pictures)
    assert torch.equal(after.pictures[known], images[:, None].expand_as(after.pictures)[known])


@pytest.mark.parametrize("make", [amos2016, yeh2017])
def test_published_searches_stay_as_published(model_with_inpainter, images, holes, make):
    one, other = (
        make(steps=2)(model, images, holes) for model in (model_with_inpainter, without(model_with_inpainter))
    )
    assert torch.equal(one.pictures, other.pictures)


@pytest.mark.parametrize("n", [1, 2])
def test_samples_are_completed_in_batches_of_the_allowed_size(model_with_inpainter, images, holes, n):
    sizes = []
    model_with_inpainter.inpainter.register_forward_pre_hook(lambda _, inputs: sizes.append(len(inputs[0])))
    search = posterior(burn_in=1, samples=5, leaps=1, steps=1, batch=8)
    search(model_with_inpainter, images[:n], holes[:n])
    assert max(sizes) <= 8 and sum(sizes) == 4 * n * 4 * 5
