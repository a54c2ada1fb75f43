import cv2
import numpy as np
import pytest
from skimage.data import astronaut

from ganfill.images import face_cascade
from ganfill.images.face_cascade import find_faces

FACE = (224, 112, 165)  # middle and side of the square that is found in the whole picture, in its pixels
NOTHING = np.zeros((512, 512), bool)


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(face_cascade, "ANGLES", (-15, 0, 15))
    monkeypatch.setattr(face_cascade, "LONGER", 256)


def near(square, x, y, side, angle=0.0):
    far = np.hypot(square.x - x, square.y - y)
    return far < 0.12 * side and 0.8 < square.side / side < 1.25 and abs(square.angle - angle) < 8


def test_a_face_is_found_where_it_is():
    found = find_faces(astronaut(), NOTHING)
    assert found[0].votes > 12 and near(found[0].square, *FACE)


def test_a_turned_face_is_found_with_its_angle():
    turn = cv2.getRotationMatrix2D((255.5, 255.5), 15, 1)
    photo = cv2.warpAffine(astronaut(), turn, (512, 512), borderMode=cv2.BORDER_REPLICATE)
    found = find_faces(photo, NOTHING)
    x, y = turn @ (FACE[0] - 0.5, FACE[1] - 0.5, 1)
    assert near(found[0].square, x + 0.5, y + 0.5, FACE[2], 15)


def test_a_damaged_face_is_found_whatever_the_hole_holds():
    hole = NOTHING.copy()
    hole[60:95, 170:240], hole[300:420, 300:500] = True, True  # hair and forehead, and something else
    photo = astronaut()
    photo[hole] = 0
    found = find_faces(photo, hole)
    photo[hole] = np.random.default_rng(0).integers(0, 256, (hole.sum(), 3))
    assert found and near(found[0].square, *FACE) and find_faces(photo, hole) == found


def test_where_is_no_face_none_is_found():
    noise = np.random.default_rng(0).integers(0, 256, (200, 300, 3), dtype=np.uint8)
    assert find_faces(noise, np.zeros((200, 300), bool)) == []
    assert find_faces(noise, np.ones((200, 300), bool)) == []
    assert find_faces(noise[:10, :7], np.zeros((10, 7), bool)) == []
