import math

import cv2
import hypothesis.strategies as st
import numpy as np
import pytest
import torch
from hypothesis import given, settings

from ganfill.images.blend import Paste, Poisson
from ganfill.images.regions import assign_to_regions, blend_answer, make_view
from ganfill.images.rotated_square import Square

RNG = np.random.default_rng(0)


@st.composite
def squares(draw):
    """A square that touches a photo of 40 x 60 pixels."""
    place = {"x": draw(st.floats(0, 60)), "y": draw(st.floats(0, 40))}
    return Square(**place, side=draw(st.floats(3, 70)), angle=draw(st.floats(-180, 180)))


def photo_and_hole(seed=0):
    rng = np.random.default_rng(seed)
    hole = np.zeros((40, 60), bool)
    top, left = rng.integers(0, 30), rng.integers(0, 50)
    hole[top : top + rng.integers(1, 10), left : left + rng.integers(1, 10)] = True
    return rng.integers(0, 256, (40, 60, 3), dtype=np.uint8), hole


@given(squares(), st.integers(0, 50))
@settings(deadline=None, max_examples=80)
def test_nothing_of_the_hole_reaches_the_model(square, seed):
    photo, hole = photo_and_hole(seed)
    view = make_view(photo, hole, square, 8)
    other = make_view(np.where(hole[..., None], 255 - photo, photo), hole, square, 8)
    assert torch.equal(view.image, other.image) and torch.equal(view.hole, other.hole)
    assert not view.image[:, view.hole[0]].any() and view.image.abs().max() <= 1


@given(squares(), st.integers(0, 50))
@settings(deadline=None, max_examples=80)
def test_a_small_pixel_is_known_only_if_all_its_pixels_are(square, seed):
    photo, hole = photo_and_hole(seed)
    known = ~make_view(photo, hole, square, 8).hole[0].numpy()
    cos, sin = math.cos(math.radians(square.angle)), math.sin(math.radians(square.angle))
    for y, x in zip(*np.nonzero(hole), strict=True):
        across, down = x + 0.5 - square.x, y + 0.5 - square.y
        column, row = (across * cos - down * sin) / square.side, (across * sin + down * cos) / square.side
        i, j = math.floor((row + 0.5) * 8), math.floor((column + 0.5) * 8)
        if 0 <= i < 8 and 0 <= j < 8:
            assert not known[i, j]


def test_what_lies_beyond_the_photo_is_missing():
    view = make_view(np.full((40, 60, 3), 200, np.uint8), np.zeros((40, 60), bool), Square(0, 20, 40, 0), 8)
    assert view.hole[0, :, :4].all() and not view.hole[0, :, 4:].any(0)[1:].any()
    assert (view.image[:, ~view.hole[0]] - (200 / 127.5 - 1)).abs().max() < 1e-5


def test_a_square_of_the_models_size_is_seen_as_it_is():
    photo, hole = photo_and_hole()
    view = make_view(photo, hole, Square(30, 20, 16), 16)
    part = np.s_[12:28, 22:38]
    assert np.array_equal(view.hole[0], hole[part])
    wanted = np.where(hole[part][..., None], 127.5, photo[part]) / 127.5 - 1
    np.testing.assert_allclose(view.image.permute(1, 2, 0), wanted, atol=1e-6)


def test_a_turned_picture_is_seen_upright():
    upright = cv2.GaussianBlur(RNG.integers(0, 256, (80, 80, 3), dtype=np.uint8), (0, 0), 6).astype(np.float64)
    upright = ((upright - upright.min()) / np.ptp(upright) * 255).astype(np.uint8)
    counter_clockwise = cv2.getRotationMatrix2D((39.5, 39.5), 20, 1)
    rotated = cv2.warpAffine(upright, counter_clockwise, (80, 80), flags=cv2.INTER_CUBIC)
    nothing = np.zeros((80, 80), bool)
    seen = make_view(rotated, nothing, Square(40, 40, 48, 20), 16).image
    wanted = make_view(upright, nothing, Square(40, 40, 48, 0), 16).image
    assert (
        (seen - wanted).abs().max()
        < 0.05
        < (make_view(rotated, nothing, Square(40, 40, 48), 16).image - wanted).abs().max()
    )


@pytest.mark.parametrize("angle", [0, 17, -90])
@pytest.mark.parametrize("side", [9, 40])
def test_an_answer_lies_where_it_was_seen(angle, side):
    across = torch.linspace(-1, 1, 16).expand(3, 16, 16)
    answer = torch.stack([across[0], across[0].T, torch.zeros(16, 16)])  # smooth: red rightwards, green downwards
    square, whole = Square(31.3, 20.4, side, angle), np.ones((40, 60), bool)
    part = np.isfinite(square.distance((40, 60)))
    finished = np.zeros((40, 60, 3), np.uint8)
    blend_answer(answer, finished, whole, part, square, Paste())
    assert not finished[~part].any()
    again = make_view(finished, ~part, square, 16)
    known = ~again.hole[0]
    assert known.float().mean() > 0.3
    assert (again.image - answer)[:, known].abs().max() < 0.2


@given(squares(), st.integers(0, 50))
@settings(deadline=None, max_examples=30)
def test_known_pixels_stay_bit_for_bit(square, seed):
    photo, hole = photo_and_hole(seed)
    parts, outside = assign_to_regions(hole, (square,))
    answer = torch.rand(3, 8, 8, generator=torch.Generator().manual_seed(seed)) * 2 - 1
    finished = photo.copy()
    blend_answer(answer, finished, hole, parts[0], square, Poisson())
    assert np.array_equal(finished[~parts[0]], photo[~parts[0]])
    assert np.array_equal(parts[0] | outside, hole) and not (parts[0] & outside).any()


def test_missing_pixels_go_to_the_nearest_square():
    hole = np.ones((40, 60), bool)
    parts, outside = assign_to_regions(hole, (Square(15, 20, 30), Square(35, 20, 30)))
    assert parts[0][20, 5] and parts[1][20, 45] and outside[20, 55] and outside[2, 20]
    assert parts[0][20, 24] and parts[1][20, 26] and (parts[0].astype(int) + parts[1] + outside == 1).all()


def test_a_square_far_from_the_photo_touches_nothing():
    square = Square(500, -300, 20, 10)
    assert np.isinf(square.distance((40, 60))).all()
    assert make_view(*photo_and_hole(), square, 8).hole.all()


@pytest.mark.parametrize("scale", [1, 2])
def test_a_rotated_square_is_sampled_by_interpolation_between_pixels(scale):
    def smooth(x, y):
        return 127.5 + 60 * np.sin(x / 5) + 60 * np.cos(y / 6)

    y, x = np.mgrid[:200, :200] + 0.5
    photo = smooth(x, y)[..., None].repeat(3, 2).round().astype(np.uint8)
    colours, missing = Square(100, 100, 64 * scale, 17).shrink(photo, np.zeros((200, 200), bool), 64)
    v, u = (np.mgrid[: 64 * scale, : 64 * scale] + 0.5) - 32 * scale
    cos, sin = math.cos(math.radians(17)), math.sin(math.radians(17))
    exact = smooth(100 + u * cos + v * sin, 100 - u * sin + v * cos)
    exact = exact.reshape(64, scale, 64, scale).mean((1, 3))
    assert not missing.any() and abs(colours - exact[..., None]).mean() < 0.5
