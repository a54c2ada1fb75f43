import numpy as np
import pytest
from skimage.data import astronaut

from ganfill.images import classical
from ganfill.images.classical import biharmonic, fill_from_neighbours, harmonic, limit, navier_stokes, suited, telea

METHODS = [biharmonic, harmonic, telea, navier_stokes, fill_from_neighbours]


@pytest.fixture
def ramp():
    """A picture that grows evenly from left to right, with a hole in its middle."""
    hole = np.zeros((32, 32), dtype=bool)
    hole[12:20, 10:22] = True
    return np.repeat(np.arange(32, dtype=np.uint8)[None, :, None] * 8, 32, 0).repeat(3, 2), hole


@pytest.mark.parametrize("method", METHODS)
def test_known_pixels_stay_and_the_hole_plays_no_part(method, ramp):
    image, hole = ramp
    other = np.where(hole[..., None], np.uint8(255), image)
    filled = method(image, hole)
    assert (filled == method(other, hole)).all()
    assert (filled[~hole] == image[~hole]).all()


def test_biharmonic_continues_a_ramp_exactly_and_the_others_nearly(ramp):
    image, hole = ramp
    assert np.abs(biharmonic(image, hole).astype(int) - image).max() <= 1
    for method in (telea, navier_stokes):
        assert np.abs(method(image, hole).astype(int) - image).max() <= 64


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("missing", [False, True])
def test_nothing_missing_and_nothing_known(method, missing, ramp):
    image, _ = ramp
    filled = method(image, np.full((32, 32), missing))
    assert (filled == (128 if missing else image)).all()


@pytest.mark.parametrize("size", [4, 20, 60])
def test_no_pixel_leaves_the_range_around_its_part_of_the_hole(size):
    image = astronaut()[:200, 100:300]
    hole = np.zeros((200, 200), bool)
    corners = ((10, 20), (110, 30), (60, 120))
    for top, left in corners:
        hole[top : top + size, left : left + size] = True
    filled = fill_from_neighbours(image, hole)
    assert np.array_equal(filled[~hole], image[~hole])
    for top, left in corners:
        inside, near = (np.s_[top - n : top + size + n, left - n : left + size + n] for n in (0, 1))
        around = image[near][~hole[near]]
        assert (filled[inside] >= around.min(0)).all() and (filled[inside] <= around.max(0)).all()


def test_large_holes_are_not_filled_by_the_biharmonic_equation():
    hole = np.zeros((200, 300), bool)
    hole[50:54, 20:200] = True
    assert suited(hole) is biharmonic
    hole[50:90, 20:60] = True
    assert suited(hole) is harmonic


def test_parts_that_are_far_apart_are_filled_alone(monkeypatch):
    image, seen, parts = astronaut()[:200, :300], [], np.zeros((3, 200, 300), bool)
    parts[0, 10:12, 20:60] = parts[1, 150:190, 200:203] = parts[2, 120:124, 5:8] = True
    expected = image.copy()
    for part in parts:
        expected[part] = limit(biharmonic(image, part), part)[part]
    monkeypatch.setattr(classical, "biharmonic", lambda image, hole: seen.append(hole.size) or biharmonic(image, hole))
    assert np.array_equal(fill_from_neighbours(image, parts.any(0)), expected)
    assert len(seen) == 3 and max(seen) < image.size / 10
