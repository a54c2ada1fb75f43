import numpy as np
import pytest

from ganfill.cancellation import cancellable
from ganfill.images import tiles as module
from ganfill.images.tiles import tiles


def test_tiles_cover_the_hole_once_with_margins_inside_the_picture(monkeypatch):
    monkeypatch.setattr(module, "SIDE", 8)
    hole = np.random.default_rng(0).random((30, 41)) < 0.02
    covered, numbers = np.zeros(hole.shape, int), np.arange(hole.size).reshape(hole.shape)
    for tile in tiles(hole, 2):
        covered[tile.inner] += 1
        assert hole[tile.inner].any() and np.array_equal(numbers[tile.window][tile.core], numbers[tile.inner])
        (rows, columns), (inner_rows, inner_columns) = tile.window, tile.inner
        assert (rows.start, columns.start) == (max(inner_rows.start - 2, 0), max(inner_columns.start - 2, 0))
        assert (rows.stop, columns.stop) == (min(inner_rows.stop + 2, 30), min(inner_columns.stop + 2, 41))
    assert (covered[hole] == 1).all() and covered.max() == 1


def test_a_wide_margin_makes_larger_tiles(monkeypatch):
    monkeypatch.setattr(module, "SIDE", 8)
    hole = np.ones((40, 40), bool)
    assert len(list(tiles(hole, 1))) == 25 and len(list(tiles(hole, 10))) == 1


def test_a_check_is_made_before_every_tile(monkeypatch):
    monkeypatch.setattr(module, "SIDE", 8)
    calls = []
    with cancellable(lambda: calls.append(1)):
        assert not list(tiles(np.zeros((16, 24), bool)))
    assert len(calls) == 6
    with cancellable(lambda: 1 / 0), pytest.raises(ZeroDivisionError):
        next(tiles(np.ones((4, 4), bool)))
