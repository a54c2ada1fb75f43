import numpy as np
import pytest

from ganfill.app.errors import RequestError
from ganfill.app.web.canvas import SIDE, Canvas, parse_box, scale_to_canvas

RANDOM = np.random.default_rng(0)


def canvas(height, width, hole=None):
    photo = RANDOM.integers(0, 256, (height, width, 3), np.uint8)
    return Canvas.of(photo, np.zeros((height, width), bool) if hole is None else hole)


def layer(size, *parts):
    """Paint as the editor sends it, with a low alpha as at the edge of a stroke."""
    paint = np.zeros((*size, 4), np.uint8)
    for part in parts:
        paint[part] = 200, 0, 0, 1
    return paint


@pytest.mark.parametrize(("height", "width"), [(64, 64), (48, 64), (1500, 1024), (3000, 2000)])
def test_every_photo_is_scaled_to_the_canvas(height, width):
    h, w = scale_to_canvas(np.zeros((height, width, 3), np.uint8)).shape[:2]
    assert SIDE / 2 < max(h, w) <= SIDE and abs(h / w - height / width) < 0.01


def test_paint_covers_every_pixel_of_a_small_photo_that_it_touches():
    on = canvas(64, 64)
    hole = on.read([layer(on.size, np.s_[0:1, 0:1], np.s_[40:50, 100:160])])
    expected = np.zeros((64, 64), bool)
    expected[0, 0] = expected[2:4, 6:10] = True
    assert (hole == expected).all()


def test_paint_covers_the_pixels_of_a_large_photo_below_it():
    on = canvas(2048, 1024)
    hole = on.read([layer(on.size, np.s_[100:200, 50:60])])
    assert on.size == (1024, 512) and hole.sum() == 200 * 20 and hole[200:400, 100:120].all()


@pytest.mark.parametrize(("width", "height"), [(513, 100), (513, 128), (520, 16), (100, 513), (16, 520)])
def test_paint_on_a_photo_that_is_enlarged_by_no_whole_factor(width, height):
    """One side may be enlarged by a whole factor nevertheless."""
    on = canvas(height, width)
    h, w = on.size
    hole = on.read([layer(on.size, np.s_[h // 4 : h // 2, w // 4 : w // 2])])
    rows, columns = hole.any(1).nonzero()[0], hole.any(0).nonzero()[0]
    assert hole.shape == (height, width) and hole[np.ix_(rows, columns)].all()
    for found, length in ((rows, height), (columns, width)):
        assert abs(found[0] - length / 4) <= 1 and abs(found[-1] + 1 - length / 2) <= 1


def test_layers_add_up_and_may_have_another_size():
    on = canvas(64, 64)
    hole = on.read([layer((512, 512), np.s_[:8, :8]), layer(on.size, np.s_[-16:, -16:])])
    assert hole.sum() == 2 and hole[0, 0] and hole[-1, -1]
    assert not on.read([]).any()


@pytest.mark.parametrize(("height", "width"), [(70, 64), (1500, 1100)])
def test_an_initial_hole_is_kept_exactly(height, width):
    initial = RANDOM.random((height, width)) < 0.3
    on = canvas(height, width, initial)
    assert (on.read(on.layers()) == initial).all()


def test_an_initial_hole_can_be_erased_and_painted_on():
    initial = np.zeros((1500, 1100), bool)
    initial[100:201, 100:201] = initial[700:713, 500:507] = True
    on = canvas(1500, 1100, initial)
    (paint,) = on.layers()
    paint[:200, :200] = 0
    paint[-10:, -10:, 3] = 255
    hole = on.read([paint])
    assert not hole[:250, :250].any() and hole[-14:, -14:].all()
    assert (hole[600:800, 400:600] == initial[600:800, 400:600]).all()


def test_no_paint_at_all_leaves_the_initial_hole():
    initial = np.zeros((64, 64), bool)
    initial[10:20, 30:40] = True
    for layers in ([], [np.zeros((1024, 1024, 4), np.uint8)]):
        assert (canvas(64, 64, initial).read(layers) == initial).all()


def test_an_empty_hole_has_no_paint():
    assert canvas(64, 64).layers() == []


@pytest.mark.parametrize("text", ["2,1,6,3", " 2, 1, 6, 3 ", "2 1 6 3"])
def test_a_box_is_a_hole(text):
    hole = parse_box(text, 5, 7)
    assert hole.shape == (5, 7) and hole[1:3, 2:6].all() and hole.sum() == 8
    assert parse_box("0,0,7,5", 5, 7).all()


@pytest.mark.parametrize("text", ["", "1,2,3", "a,b,c,d", "1.5,1,2,2", "nan 0 1 1", "1,1,2,2,3", "None"])
def test_a_box_of_other_than_four_whole_numbers_is_refused(text):
    with pytest.raises(RequestError, match="is not left, top, right, bottom in whole pixels"):
        parse_box(text, 5, 7)


@pytest.mark.parametrize("text", ["2,1,2,3", "6,1,2,3", "-1,0,2,2", "0,0,8,5", "0,0,7,6", f"0,0,{'9' * 99},1"])
def test_a_box_that_is_empty_or_leaves_the_photo_is_refused(text):
    with pytest.raises(RequestError, match="0 ≤ left < right ≤ 7 and 0 ≤ top < bottom ≤ 5") as refused:
        parse_box(text, 5, 7)
    assert len(str(refused.value)) < 150
