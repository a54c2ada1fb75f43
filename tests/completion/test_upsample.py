from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn.functional import interpolate

from ganfill.completion.pipeline import fill
from ganfill.completion.upsample import upsample
from ganfill.images.alignment import Placement
from ganfill.images.blend import Paste
from ganfill.images.regions import Box, make_view
from ganfill.images.rotated_square import Square
from ganfill.models.inpainter import complete_averaged
from ganfill.search.presets import posterior
from ganfill.search.published import yeh2017
from ganfill.search.result import SearchOptions
from ganfill.search.routing import RoutedSearch
from tests.pictures import QUICK, photo, rectangle

LARGE = (80, 100)  # pixels of a photo in which the model's 32 are few
REGION = Box(0, 10, 80, 90)
ANSWERS = torch.rand(3, 3, 32, 32, generator=torch.Generator().manual_seed(0)) * 2 - 1


@pytest.fixture
def damaged():
    return photo(LARGE), rectangle(LARGE, 0.3, 0.3, 0.7, 0.7)


def test_an_answer_is_drawn_anew_at_the_resolution_of_the_upsampler(model_with_upsampler, damaged):
    drawn = upsample(model_with_upsampler, *damaged, REGION, ANSWERS)
    view = make_view(*damaged, REGION, 64)
    guess = interpolate(ANSWERS[1:2], size=(64, 64), mode="bicubic")
    known = (~view.hole)[None].float()
    expected = complete_averaged(model_with_upsampler.upsampler, view.image[None], known, guess, shifted=False)
    assert torch.equal(drawn[1:2], expected)
    assert torch.equal(drawn[0][:, ~view.hole[0]], view.image[:, ~view.hole[0]])


def test_its_bits_do_not_depend_on_other_answers_or_on_the_hole(model_with_upsampler, damaged):
    picture, hole = damaged
    drawn = upsample(model_with_upsampler, picture, hole, REGION, ANSWERS)
    assert torch.equal(upsample(model_with_upsampler, picture, hole, REGION, ANSWERS[2:])[0], drawn[2])
    other = np.where(hole[..., None], photo(LARGE, 1), picture)
    assert torch.equal(upsample(model_with_upsampler, other, hole, REGION, ANSWERS), drawn)


def test_scattered_and_narrow_holes_keep_the_answer(model_with_upsampler):
    holes = [np.random.default_rng(0).random(LARGE) < 0.8, rectangle(LARGE, 0.47, 0, 0.53, 1)]
    for hole in holes:
        for region in (REGION, Square(20, 40, 80)):  # the square reaches beyond the photo, where nothing is missing
            assert upsample(model_with_upsampler, photo(LARGE), hole, region, ANSWERS) is ANSWERS


def test_without_an_upsampler_or_without_more_pixels_an_answer_stays(model_with_upsampler, damaged):
    assert upsample(replace(model_with_upsampler, upsampler=None), *damaged, REGION, ANSWERS) is ANSWERS
    for region, same in (
        (Square(50, 40, 45), True),
        (Square(50, 40, 46), False),
    ):  # the border is 32 times the root of 2
        assert (upsample(model_with_upsampler, *damaged, region, ANSWERS) is ANSWERS) == same


@pytest.mark.parametrize(
    "search", [QUICK, posterior(chains=2, burn_in=1, samples=2, steps=2)], ids=["standard", "posterior"]
)
def test_photos_get_the_details(model_with_upsampler, damaged, search):
    picture, hole = damaged
    places = {"blend": Paste(), "placements": [Placement((REGION,))], "options": SearchOptions(2)}
    plain = fill(replace(model_with_upsampler, upsampler=None), [picture], [hole], search, **places)[0]
    filled = fill(model_with_upsampler, [picture], [hole], search, **places)[0]
    assert [answer.shape for answer in filled.answers[0]] == [(64, 64, 3)] * 2 and filled.scores == plain.scores
    for detailed, before in zip(filled.pictures, plain.pictures, strict=True):
        assert np.array_equal(detailed[~hole], picture[~hole]) and not np.array_equal(detailed, before)


def test_published_searches_and_classical_filling_stay_as_they_are(model_with_upsampler, damaged):
    places = {"placements": [Placement((REGION,))]}
    for search in (yeh2017(steps=2), RoutedSearch(QUICK, tiny=1.0, scattered=0.6)):
        (filled,) = fill(model_with_upsampler, [damaged[0]], [damaged[1]], search, **places)
        assert filled.answers[0][0].shape == (32, 32, 3)
