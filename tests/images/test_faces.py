import cv2
import numpy as np
import pytest
from skimage.data import astronaut

from ganfill.images.faces import Face, find_faces, keep_known, to_square
from ganfill.images.rotated_square import Square

FACE = (223, 115, 172)  # middle and side of the square in the whole picture, in its pixels
NOTHING = np.zeros((512, 512), bool)


def near(square, x, y, side, angle=0.0):
    far = np.hypot(square.x - x, square.y - y)
    return far < 0.12 * side and 0.8 < square.side / side < 1.25 and abs(square.angle - angle) < 8


def rectangle(top, left, bottom, right, size=(512, 512)):
    hole = np.zeros(size, bool)
    hole[top:bottom, left:right] = True
    return hole


def test_a_face_is_found_where_it_is():
    (face,) = find_faces(astronaut(), NOTHING)
    assert face.score > 0.9 and near(face.square, *FACE)


def test_a_turned_face_is_found_with_its_angle():
    turn = cv2.getRotationMatrix2D((255.5, 255.5), 20, 1)
    photo = cv2.warpAffine(astronaut(), turn, (512, 512), borderMode=cv2.BORDER_REPLICATE)
    (face,) = find_faces(photo, NOTHING)
    x, y = turn @ (FACE[0] - 0.5, FACE[1] - 0.5, 1)
    assert near(face.square, x + 0.5, y + 0.5, FACE[2], 20)


@pytest.mark.parametrize(
    "hole", [rectangle(72, 180, 158, 266), rectangle(90, 150, 115, 300), rectangle(29, 137, 201, 223)]
)
def test_a_damaged_face_is_found_whatever_the_hole_holds(hole):
    photo = astronaut()
    photo[hole] = 0
    found = find_faces(photo, hole)
    square = found[0].square
    assert np.hypot(square.x - FACE[0], square.y - FACE[1]) < 0.15 * FACE[2] and 0.75 < square.side / FACE[2] < 1.35
    photo[hole] = np.random.default_rng(0).integers(0, 256, (hole.sum(), 3))
    assert find_faces(photo, hole) == found


def test_a_face_of_which_the_hole_hides_most_is_found_with_less_certainty():
    (face,) = find_faces(astronaut(), rectangle(65, 151, 165, 295))
    assert 0.5 < face.score < 0.7
    assert np.hypot(face.square.x - FACE[0], face.square.y - FACE[1]) < 0.15 * FACE[2]
    assert 0.75 < face.square.side / FACE[2] < 1.35


def test_a_small_face_at_the_hole_in_a_large_photo_is_found():
    photo = np.full((1500, 2000, 3), 90, np.uint8)
    photo[300:400, 1500:1600] = cv2.resize(astronaut()[:220, 110:330], (100, 100), interpolation=cv2.INTER_AREA)
    (face,) = find_faces(photo, rectangle(340, 1530, 350, 1560, photo.shape[:2]))
    assert near(face.square, 1551, 352, 78)


def test_where_is_no_face_none_is_found():
    noise = np.random.default_rng(0).integers(0, 256, (200, 300, 3), dtype=np.uint8)
    assert find_faces(noise, np.zeros((200, 300), bool)) == []
    assert find_faces(noise, rectangle(50, 60, 120, 130, (200, 300))) == []
    assert find_faces(noise, np.ones((200, 300), bool)) == []
    assert find_faces(noise[:10, :7], np.zeros((10, 7), bool)) == []


def test_the_first_of_two_that_overlap_is_kept():
    one, other, apart = (
        Face(Square(100, 100, 80), 0.6),
        Face(Square(110, 100, 40), 0.9),
        Face(Square(300, 100, 80), 0.7),
    )
    assert keep_known([other, apart, one], NOTHING) == [other, apart]
    assert keep_known([one, apart], rectangle(60, 60, 140, 130)) == [apart]


def test_the_square_of_points_in_one_place_is_none():
    with np.errstate(all="raise"):
        assert to_square(np.full((5, 2), 9.0)).side == 0
