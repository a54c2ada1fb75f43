import numpy as np
import pytest
import torch

from ganfill.images import grain
from ganfill.images.blend import Poisson
from ganfill.images.regions import Box, blend_answer

HOLE = np.zeros((120, 160), bool)
HOLE[40:80, 50:100] = True


def noisy(deviation, seed=0):
    y, x = np.mgrid[:120, :160]
    slope = (60 + 0.5 * x + 0.3 * y + 40 * (x > 20))[..., None]
    noise = np.random.default_rng(seed).normal(0, deviation, (120, 160, 1))
    return (slope + noise).round().clip(0, 255).astype(np.uint8).repeat(3, 2)


@pytest.mark.parametrize("deviation", [2, 6, 12])
def test_noise_is_measured_on_slopes_and_edges_and_the_hole_plays_no_part(deviation):
    photo = noisy(deviation)
    measured = grain.measure(photo, HOLE)
    assert measured == pytest.approx(deviation, rel=0.1)
    photo[HOLE] = 255
    assert grain.measure(photo, HOLE) == measured
    assert grain.measure(photo, np.ones_like(HOLE)) == 0


@pytest.mark.parametrize(("side", "share"), [(16, 0.97), (60, 0.0)])
def test_an_enlarged_answer_gets_the_grain_of_the_photo(side, share):
    photo, answer = noisy(8), torch.zeros(3, side, side)
    region = Box(30, 45, 90, 105)
    finished = photo.copy()
    blend_answer(answer, finished, HOLE, HOLE, region, Poisson())
    assert np.array_equal(finished[~HOLE], photo[~HOLE])
    inside = np.zeros_like(HOLE)
    inside[45:75, 55:95] = True
    got = np.median(abs(np.diff(finished[..., 0].astype(float), 2, 1))[inside[:, 2:]]) / (6**0.5 * 0.6745)
    assert got == pytest.approx(8 * share, abs=1.0)


def test_a_photo_without_noise_gets_none():
    photo = np.full((120, 160, 3), 90, np.uint8)
    blend_answer(torch.full((3, 8, 8), 0.1), photo, HOLE, HOLE, Box(30, 45, 90, 105), Poisson())
    assert (photo == 90).all()
