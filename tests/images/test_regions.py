import hypothesis.strategies as st
import numpy as np
import pytest
import torch
from hypothesis import given, settings

from ganfill.images.alignment import center
from ganfill.images.blend import Feather, Paste, Poisson
from ganfill.images.regions import Box, blend_answer, make_view

RNG = np.random.default_rng(0)


@st.composite
def damaged_photos(draw):
    """A photo of any shape and a hole in it, a rectangle anywhere."""
    height, width = draw(st.integers(1, 60)), draw(st.integers(1, 60))
    top, left = draw(st.integers(0, height - 1)), draw(st.integers(0, width - 1))
    bottom, right = draw(st.integers(top + 1, height)), draw(st.integers(left + 1, width))
    hole = np.zeros((height, width), bool)
    hole[top:bottom, left:right] = True
    return np.random.default_rng(draw(st.integers(0, 99))).integers(0, 256, (height, width, 3), dtype=np.uint8), hole


def middle(hole):
    return center(np.empty(0), hole, 64).regions[0]


def see(photo, hole, resolution):
    return make_view(photo, hole, middle(hole), resolution)


def fill_in(answer, photo, hole, box, blend):
    finished = photo.copy()
    blend_answer(answer, finished, hole, hole, box, blend)
    return finished


@given(damaged_photos(), st.sampled_from([4, 8, 16]))
@settings(deadline=None, max_examples=60)
def test_nothing_of_the_hole_reaches_the_model(damaged, resolution):
    photo, hole = damaged
    view = see(photo, hole, resolution)
    other = np.where(hole[..., None], 255 - photo, photo)
    assert torch.equal(view.image, see(other, hole, resolution).image)
    assert view.image.shape == (3, resolution, resolution) and view.hole.shape == (1, resolution, resolution)
    assert view.hole.any() and not view.image[:, view.hole[0]].any()
    assert view.image.abs().max() <= 1 and view.image.isfinite().all()


@given(damaged_photos())
@settings(deadline=None, max_examples=40)
def test_known_small_pixels_are_means_of_known_large_ones(damaged):
    photo, hole = damaged
    photo = np.where(hole[..., None], photo, np.uint8(200))
    view = see(photo, hole, 8)
    assert (view.image[:, ~view.hole[0]] - (200 / 127.5 - 1)).abs().lt(1e-5).all()


def test_a_small_pixel_is_known_only_if_all_of_its_pixels_are():
    hole = np.zeros((16, 16), bool)
    hole[5, 9] = True
    assert see(np.zeros((16, 16, 3), np.uint8), hole, 4).hole[0].nonzero().tolist() == [[1, 2]]


def test_a_photo_of_the_models_size_is_seen_as_it_is():
    photo = RNG.integers(0, 256, (16, 16, 3), dtype=np.uint8)
    hole = np.zeros((16, 16), bool)
    hole[2:5, 7:9] = True
    view = see(photo, hole, 16)
    wanted = np.where(hole[..., None], 127.5, photo) / 127.5 - 1
    np.testing.assert_allclose(view.image.permute(1, 2, 0), wanted, atol=1e-6)
    assert np.array_equal(view.hole[0], hole)


def test_a_region_of_the_models_size_needs_no_scaling(monkeypatch):
    photo, hole = RNG.integers(0, 256, (40, 50, 3), dtype=np.uint8), RNG.random((40, 50)) < 0.3
    box = Box(3, 5, 35, 37)
    monkeypatch.setattr("ganfill.images.regions._overlap", None)
    colours, missing = box.shrink(photo, hole, 32)
    inside = np.s_[3:35, 5:37]
    assert np.array_equal(missing, hole[inside]) and not colours[missing].any()
    assert np.array_equal(colours[~missing], photo[inside][~missing])


def test_scaling_down_averages():
    photo = RNG.integers(0, 256, (8, 8, 3), dtype=np.uint8)
    hole = np.zeros((8, 8), bool)
    hole[0, 0] = True
    small = see(photo, hole, 4).image.permute(1, 2, 0)
    means = photo.reshape(4, 2, 4, 2, 3).mean((1, 3)) / 127.5 - 1
    np.testing.assert_allclose(small[1:], means[1:], atol=1e-6)


@pytest.mark.parametrize("blend", [Paste(), Feather(), Poisson()], ids=lambda blend: type(blend).__name__)
@given(damaged_photos())
@settings(deadline=None, max_examples=25)
def test_known_pixels_of_a_photo_of_any_size_stay_bit_for_bit(blend, damaged):
    photo, hole = damaged
    before = photo.copy()
    answer = torch.rand(3, 8, 8, generator=torch.Generator().manual_seed(0)) * 2 - 1
    finished = fill_in(answer, photo, hole, middle(hole), blend)
    assert finished.shape == photo.shape and finished.dtype == np.uint8
    assert np.array_equal(finished[~hole], photo[~hole]) and np.array_equal(photo, before)


def test_an_answer_of_the_right_size_is_pasted_as_it_is():
    answer = torch.rand(3, 8, 8, generator=torch.Generator().manual_seed(0)) * 2 - 1
    finished = fill_in(answer, np.zeros((8, 8, 3), np.uint8), np.ones((8, 8), bool), Box(0, 0, 8, 8), Paste())
    np.testing.assert_allclose(finished, (answer.permute(1, 2, 0) + 1) * 127.5, atol=0.51)


def test_an_answer_is_scaled_into_its_box():
    answer = torch.zeros(3, 4, 4)
    answer[:, :, 2:] = 1
    hole = np.zeros((16, 24), bool)
    hole[:, 6:18] = True
    finished = fill_in(answer, np.zeros((16, 24, 3), np.uint8), hole, Box(0, 4, 16, 20), Paste())
    assert not finished[:, :6].any() and not finished[:, 18:].any()
    assert abs(int(finished[8, 7, 0]) - 128) < 12 and finished[8, 16, 0] > 240


@pytest.mark.parametrize("blend", [Feather(1e9), Poisson()], ids=lambda blend: type(blend).__name__)
def test_a_hole_at_the_boxs_edge_meets_the_photo_beyond_it(blend):
    photo, hole = np.full((8, 24, 3), 90, np.uint8), np.zeros((8, 24), bool)
    hole[:, 8:16] = True  # the box is all hole, with known pixels left and right of it
    assert middle(hole) == Box(0, 8, 8, 16)
    finished = fill_in(torch.full((3, 4, 4), 0.5), photo, hole, Box(0, 8, 8, 16), blend)
    assert (finished == 90).all()


@given(damaged_photos())
@settings(deadline=None, max_examples=60)
def test_the_middle_lies_in_the_photo_and_holds_the_hole(damaged):
    _, hole = damaged
    box = middle(hole)
    assert 0 <= box.top < box.bottom <= len(hole) and 0 <= box.left < box.right <= hole.shape[1]
    assert hole[box.top : box.bottom, box.left : box.right].sum() == hole.sum()
    assert box.bottom - box.top == box.right - box.left == min(hole.shape) or (box.bottom, box.right) == hole.shape
