import numpy as np
import pytest

from ganfill.images.photo import Photo


@pytest.fixture
def photo():
    return Photo(np.random.default_rng(0).integers(0, 256, (8, 12, 3), dtype=np.uint8))


@pytest.fixture
def hole():
    hole = np.zeros((8, 12), bool)
    hole[2:5, 4:8] = True
    return hole
