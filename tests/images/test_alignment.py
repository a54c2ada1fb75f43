import itertools
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from ganfill.errors import UserError
from ganfill.images import alignment
from ganfill.images.alignment import Faces, Given, Placement, center, face, find_alignment, whole
from ganfill.images.faces import Face
from ganfill.images.regions import Box
from ganfill.images.rotated_square import Square
from ganfill.model_io.model_file import PACKAGED


def rectangle(size, top, left, bottom, right):
    hole = np.zeros(size, bool)
    hole[top:bottom, left:right] = True
    return hole


@pytest.fixture
def found(monkeypatch):
    """The faces that a search shall find, and the sizes of what was searched."""
    squares, searched = [], []

    def find(photo, hole):
        searched.append(hole.shape)
        return list(squares)

    monkeypatch.setattr(alignment, "face", Faces(find))
    return squares, searched


def place(hole, resolution=16):
    return alignment.face(np.zeros((*hole.shape, 3), np.uint8), hole, resolution)


@pytest.mark.parametrize(
    ("size", "hole", "box"),
    [
        ((20, 20), (3, 3, 5, 5), (0, 0, 20, 20)),
        ((20, 30), (3, 9, 5, 11), (0, 5, 20, 25)),
        ((20, 30), (3, 0, 5, 2), (0, 0, 20, 20)),
        ((20, 30), (3, 28, 5, 30), (0, 10, 20, 30)),
        ((30, 20), (26, 3, 28, 5), (8, 0, 28, 20)),
        ((20, 50), (3, 2, 5, 48), (0, 0, 20, 50)),
        ((20, 50), (0, 10, 20, 30), (0, 10, 20, 30)),
    ],
)
def test_the_box_slides_as_far_as_the_hole_needs(size, hole, box):
    assert center(np.empty(0), rectangle(size, *hole), 64).regions == (Box(*box),)


def test_the_whole_photo_is_squeezed():
    assert whole(np.empty(0), rectangle((20, 30), 1, 1, 2, 2), 64).regions == (Box(0, 0, 20, 30),)


def test_a_photo_of_about_the_models_size_is_not_searched(found):
    hole = rectangle((31, 50), 3, 3, 8, 8)
    assert place(hole) == center(np.empty(0), hole, 16) and not found[1]
    assert place(np.ones((80, 60), bool)).regions == (Box(0, 0, 80, 60),) and not found[1]


def test_faces_that_the_hole_touches_are_looked_at(found):
    one, two, three = Square(40, 40, 40, 10), Square(100, 40, 40), Square(160, 40, 40)
    found[0].extend([Face(one, 0.9), Face(two, 0.8), Face(three, 0.7)])
    hole = rectangle((80, 200), 30, 30, 40, 40) | rectangle((80, 200), 30, 150, 40, 175)
    assert place(hole) == Placement((one, three), "", (0.9, 0.7))


def test_a_thin_hole_outside_all_faces_needs_no_model(found):
    found[0].append(Face(Square(40, 40, 40), 0.9))
    placement = place(rectangle((80, 200), 60, 150, 65, 190))
    assert placement == Placement(())


def test_a_hole_without_a_face_is_left_to_its_neighbours(found):
    found[0].append(Face(Square(40, 140, 40), 0.9))  # elsewhere
    placement = place(rectangle((200, 300), 20, 200, 80, 270))
    assert placement.regions == placement.scores == ()
    assert placement.warning == (
        "no face found at the hole, so neighbouring pixels fill it; if it hides one, use align=box "
        "box=left,top,right,bottom to say where; if the model draws something else, use align=center"
    )
    found[0].clear()
    assert place(rectangle((200, 200), 20, 100, 60, 130)) == placement  # also in a square photo


def test_a_hole_that_may_hide_a_face_as_large_as_the_photo_is_assumed_to(found):
    placement = place(rectangle((200, 300), 50, 75, 150, 225))  # the middle half
    assert placement.regions == (Box(0, 50, 200, 250),) and placement.scores == ()
    assert "no face found at the hole, so one is assumed to fill the hole's surroundings" in placement.warning
    placement = place(rectangle((200, 200), 50, 50, 150, 150))
    assert placement.regions == (Box(0, 0, 200, 200),) and "to fill the whole photo" in placement.warning
    assert place(rectangle((200, 300), 60, 0, 150, 250)).regions == (Box(0, 0, 200, 300),)
    both = place(rectangle((200, 300), 50, 0, 150, 100) | rectangle((200, 300), 60, 200, 110, 250))
    assert both.regions == (Box(0, 0, 200, 200),)


@pytest.mark.parametrize("overlap", [1, 3])
def test_a_face_that_the_hole_barely_touches_is_left_out(found, overlap):
    found[0].append(Face(Square(80, 80, 60), 0.95))  # reaches 110
    hole = rectangle((200, 300), 60, 110 - overlap, 100, 150)
    assert place(hole) == place(rectangle((200, 300), 60, 110, 100, 150))


def test_a_small_face_in_a_large_hole_counts(found):
    found[0].append(Face(Square(80, 80, 60), 0.95))
    placement = place(rectangle((400, 600), 80, 80, 180, 400))  # a quarter of the face, 3 % of the hole
    assert placement.regions == (Square(80, 80, 60),)
    assert placement.warning.startswith(
        "1 face found for a part of the hole: a face of 60 pixels may be a false one, as the hole spreads over 320"
    )


def test_no_further_face_is_assumed_beside_one(found):
    face = Square(80, 80, 60)
    found[0].append(Face(face, 0.95))
    placement = place(rectangle((200, 300), 60, 90, 180, 250))
    assert placement.regions == (face,) and placement.scores == (0.95,)
    assert placement.warning.startswith(
        "1 face found for a part of the hole: neighbouring pixels fill the rest; use align=box"
    )


