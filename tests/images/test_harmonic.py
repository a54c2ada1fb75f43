import time

import numpy as np
import pytest

from ganfill.cancellation import cancellable
from ganfill.images import harmonic
from ganfill.images.harmonic import extend


def extended(hole, values):
    result = np.where(hole[..., None], 0.0, values)
    for channels, solution in extend(hole, values):
        result[hole, channels] = solution
    return result


def known(size, seed=0):
    """Waves of several lengths, (H, W, 3), and a hole with an island."""
    y, x = np.mgrid[: size[0], : size[1]] / 12
    values = 100 * np.stack([np.sin(x), np.cos(3 * y), np.sin(x + y) + 0.1 * np.cos(9 * x)], -1)
    hole = np.zeros(size, bool)
    hole[10:-10, 20:] = True
    hole[15:18, 30:60] = False
    return hole, values


@pytest.mark.parametrize("size", [(60, 80), (61, 83), (200, 90)])
def test_multigrid_is_nearly_exact_within_the_range_of_what_is_known(monkeypatch, size):
    hole, values = known(size)
    exact = extended(hole, values)
    monkeypatch.setattr(harmonic, "DIRECT", 0)
    monkeypatch.setattr(harmonic, "COARSEST", 50)
    found = extended(hole, values)
    error = np.abs(found - exact)[hole]
    assert error.max() < 2 and error.mean() < 0.3
    assert values[~hole].min() - 1 < found.min() and found.max() < values[~hole].max() + 1


def test_the_time_grows_with_the_hole():
    def seconds(side):
        hole, values = known((side, side))
        begin = time.process_time()
        list(extend(hole, values))
        return time.process_time() - begin

    seconds(400)
    assert seconds(1600) < 60 * seconds(400)  # 16 times the pixels; conjugate gradients took thousands of sweeps


def test_answers_with_the_same_hole_share_one_factorization(monkeypatch):
    calls, splu = [], harmonic.splu
    monkeypatch.setattr(
        harmonic, "splu", lambda matrix, **options: calls.append(matrix.shape) or splu(matrix, **options)
    )
    harmonic._factorize.cache_clear()
    hole, values = known((40, 50))
    first, second = extended(hole, values), extended(hole, 2 * values)
    assert len(calls) == 1 and np.allclose(second, 2 * first)


def test_pixels_far_from_the_hole_take_no_part(monkeypatch):
    sizes, factorize = [], harmonic._factorize
    monkeypatch.setattr(harmonic, "_factorize", lambda shape, hole: sizes.append(shape) or factorize(shape, hole))
    hole = np.zeros((3000, 3000), bool)
    hole[1000:1004, 2000:2007] = True
    list(extend(hole, np.zeros((3000, 3000, 1), np.int16)))
    assert sizes == [(6, 9)]


def test_a_check_ends_a_solution():
    hole, values = known((400, 400))

    def end():
        raise TimeoutError

    with cancellable(end), pytest.raises(TimeoutError):
        list(extend(hole, values))
