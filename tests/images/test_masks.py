import hypothesis.strategies as st
import pytest
import torch
from hypothesis import given, settings

from ganfill.images import masks

SIDES = st.integers(1, 70)
SHARES = {"center": (0.25, 0.25), "left": (0.5, 0.5), "half": (0.5, 0.5), "random": (0.8, 0.8), "pattern": (0.25, 0.25)}
SHARES |= {"box": (0.06, 0.37), "bar": (0.03, 0.25), "freeform": (0.01, 0.6)}


@pytest.mark.parametrize("kind", masks.KINDS)
@given(height=SIDES, width=SIDES, seed=st.integers(0, 9))
@settings(deadline=None, max_examples=15)
def test_any_size_gives_a_bool_hole_of_that_size_and_the_same_one_again(kind, height, width, seed):
    holes = masks.draw(masks.KINDS[kind], ["a", "b"], height, width, seed)
    assert holes.shape == (2, 1, height, width) and holes.dtype == torch.bool
    assert holes.view(torch.uint8).max() <= 1  # the bools of Pillow are 255
    assert torch.equal(holes, masks.draw(masks.KINDS[kind], ["a", "b"], height, width, seed))


@pytest.mark.parametrize("kind", masks.KINDS)
def test_share_of_missing_pixels(kind):
    shares = masks.draw(masks.KINDS[kind], map(str, range(40)), 64, 64).float().mean((1, 2, 3))
    low, high = SHARES[kind]
    assert low - 0.001 <= shares.min() and shares.max() <= high + 0.001


@pytest.mark.parametrize("kind", [kind for kind in masks.KINDS if kind not in ("center", "left")])
def test_a_hole_depends_on_seed_and_name_but_not_on_neighbours(kind):
    draw, names = masks.KINDS[kind], [str(i) for i in range(8)]
    together = masks.draw(draw, names, 64, 64)
    assert torch.equal(together[5:6], masks.draw(draw, ["5"], 64, 64))
    assert torch.equal(together.flip(0), masks.draw(draw, names[::-1], 64, 64))
    assert not all(torch.equal(together[0], hole) for hole in together[1:])
    assert not torch.equal(together, masks.draw(draw, names, 64, 64, seed=1))


def test_where_the_fixed_holes_are():
    center = masks.draw(masks.center, ["a"], 8, 12)[0, 0]
    assert center[2:6, 3:9].all() and center.sum() == 24
    left = masks.draw(masks.left, ["a"], 4, 7)[0, 0]
    assert left[:, :3].all() and not left[:, 3:].any()


@pytest.mark.parametrize("side", [2, 3, 5, 9])
def test_a_small_centre_never_swallows_the_picture(side):
    assert masks.draw(masks.center, ["a"], side, side).sum() == (side // 2) ** 2


def test_half_takes_all_four_sides():
    holes = masks.draw(masks.half, map(str, range(40)), 8, 8)[:, 0]
    assert {(bool(h[0, 0]), bool(h[0, 7]), bool(h[7, 0])) for h in holes} == {
        (True, False, True),
        (False, True, False),
        (True, True, False),
        (False, False, True),
    }


@pytest.mark.parametrize(
    ("kind", "heights", "widths"), [(masks.box, (10, 24), (15, 36)), (masks.bar, (4, 10), (24, 60))]
)
def test_boxes_and_bars_are_rectangles_of_the_promised_sides(kind, heights, widths):
    for hole in masks.draw(kind, map(str, range(30)), 40, 60)[:, 0]:
        tall, wide = int(hole.any(1).sum()), int(hole.any(0).sum())
        assert hole.sum() == tall * wide
        assert heights[0] <= tall <= heights[1] and widths[0] <= wide <= widths[1]


def test_the_middle_of_a_bar_lies_in_the_middle_half():
    for hole in masks.draw(masks.bar, map(str, range(30)), 40, 60)[:, 0]:
        rows = hole.any(1).nonzero()
        assert 9 <= (rows.min() + rows.max() + 1) / 2 <= 31


def test_pattern_makes_blobs_and_random_makes_specks():
    def edges(kind):
        hole = masks.draw(kind, ["a"], 64, 64)[0, 0]
        return float((hole[1:] != hole[:-1]).float().mean())

    assert edges(masks.pattern) < 0.1 < edges(masks.random)


@pytest.mark.parametrize("kind", masks.KINDS)
@pytest.mark.parametrize("size", [(1, 500), (500, 1), (2, 2), (512, 300)])
def test_extreme_sizes(kind, size):
    assert masks.draw(masks.KINDS[kind], ["a"], *size).shape == (1, 1, *size)
