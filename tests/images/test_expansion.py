import numpy as np
import pytest
from PIL import Image

from ganfill.errors import UserError
from ganfill.images.expansion import Expansion
from ganfill.images.photo import Photo, in_mode_of


@pytest.fixture
def photo():
    pixels = np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8)
    return Photo(pixels, np.full((40, 60), 7, np.uint8), b"profile", b"exif")


def test_the_new_part_is_missing_and_the_rest_stays(photo):
    hole = np.zeros((40, 60), bool)
    hole[3, 4] = True
    larger, missing = Expansion.parse("left:25%, top:5,bottom:10.5%")(photo, hole)
    assert larger.pixels.shape == (40 + 5 + 4, 60 + 15, 3) and missing.shape == (49, 75)
    assert np.array_equal(larger.pixels[5:45, 15:], photo.pixels) and np.array_equal(missing[5:45, 15:], hole)
    assert missing[:5].all() and missing[45:].all() and missing[:, :15].all()
    assert (larger.alpha[5:45, 15:] == 7).all() and (larger.alpha[missing[:, 0]][:, :15] == 255).all()
    assert (larger.profile, larger.exif) == (b"profile", b"exif")


def test_16_bit_values_grow_with_the_photo():
    levels = np.random.default_rng(0).integers(0, 65536, (4, 6), dtype=np.uint16)
    larger, hole = Expansion.parse("left:2,top:1")(Photo.of(Image.fromarray(levels)), np.zeros((4, 6), bool))
    finished = in_mode_of(larger, larger.pixels, hole)
    assert finished.dtype == np.uint16 and np.array_equal(finished[1:, 2:], levels) and hole.sum() == 40 - 24


def test_a_side_grows_by_a_pixel_at_least_and_by_the_photo_at_most(photo):
    hole = np.zeros((40, 60), bool)
    assert Expansion.parse("right:0.1%")(photo, hole)[1].shape == (40, 61)
    assert Expansion.parse("right:100%,left:60")(photo, hole)[1].shape == (40, 180)
    with pytest.raises(UserError, match="more pixels to a side than the photo has, 60x40"):
        Expansion.parse("top:41")(photo, hole)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("left", "expand=left is not known at 'left': give each side once, as left, right, top or bottom, a colon"),
        ("up:3", "is not known at 'up:3'"),
        ("left:3,left:4", "is not known at 'left:4'"),
        ("left:-3", "is not known at 'left:-3'"),
        ("left:0", "left:0 cannot be used: give whole pixels from 1, or up to 100 percent"),
        ("left:101%", "left:101% cannot be used"),
        ("left:2.5", "left:2.5 cannot be used"),
        ("", "is not known at ''"),
    ],
)
def test_a_mistake_is_named(text, message):
    with pytest.raises(UserError) as caught:
        Expansion.parse(text)
    assert message in str(caught.value)
