from dataclasses import replace

import numpy as np
import pytest
import torch

from ganfill.benchmark.baselines import BASELINES, nearest_picture, unet
from ganfill.data.store import ImageStore
from ganfill.errors import UserError
from ganfill.images import pixels
from ganfill.images.classical import telea
from ganfill.search.result import SearchOptions


@pytest.fixture
def store(store_path):
    return ImageStore.open(store_path)


@pytest.fixture
def every(store, feed_forward):
    return BASELINES | {"nearest": nearest_picture(store.images, store.rows("train")), "unet": unet(feed_forward)}


@pytest.fixture
def damaged(store):
    """Three pictures: a square is missing, everything, nothing."""
    images = pixels.to_float(torch.from_numpy(np.array(store.images[:3])))
    holes = torch.zeros(3, 1, 32, 32, dtype=torch.bool)
    holes[0, :, 8:24, 8:24] = holes[1] = True
    return images, holes


NAMES = [*BASELINES, "nearest", "unet"]


@pytest.mark.parametrize("name", NAMES)
def test_what_the_hole_holds_changes_nothing(name, every, model, damaged):
    images, holes = damaged
    found = every[name](model, images, holes, SearchOptions(seed=3))
    hidden = every[name](model, torch.where(holes, torch.nan, images), holes, SearchOptions(seed=3))
    assert torch.equal(found.pictures, hidden.pictures)
    assert found.pictures.shape == (3, 1, 3, 32, 32) and found.pictures.isfinite().all()


@pytest.mark.parametrize("name", NAMES)
def test_progress_adds_up_to_the_pictures(name, every, model, damaged):
    reports = []
    every[name](model, *damaged, SearchOptions(on_progress=lambda progress: reports.append(progress.pictures)))
    assert sum(reports) == pytest.approx(3)


def test_nearest_finds_the_picture_that_is_the_same_where_it_is_known(store, model):
    rows = store.rows("train")
    images = pixels.to_float(torch.from_numpy(store.images[rows[[5, 0]]]))
    holes = torch.zeros(2, 1, 32, 32, dtype=torch.bool)
    holes[:, :, :, 4:] = True
    images[holes.expand_as(images)] = -1
    found = pixels.to_uint8(nearest_picture(store.images, rows)(model, images, holes).pictures[:, 0]).numpy()
    assert np.array_equal(found, store.images[rows[[5, 0]]])


def test_nearest_finds_it_in_any_part(store, model, monkeypatch):
    monkeypatch.setattr("ganfill.benchmark.baselines.CHUNK", 7)
    rows = store.rows("train")
    images = pixels.to_float(torch.from_numpy(store.images[rows]))
    holes = torch.zeros(len(rows), 1, 32, 32, dtype=torch.bool)
    holes[:, :, 16:] = True
    found = pixels.to_uint8(nearest_picture(store.images, rows)(model, images, holes).pictures[:, 0]).numpy()
    assert np.array_equal(found, store.images[rows])


def test_random_answers_differ_and_do_not_depend_on_batch_mates(model, damaged):
    images, holes = damaged
    together = BASELINES["random"](model, images, holes, SearchOptions(answers=3, seed=1))
    alone = BASELINES["random"](model, images[2:], holes[2:], SearchOptions(answers=3, seed=1))
    assert together.pictures.shape[1] == 3 and together.passes == 1
    assert torch.allclose(together.pictures[2], alone.pictures[0], atol=1e-5)
    assert not torch.equal(together.pictures[0, 0], together.pictures[0, 1])


def test_mean_is_the_models_and_telea_is_telea(model, damaged):
    images, holes = damaged
    assert torch.equal(
        BASELINES["mean"](model, images, holes, SearchOptions(answers=4)).pictures[0, 0], model.mean_picture
    )
    found = pixels.to_uint8(BASELINES["telea"](model, images, holes).pictures[0, 0]).numpy()
    assert np.array_equal(found, telea(pixels.to_uint8(images[0]).numpy(), holes[0, 0].numpy()))


def test_unet_is_one_pass_of_the_rivals_inpainter(model, feed_forward, damaged, monkeypatch):
    monkeypatch.setattr("ganfill.benchmark.baselines.BATCH", 2)
    images, holes = damaged
    found = unet(feed_forward)(model, images, holes, SearchOptions(answers=4))
    expected = feed_forward.inpainter(images, (~holes).float(), torch.full_like(images, torch.nan))
    assert found.pictures.shape == (3, 1, 3, 32, 32) and found.passes == 0
    assert torch.allclose(found.pictures[:, 0], expected, atol=0.02)  # bfloat16


def test_unet_refuses_a_model_of_another_resolution(model, feed_forward, damaged):
    with pytest.raises(UserError, match="unet completes pictures of 64 pixels, the model of 32"):
        unet(replace(feed_forward, resolution=64))(model, *damaged)
