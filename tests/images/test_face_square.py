import cv2
import numpy as np
import pytest
from PIL import Image

from ganfill.images.face_square import correct
from ganfill.images.rotated_square import Square
from ganfill.model_io.model_file import PACKAGED

SIDE = 128
TRUE = Square(SIDE, SIDE, SIDE)
WRONG = [Square(SIDE, SIDE, 1.3 * SIDE), Square(SIDE, SIDE, 0.8 * SIDE), Square(SIDE + 10, SIDE - 12, SIDE, 12.0)]


@pytest.fixture(scope="module")
def photos():
    """Test faces, each continued by its mirror image for half a side beyond its crop."""
    photos = []
    for path in sorted(PACKAGED.glob("demo/ffhq_*.png")):
        face = np.array(Image.open(path).convert("RGB").resize((SIDE, SIDE), Image.Resampling.BICUBIC))
        photos.append(np.pad(face, ((SIDE // 2,) * 2, (SIDE // 2,) * 2, (0, 0)), mode="reflect"))
    return photos


@pytest.fixture
def hole():
    """The middle half of the face."""
    hole = np.zeros((2 * SIDE, 2 * SIDE), bool)
    hole[96:160, 96:160] = True
    return hole


def error(square):
    """Shift in sides, logarithm of the side, and angle in radians; absolute."""
    shift = np.hypot(square.x - TRUE.x, square.y - TRUE.y) / SIDE
    return np.array([shift, abs(np.log(square.side / SIDE)), abs(np.radians(square.angle))])


@pytest.mark.parametrize("wrong", WRONG)
def test_a_wrong_square_comes_close_to_the_face_behind_the_hole(photos, hole, wrong):
    corrected = [error(correct(wrong, photo, hole)) for photo in photos]
    assert np.sum(np.mean(corrected, 0)) < 0.6 * np.sum(error(wrong))


def test_the_content_of_the_hole_plays_no_part(photos, hole):
    noise = np.random.default_rng(0).integers(0, 256, photos[0].shape, dtype=np.uint8)
    hidden = np.where(hole[..., None], noise, photos[0])
    assert correct(WRONG[0], hidden, hole) == correct(WRONG[0], photos[0], hole) != WRONG[0]


def test_a_mirrored_photo_has_the_mirrored_square(photos, hole):
    square = correct(WRONG[2], photos[0], hole)
    mirrored = Square(2 * SIDE - WRONG[2].x, WRONG[2].y, WRONG[2].side, -WRONG[2].angle)
    other = correct(mirrored, photos[0][:, ::-1], hole[:, ::-1])
    expected = (2 * SIDE - square.x, square.y, square.side, -square.angle)
    assert (other.x, other.y, other.side, other.angle) == pytest.approx(expected, abs=0.5)


def test_a_turned_photo_has_the_turned_square(photos):
    hole = cv2.circle(np.zeros((2 * SIDE, 2 * SIDE), np.uint8), (SIDE, SIDE), 30, 1, -1) > 0
    turn = cv2.getRotationMatrix2D((SIDE - 0.5, SIDE - 0.5), 90, 1)
    turned = cv2.warpAffine(photos[0], turn, (2 * SIDE, 2 * SIDE))
    upright = correct(Square(SIDE, SIDE, 1.2 * SIDE), photos[0], hole)
    square = correct(Square(SIDE, SIDE, 1.2 * SIDE, 90.0), turned, hole)
    x, y = turn @ (upright.x - 0.5, upright.y - 0.5, 1)
    assert (square.x, square.y, square.side) == pytest.approx((x + 0.5, y + 0.5, upright.side), abs=1.5)
    assert square.angle == pytest.approx(upright.angle + 90, abs=1.5)


def test_a_small_hole_leaves_the_square_as_it_is(photos):
    hole = np.zeros((2 * SIDE, 2 * SIDE), bool)
    hole[120:140, 120:140] = True
    assert correct(WRONG[0], photos[0], hole) is WRONG[0]


def test_a_square_beyond_the_photo_is_corrected(photos, hole):
    photo, missing = photos[0][60:200, 60:200], hole[60:200, 60:200]
    square = correct(Square(68.0, 68.0, 170.0), photo, missing)
    assert 100 < square.side < 165 and np.hypot(square.x - 68, square.y - 68) < 25