def test_a_scratch_between_a_face_and_a_stain_joins_no_holes(found):
    stain, far = rectangle((200, 300), 60, 40, 90, 70), rectangle((200, 300), 120, 200, 165, 245)
    scratch = rectangle((200, 300), 85, 50, 87, 230) | rectangle((200, 300), 85, 228, 130, 230)
    face = Square(60, 70, 80)
    found[0].append(Face(face, 0.9))
    placement = place(stain | far | scratch)
    assert placement.regions == (face,) and placement.scores == (0.9,)
    assert placement.warning.startswith("1 face found for a part of the hole: neighbouring pixels fill the rest")


def test_holes_without_a_face_are_warned_of(found):
    found[0].extend([Face(Square(40, 40, 40), 0.9), Face(Square(140, 40, 40), 0.8)])
    holes = [rectangle((80, 400), 30, x, 50, x + 20) for x in (30, 130, 230, 330)]
    assert place(holes[0] | holes[1]).warning == ""
    placement = place(sum(holes) > 0)
    assert placement.warning.startswith(
        "2 faces found for a part of the hole: neighbouring pixels fill the rest; use align=box"
    )
    assert len(placement.regions) == 2 and placement.scores == (0.9, 0.8)


def test_a_square_far_smaller_than_the_hole_is_doubted(found):
    found[0].append(Face(Square(100, 100, 40), 0.9))
    placement = place(rectangle((200, 300), 98, 20, 102, 280))  # a thin stroke across the photo
    assert placement.regions == (Square(100, 100, 40),)
    assert "a face of 40 pixels may be a false one, as the hole spreads over 260" in placement.warning


def test_a_photo_that_is_a_faces_square_is_seen_whole(found):
    found[0].extend([Face(Square(20, 20, 30), 0.9), Face(Square(102, 104, 185, 3), 0.8)])
    placement = place(rectangle((200, 200), 20, 100, 60, 130))
    assert placement.regions == (Box(0, 0, 200, 200),) and placement.scores == (0.8,)
    assert place(rectangle((200, 300), 30, 100, 60, 130)).regions == (Square(102, 104, 185, 3),)


@pytest.mark.parametrize("quality", [None, 60])
def test_the_searched_squares_cover_the_hole_wherever_it_lies(quality):
    with Image.open(PACKAGED / "demo/astronaut.png") as picture:
        photo = np.zeros((180, 240, 3), np.uint8)
        photo[:, 30:210] = picture.convert("RGB")
    if quality:
        Image.fromarray(photo).save(file := BytesIO(), "JPEG", quality=quality)
        photo = np.asarray(Image.open(file))
    for top, left in itertools.product((10, 40, 70, 100, 130), (40, 71, 100, 131, 160)):
        hole = rectangle((180, 240), top, left, top + 45, left + 45)
        regions = face(photo, hole, 64).regions
        covered = sum(np.isfinite(region.distance(hole.shape)) for region in regions) > 0
        assert (covered & hole).sum() > 0.75 * hole.sum()
        square = regions[0]
        assert isinstance(square, Square) and np.hypot(square.x - 120, square.y - 92) < 20


def test_squares_of_the_user():
    one, two = Square(30, 40, 40), Square(130.5, 40, 41)
    given = find_alignment("box", "10,20,50,60; 110,20,151,60")
    assert given == Given((one, two))
    assert given(np.empty(0), rectangle((80, 200), 30, 30, 40, 40), 16).regions == (one,)
    assert given(np.empty(0), rectangle((80, 200), 30, 30, 40, 140), 16) == Placement((one, two))
    assert find_alignment("box", "[10, 20, 50, 60]") == Given((one,))
    assert find_alignment("none") is whole and find_alignment("face") is face


def test_a_box_that_misses_the_hole_is_warned_of():
    given = find_alignment("box", "500,500,600,600")
    missed, outside = "box=500,500,600,600 does not touch the hole, so it is not used", rectangle((64, 64), 5, 5, 9, 9)
    filled = "; neighbouring pixels fill what lies outside all boxes"
    assert given(np.empty(0), outside, 16) == Placement((), missed + filled)
    given = find_alignment("box", "0,0,20,20;500,500,600,600;30.5,0,40.5,10")
    both = missed.replace("600,600", "600,600;30.5,0,40.5,10")
    assert given(np.empty(0), outside, 16) == Placement((Square(10, 10, 20),), both)
    assert given(np.empty(0), outside | rectangle((64, 64), 50, 5, 55, 9), 16).warning == both + filled


@pytest.mark.parametrize(
    ("word", "box", "message"),
    [
        ("faces", None, "align=faces is not known: use face, center, none or box"),
        ("box", None, "align=box needs box=left,top,right,bottom"),
        ("face", "1,2,3,4", "align=face does not use box=1,2,3,4: give align=box"),
        ("box", "1,2,3", "box=1,2,3 is not a square: give left,top,right,bottom"),
        ("box", "1,2,3,x", "box=1,2,3,x is not a square"),
        ("box", "", "box= is not a square"),
        ("box", "0,0,20,30", "box=0,0,20,30 is 20x30 pixels: give a square"),
        ("box", "20,20,0,0", "box=20,20,0,0 is -20x-20 pixels"),
        ("box", "0,0,nan,nan", "box=0,0,nan,nan is nanxnan pixels"),
        ("box", "0,0,inf,inf", "is infxinf pixels"),
    ],
)
def test_what_is_no_alignment(word, box, message):
    with pytest.raises(UserError, match=message.replace("[", r"\[")):
        find_alignment(word, box)
