from types import SimpleNamespace

import pytest

from ganfill.completion.model_choice import choose_model
from ganfill.images.alignment import Placement
from ganfill.images.regions import Box

MODELS = {"large": SimpleNamespace(resolution=128), "small": SimpleNamespace(resolution=64)}


@pytest.mark.parametrize(
    ("sides", "name"),
    [((), "small"), ((1,), "small"), ((90,), "small"), ((91,), "large"), ((1000,), "large"), ((40, 200), "large")],
)
def test_the_largest_region_decides(sides, name):
    placement = Placement(tuple(Box(0, 0, side, side) for side in sides))
    assert choose_model(MODELS, placement) == name


def test_a_single_model_is_taken():
    assert choose_model({"large": MODELS["large"]}, Placement((Box(0, 0, 8, 8),))) == "large"
