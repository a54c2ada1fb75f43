import numpy as np
import pytest
import torch

from ganfill import seeding
from ganfill.data.store import ImageStore
from ganfill.data.subsets import choose, draw, generated, reference, training_rows
from ganfill.errors import UserError
from ganfill.images.pixels import to_uint8


@pytest.fixture
def store(store_path):
    return ImageStore.open(store_path)


def test_prefixes_count_in_their_order(store):
    assert choose(store, "test", ["b/", "a/0"], 4, 0).ids == ["b/02", "b/05", "a/00", "a/01"]
    assert choose(store, "test", ["a/00", "a/"], 9, 0).ids == ["a/00", "a/01", "a/03", "a/04"]
    assert choose(store, "train", ["b/0"], 9, 0).ids == ["b/08"]


def test_without_prefixes_it_is_the_seed_that_chooses(store):
    some = choose(store, "test", [], 4, 1)
    assert len(some) == 4 and len(choose(store, "test", [], 99, 1)) == 6
    assert some.ids == choose(store, "test", [], 4, 1).ids == choose(store, "test", [], 6, 1).ids[:4]
    assert len({tuple(choose(store, "test", [], 4, seed).ids) for seed in range(5)}) > 1


def test_pictures_are_those_of_their_ids_and_have_digests(store):
    chosen = choose(store, "test", ["b/05"], 1, 0)
    assert np.array_equal(chosen.images[0], store.images[5])
    others = choose(store, "test", ["b/02"], 1, 0)
    assert {len(digest) for digest in chosen.digests.values()} == {64}
    assert not set(chosen.digests.values()) & set(others.digests.values())


def test_none_is_a_mistake(store):
    with pytest.raises(UserError, match=r"pictures=c/,d/: .*no such picture in split=test"):
        choose(store, "test", ["c/", "d/"], 3, 0)


def test_generated_pictures_are_the_models(model):
    found = generated(model, 3, 0)
    assert found.ids == ["generated/0", "generated/1", "generated/2"] and found.images.shape == (3, 32, 32, 3)
    assert np.array_equal(found.images, generated(model, 3, 0).images)
    assert not np.array_equal(found.images, generated(model, 3, 1).images)


def test_the_reference_has_the_lists_mix_and_none_of_its_pictures(store):
    for prefixes, mix in ((["a/00", "b/02"], (8, 8)), (["a/", "b/"], (16, 8)), (["b/"], (0, 8))):
        found = reference(store, choose(store, "test", prefixes, 9, 0), 0)
        assert found is not None
        assert (sum(name[0] == "a" for name in found.ids), sum(name[0] == "b" for name in found.ids)) == mix
    chosen = choose(store, "train", ["a/", "b/"], 12, 0)
    found = reference(store, chosen, 0)
    assert found is not None and not set(found.ids) & set(chosen.ids)


def test_the_reference_is_bounded(store, monkeypatch):
    monkeypatch.setattr("ganfill.data.subsets.REFERENCE", 6)
    found = reference(store, choose(store, "test", ["a/", "b/"], 6, 0), 0)
    assert found is not None and len(found) == 6 and sum(name[0] == "b" for name in found.ids) == 2


def test_no_reference_without_training_pictures_of_every_source(store, model):
    assert reference(store, generated(model, 3, 0), 0) is None
    store.splits[:] = ["test"] * 30
    chosen = choose(store, "test", [], 5, 0)
    assert reference(store, chosen, 0) is None and not len(training_rows(store, chosen))


def test_pictures_are_drawn_in_the_order_of_z(model):
    z, sizes = model.latent.sample(70, seeding.generator(0, "z")), list[int]()
    drawn = draw(model.generator, z, sizes.append)
    assert drawn.shape == (70, 32, 32, 3) and drawn.dtype == np.uint8 and sizes == [64, 6]
    with torch.no_grad():
        whole = to_uint8(model.generator(z)).numpy()
    assert np.abs(whole.astype(int) - drawn).max() <= 1
