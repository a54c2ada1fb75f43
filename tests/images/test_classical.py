import numpy as np
import pytest

from ganfill.images.classical import biharmonic, harmonic, navier_stokes, telea

METHODS = [biharmonic, harmonic, telea, navier_stokes]


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
