from dataclasses import replace

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
    """Makes FeatureDistances of the test and training pictures with networks, by name, that count their batches."""
    store = ImageStore.open(store_path)
    real = choose(store, "train", ["a/", "b/"], 24, 0)
    originals = choose(store, "test", ["a/", "b/"], 6, 0)
    calls = []

    def network(name):
        def colours(batch):
            calls.append(len(batch))
            return batch.float().mean((2, 3))

        return FeatureNetwork(name, colours, name)

    def measure(*names, count=6, reference=True):
        some = replace(originals, ids=originals.ids[:count], images=originals.images[:count])
        return FeatureDistances(
            some,
            real if reference else None,
            [network(name) for name in names],
            torch.device("cpu"),
            ResultCache(tmp_path / "cells"),
        )

    return measure, calls


def test_distances_from_a_set_are_those_of_the_features(make):
    measure = make[0]("face", "inception")
    pictures = measure.originals.images // 2
    found = measure.from_set(pictures, "dark", "d")
    ours, real = (images.mean((1, 2)) for images in (pictures, measure.reference.images))
    assert list(found) == ["fd_face", "kd_face", "fid", "kid"]
    assert found["fd_face"] == found["fid"] == pytest.approx(distances.frechet(ours, real), rel=1e-4)
    assert found["kd_face"] == pytest.approx(distances.kernel(ours, real), rel=1e-4)


def test_distances_from_the_originals_are_those_of_the_features(make):
    measure = make[0]("face", "inception")
    pictures = measure.originals.images.copy()
    pictures[1] //= 2
    found = measure.from_originals(pictures, "one dark", "o")
    expected = np.linalg.norm(pictures[1].mean((0, 1)) - measure.originals.images[1].mean((0, 1)))
    assert list(found) == ["l2_face", "l2_inception"]
    assert found["l2_face"].tolist() == pytest.approx([0, expected, 0, 0, 0, 0], rel=1e-4)


def test_what_was_measured_is_not_measured_again(make):
    measure, calls = make[0]("face"), make[1]
    pictures = measure.originals.images // 2
    first = measure.from_set(pictures, "p", "p")
    assert calls == [6, 24]
    assert measure.from_set(pictures, "p", "p") == first and len(measure.from_originals(pictures, "p", "p")) == 1
    assert calls == [6, 24, 6]  # completions, reference, originals
    measure.from_set(pictures // 2, "p", "q")
    assert calls[3:] == [6]
    make[0]("other").from_set(pictures, "p", "p")
    assert calls[4:] == [6, 24]


def test_one_picture_has_no_distance_from_a_set(make):
    measure = make[0]("face", count=1)
    assert measure.from_set(measure.originals.images, "one", "1") == {"fd_face": None, "kd_face": None}
    assert measure.from_originals(measure.originals.images, "one", "1")["l2_face"].tolist() == [0]


def test_without_a_reference_there_are_distances_from_the_originals_alone(make):
    measure = make[0]("face", reference=False)
    pictures = measure.originals.images // 2
    assert measure.from_set(pictures, "p", "p") == {}
    assert (measure.from_originals(pictures, "p", "p")["l2_face"] > 0).all()
