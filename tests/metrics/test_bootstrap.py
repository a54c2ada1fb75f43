import numpy as np
import pytest

from ganfill.metrics.bootstrap import mean


def test_the_interval_is_that_of_the_normal_approximation():
    values = np.random.default_rng(0).normal(20, 3, 400)
    found = mean(values)
    assert found.mean == pytest.approx(values.mean()) and found.n == 400
    half = 1.96 * values.std() / 20
    assert found.low == pytest.approx(found.mean - half, abs=0.05)
    assert found.high == pytest.approx(found.mean + half, abs=0.05)


def test_equal_seeds_give_equal_intervals():
    values = np.arange(30.0)
    assert mean(values) == mean(values.copy()) != mean(values, seed=1)


def test_what_is_not_known_is_left_out():
    assert mean(np.array([1.0, np.nan, 3.0])).n == 2
    assert mean(np.array([1.0, np.nan, 3.0])).mean == 2


def test_one_picture_has_no_interval_and_none_no_mean():
    one, none = mean(np.array([2.0])), mean(np.array([np.nan]))
    assert (one.mean, one.n) == (2, 1) and np.isnan([one.low, one.high]).all()
    assert none.n == 0 and np.isnan(none.mean)
