import numpy as np
import pytest
import torch

from ganfill.benchmark.cache import ResultCache
from ganfill.benchmark.feature_distances import FeatureDistances
from ganfill.data.store import ImageStore
from ganfill.data.subsets import choose
from ganfill.metrics import distances
from ganfill.metrics.features import FeatureNetwork


@pytest.fixture
def make(store_path, tmp_path):
    """Makes FeatureDistances of the training pictures with networks, by name, that count their batches."""
    real = choose(ImageStore.open(store_path), "train", ["a/", "b/"], 24, 0)
    calls = []

    def network(name):
        def colours(batch):
            calls.append(len(batch))
            return batch.float().mean((2, 3))

        return FeatureNetwork(name, colours, name)

    def measure(*names):
        return FeatureDistances(
            real, [network(name) for name in names], torch.device("cpu"), ResultCache(tmp_path / "cells")
        )

    return measure, calls


def test_distances_are_those_of_the_features(make):
    measure = make[0]("face", "inception")
    pictures = measure.reference.images[:10] // 2
    found = measure.measure(pictures, "dark", "d")
    ours, real = (images.mean((1, 2)) for images in (pictures, measure.reference.images))
    assert list(found) == ["fd_face", "kd_face", "fid", "kid"]
    assert found["fd_face"] == found["fid"] == pytest.approx(distances.frechet(ours, real), rel=1e-4)
    assert found["kd_face"] == pytest.approx(distances.kernel(ours, real), rel=1e-4)
    same = measure.measure(measure.reference.images, "same", "s")
    assert same["fd_face"] == pytest.approx(0, abs=1e-6)


def test_what_was_measured_is_not_measured_again(make):
    measure, calls = make[0]("face"), make[1]
    pictures = measure.reference.images[:10]
    first = measure.measure(pictures, "p", "p")
    assert calls == [10, 24]
    assert measure.measure(pictures, "p", "p") == first and len(calls) == 2
    measure.measure(pictures[:9], "p", "q")
    assert calls == [10, 24, 9]
    make[0]("other").measure(pictures, "p", "p")
    assert calls[3:] == [10, 24]


def test_one_picture_has_no_distance(make):
    assert make[0]("face").measure(np.zeros((1, 32, 32, 3), np.uint8), "one", "1") == {"fd_face": None, "kd_face": None}
