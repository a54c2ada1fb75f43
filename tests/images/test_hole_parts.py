import numpy as np
import pytest

from ganfill.images.hole_parts import MOST, depth, is_shallow, split, split_by_depth


def squares(size, *corners, side=20):
    hole = np.zeros(size, bool)
    for top, left in corners:
        hole[top : top + side, left : left + side] = True
    return hole


def test_parts_that_lie_apart_are_told_apart_the_largest_first():
    hole = squares((200, 300), (20, 20), (100, 200)) | squares((200, 300), (22, 120), side=30)
    parts = split(hole)
    assert [int(part.sum()) for part in parts] == [900, 400, 400] and (sum(parts) == hole).all()


def test_parts_that_nearly_touch_are_one():
    assert len(split(squares((200, 300), (20, 20), (20, 42)))) == 1
    assert len(split(squares((200, 300), (20, 20), (20, 48)))) == 2


@pytest.mark.parametrize("size", [(60, 80), (2000, 3000)])
def test_every_missing_pixel_is_in_one_part(size):
    hole = squares(size, (2, 3), (30, 40), side=1)
    parts = split(hole)
    assert (sum(part.astype(int) for part in parts) == hole).all()


def test_scattered_pixels_are_one_part_and_no_hole_none():
    hole = np.random.default_rng(0).random((300, 400)) < 0.001
    assert hole.sum() > MOST and len(split(hole)) == 1 and split(hole)[0] is hole
    assert split(np.zeros((30, 40), bool)) == []


def test_a_scratch_is_told_apart_from_the_stains_that_it_touches():
    stains = squares((200, 300), (20, 20), (100, 200), side=40)
    scratch = np.zeros_like(stains)
    scratch[40:43] = True
    deep, shallow = split_by_depth(stains | scratch)
    assert (deep | shallow == stains | scratch).all() and not (deep & shallow).any()
    assert (deep & ~scratch == stains & ~scratch).all() and (shallow & scratch).sum() > 0.8 * (scratch & ~stains).sum()
    assert len(split(deep)) == 2
    for hole in (scratch, np.zeros_like(scratch)):
        assert not split_by_depth(hole)[0].any() and (split_by_depth(hole)[1] == hole).all()
    assert split_by_depth(np.ones((30, 40), bool))[0].all()


def test_the_depth_of_a_hole():
    assert depth(squares((200, 300), (20, 20))) == pytest.approx(10, abs=0.5)
    assert depth(np.zeros((5, 5), bool)) == 0 and depth(np.ones((5, 5), bool)) == np.inf
    assert is_shallow(squares((200, 300), (20, 20), side=8)) and not is_shallow(squares((200, 300), (20, 20)))
