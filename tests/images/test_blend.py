import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from ganfill.errors import UserError
from ganfill.images import tiles
from ganfill.images.blend import Feather, Paste, Poisson

BLENDS = [Paste(), Feather(2.0), Poisson()]
RNG = np.random.default_rng(0)


def pictures(size, seed=0):
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (*size, 3), dtype=np.uint8), rng.integers(0, 256, (*size, 3), dtype=np.uint8)


@pytest.mark.parametrize("blend", BLENDS, ids=lambda blend: type(blend).__name__)
@given(st.integers(1, 12), st.integers(1, 12), st.integers(0, 99), st.sampled_from([0.0, 0.1, 0.5, 0.9, 1.0]))
@settings(deadline=None, max_examples=30)
def test_any_hole_keeps_known_pixels_and_ignores_what_it_held(blend, height, width, seed, share):
    filled, image = pictures((height, width), seed)
    hole = np.random.default_rng(seed).random((height, width)) < share
    finished = blend(filled, image, hole)
    assert finished.shape == image.shape and finished.dtype == np.uint8
    assert np.array_equal(finished[~hole], image[~hole])
    assert np.array_equal(finished, blend(filled, np.where(hole[..., None], 255 - image, image), hole))


@pytest.mark.parametrize("blend", BLENDS, ids=lambda blend: type(blend).__name__)
def test_empty_and_full_holes(blend):
    filled, image = pictures((9, 7))
    assert np.array_equal(blend(filled, image, np.zeros((9, 7), bool)), image)
    assert np.array_equal(blend(filled, image, np.ones((9, 7), bool)), filled)


def test_paste_puts_in_the_answer():
    filled, image = pictures((9, 7))
    hole = RNG.random((9, 7)) < 0.5
    assert np.array_equal(Paste()(filled, image, hole)[hole], filled[hole])


HOLES = {
    "inside": np.s_[4:12, 5:13],
    "edge": np.s_[4:12, 0:8],
    "corner": np.s_[8:16, 8:16],
    "across": np.s_[:, 6:10],
    "all but one pixel": np.s_[1:, :],
}


@pytest.mark.parametrize("place", HOLES)
def test_poisson_takes_away_a_constant_difference_exactly(place):
    image = RNG.integers(30, 200, (16, 16, 3), dtype=np.uint8)
    hole = np.zeros((16, 16), bool)
    hole[HOLES[place]] = True
    finished = Poisson()(image + np.array([20, -30, 55]).astype(np.int8).astype(np.uint8), image, hole)
    assert np.array_equal(finished, image)


@pytest.mark.parametrize("place", HOLES)
def test_poissons_correction_is_harmonic(place):
    image, filled = np.zeros((16, 16, 3), np.uint8), np.full((16, 16, 3), 100, np.uint8)
    image += np.linspace(40, 220, 16).astype(np.uint8)[:, None, None]
    hole = np.zeros((16, 16), bool)
    hole[HOLES[place]] = True
    change = np.pad(Poisson()(filled, image, hole).astype(float) - filled, ((1, 1), (1, 1), (0, 0)), mode="edge")
    laplacian = change[:-2, 1:-1] + change[2:, 1:-1] + change[1:-1, :-2] + change[1:-1, 2:] - 4 * change[1:-1, 1:-1]
    assert np.abs(laplacian[hole]).max() <= 4  # each of eight terms is rounded to a level


def test_poisson_solves_holes_apart_from_each_other():
    filled, image = pictures((12, 20))
    one, two = np.zeros((12, 20), bool), np.zeros((12, 20), bool)
    one[2:6, 2:6], two[5:11, 12:19] = True, True
    both = Poisson()(filled, image, one | two)
    assert np.array_equal(both[one], Poisson()(filled, image, one)[one])
    assert np.array_equal(both[two], Poisson()(filled, image, two)[two])


def test_poisson_clips_instead_of_wrapping_round():
    filled = np.zeros((8, 8, 3), np.uint8)
    filled[4, 4] = 255
    image, hole = np.full((8, 8, 3), 250, np.uint8), np.zeros((8, 8), bool)
    hole[2:7, 2:7] = True
    assert Poisson()(filled, image, hole)[4, 4].tolist() == [255, 255, 255]


def test_feather_meets_the_edge_and_fades_inside():
    filled, image = np.full((41, 41, 3), 100, np.uint8), np.full((41, 41, 3), 180, np.uint8)
    hole = np.zeros((41, 41), bool)
    hole[1:40, 1:40] = True
    row = Feather(3.0)(filled, image, hole)[20, :21, 0]
    assert row[1] == 180 and row[4] == round(100 + 80 / np.e) and row[20] == 100
    assert (np.diff(row[1:].astype(int)) <= 0).all()


@pytest.mark.parametrize("radius", [0, -1.5, float("nan"), float("inf")])
def test_a_radius_that_is_no_distance_is_refused(radius):
    with pytest.raises(UserError, match=f"blend: radius={radius} cannot be used: give a finite number above 0"):
        Feather(radius)


def test_feather_gives_the_same_in_tiles(monkeypatch):
    filled, image = pictures((90, 110))
    hole = np.zeros((90, 110), bool)
    hole[5:85, 10:100] = True
    hole[30:33, 40:44] = False
    whole = Feather(1.0)(filled, image, hole)
    monkeypatch.setattr(tiles, "SIDE", 16)
    assert np.array_equal(Feather(1.0)(filled, image, hole), whole)
