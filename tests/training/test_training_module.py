import pytest

from ganfill.training.training_module import crossed


@pytest.mark.parametrize(
    ("before", "after", "interval", "expected"),
    [
        (0, 999, 1, False),
        (999, 1000, 1, True),
        (1000, 1064, 1, False),
        (0, 5000, 1, True),
        (0, 10**9, 0, False),
        (63, 64, 0.064, True),
    ],
)
def test_crossed(before, after, interval, expected):
    assert crossed(before, after, interval) is expected
