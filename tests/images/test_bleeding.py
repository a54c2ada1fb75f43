from io import BytesIO

import cv2
import numpy as np
import pytest
from PIL import Image

from ganfill.images.bleeding import include_bleeding
from ganfill.images.holes import grow
from tests.pictures import encoded

PAINT = (220, 30, 40)


@pytest.fixture
def picture():
    """A picture whose colours change slowly, with fine grain, uint8 (120, 160, 3)."""
    random = np.random.default_rng(0)
    corners = random.uniform(60, 160, (3, 4, 3)).astype(np.float32)
    return (cv2.resize(corners, (160, 120)) + random.normal(0, 4, (120, 160, 3))).round().clip(0, 255).astype(np.uint8)


@pytest.fixture
def hole():
    hole = np.zeros((120, 160), bool)
    cv2.ellipse(shape := hole.astype(np.uint8), (80, 60), (40, 25), 20, 0, 360, 1, -1)
    return shape > 0


def painted(picture, hole, paint=PAINT):
    picture = picture.copy()
    picture[hole] = paint
    return picture


@pytest.mark.parametrize("quality", [60, 90])
def test_paint_in_a_jpeg_file_has_bled(picture, hole, quality):
    with Image.open(BytesIO(encoded(painted(picture, hole), "JPEG", quality=quality))) as file:
        pixels = np.asarray(file)
    wider = include_bleeding(pixels, hole, lossy=True)
    assert (wider >= grow(hole, 3)).all() and (wider <= grow(hole, 4)).all()
    saved_again = include_bleeding(pixels, hole)
    assert (saved_again >= grow(hole, 1)).all() and (saved_again <= grow(hole, 4)).all()


def test_paint_of_a_soft_brush_has_bled(picture, hole):
    share = cv2.GaussianBlur(hole.astype(np.float32), (0, 0), 1)[..., None]
    pixels = (share * np.float32(PAINT) + (1 - share) * picture).round().astype(np.uint8)
    wider = include_bleeding(pixels, share[..., 0] > 0.5)
    assert share[~wider].max() < 0.1 and (wider <= grow(hole, 4)).all()


def test_a_mask_that_is_too_small_is_widened_to_the_paint(picture, hole):
    wider = include_bleeding(painted(picture, grow(hole, 2)), hole)
    assert np.array_equal(wider, grow(hole, 2))


@pytest.mark.parametrize("lossy", [False, True])
def test_a_hole_that_is_not_painted_stays(picture, hole, lossy):
    assert include_bleeding(picture, hole, lossy) is hole
    noise = painted(picture, hole, np.random.default_rng(1).integers(0, 256, (hole.sum(), 3)))
    assert include_bleeding(noise, hole, lossy) is hole
    flat = np.full_like(picture, 90)
    assert include_bleeding(painted(flat, hole, (100, 100, 100)), hole, lossy) is hole


def test_a_plain_coat_that_continues_beside_the_hole_is_not_paint(picture, hole):
    coat = np.zeros_like(hole)
    coat[30:, 30:130] = True  # the hole ends far inside on some sides and at its edge on others
    pixels = painted(picture, coat, (10, 10, 12))
    for part in (hole & coat, hole & grow(coat, 2)):
        assert include_bleeding(pixels, part) is part


def test_paint_with_sharp_edges_stays(picture, hole):
    assert include_bleeding(painted(picture, hole), hole) is hole
    assert include_bleeding(painted(picture, hole, 0), hole) is hole


def test_each_part_has_its_own_paint(picture):
    left, right = np.zeros((2, 120, 160), bool)
    left[40:80, 20:50] = right[40:80, 100:140] = True
    pixels = painted(painted(picture, grow(left, 1)), right, (20, 20, 200))
    assert np.array_equal(include_bleeding(pixels, left | right), grow(left, 1) | right)


@pytest.mark.parametrize("shape", [(1, 1), (3, 200), (40, 40)])
def test_empty_full_and_scattered_holes_stay(shape):
    pixels, random = np.full((*shape, 3), 200, np.uint8), np.random.default_rng(0)
    for hole in (np.zeros(shape, bool), np.ones(shape, bool), random.random(shape) < 0.5):
        assert include_bleeding(painted(pixels, hole), hole, lossy=True) is hole
