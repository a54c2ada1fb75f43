from dataclasses import replace

import numpy as np
import pytest
import torch

from ganfill.benchmark import eval_case
from ganfill.benchmark.cache import ResultCache
from ganfill.benchmark.eval_case import EvalCase, run_search
from ganfill.benchmark.search_entry import SearchEntry, parse_search
from ganfill.data.store import ImageStore
from ganfill.data.subsets import choose
from ganfill.images import pixels
from ganfill.images.blend import Paste
from ganfill.search.result import Completion, Progress


@pytest.fixture
def case(model, store_path):
    store = ImageStore.open(store_path)
    return EvalCase(model, choose(store, "test", ["a/"], 4, 0), "center", 2, 0, store.digest)


@pytest.fixture
def cache(tmp_path):
    return ResultCache(tmp_path / "cells")


class Spy:
    """A search that answers grey, estimates a distribution, and remembers what it saw."""

    def __init__(self):
        self.seen, self.blended = [], []

    def __call__(self, model, images, holes, options):
        self.seen.append((images, holes))
        if options.on_progress is not None:
            options.on_progress(Progress(len(images)))
        n, k = len(images), options.answers
        grey = torch.zeros(n, k, 3, 32, 32)
        return Completion(
            grey,
            grey[..., 0],
            torch.zeros(n, k),
            torch.zeros(n, k),
            mean=grey[:, 0] + 0.5,
            interval=(grey[:, 0] - 1, grey[:, 0] + 1),
            passes=7.5,
        )

    def blend(self, filled, image, hole):
        self.blended.append(image)
        return Paste()(filled, image, hole)


def spied(spy):
    return SearchEntry("spy", spy, {"search": "spy"})


def quiet(pictures):
    pass


def test_a_cell_holds_finished_pictures_and_what_the_search_estimates(case, cache):
    cell = run_search(case, spied(Spy()), cache, quiet)
    assert cell.arrays["finished"].shape == (4, 2, 32, 32, 3) and cell.arrays["scores"].shape == (4, 2)
    finished, holes = cell.arrays["finished"][:, 0], case.holes
    assert np.array_equal(finished[~holes], case.pictures.images[~holes]) and (finished[holes] == 128).all()
    assert np.array_equal(cell.arrays["mean"][~holes], case.pictures.images[~holes])
    assert (cell.arrays["mean"][holes] == 191).all()
    assert (cell.arrays["low"] == 0).all() and (cell.arrays["high"] == 255).all()
    assert cell.facts["passes"] == 7.5 and cell.facts["seconds"] > 0 and cell.facts["seconds_single"] > 0


def test_neither_search_nor_blend_sees_what_the_hole_held(case, cache):
    spy = Spy()
    run_search(case, spied(spy), cache, quiet)
    for images, holes in spy.seen:
        hidden = images[holes.expand_as(images)]
        assert (pixels.to_uint8(hidden[:, None, None].expand(-1, 3, 1)) == 128).all()
    holes = case.holes[0]  # all centres are alike
    assert all((image[holes] == 128).all() for image in spy.blended)


@pytest.mark.parametrize("word", ["amos2016:steps=2:precision=fp32", "biharmonic", "mean"])
def test_noise_in_the_true_picture_behind_the_hole_changes_no_answer(case, cache, word):
    noisy = case.pictures.images.copy()
    noisy[case.holes] = np.random.default_rng(0).integers(0, 256, (case.holes.sum(), 3))
    other = replace(case, pictures=replace(case.pictures, images=noisy))
    entry = parse_search(word, None)
    assert entry is not None
    cell, again = (run_search(each, entry, cache, quiet) for each in (case, other))
    assert cell.digest != again.digest
    assert np.array_equal(cell.arrays["finished"], again.arrays["finished"])


def test_a_search_is_warmed_up_and_timed_alone(case, cache):
    spy = Spy()
    run_search(case, spied(spy), cache, quiet)
    assert [len(images) for images, _ in spy.seen] == [2, 4, 1, 1, 1]


def test_a_slow_search_is_timed_alone_once(case, cache, monkeypatch):
    monkeypatch.setattr(eval_case, "SLOW", 0.0)
    spy = Spy()
    run_search(case, spied(spy), cache, quiet)
    assert [len(images) for images, _ in spy.seen] == [2, 4, 1]


def test_the_batch_alone_moves_the_bar(case, cache):
    reports = []
    run_search(case, spied(Spy()), cache, reports.append)
    assert reports == [4]


def test_a_cell_is_computed_once_and_again_if_anything_changes(case, cache):
    def calls(case, settings=None):
        spy = Spy()
        run_search(case, SearchEntry("spy", spy, settings or {"search": "spy"}), cache, quiet)
        return len(spy.seen)

    assert calls(case) > 0 and calls(case) == 0
    less = replace(case.pictures, ids=case.pictures.ids[:3], images=case.pictures.images[:3])
    changes = [{"answers": 1}, {"seed": 1}, {"mask": "left"}, {"store": "x"}, {"pictures": less}]
    changes.append({"model": replace(case.model, digest="x")})
    for change in changes:
        other = replace(case, **change)
        assert calls(other) > 0 and calls(other) == 0, change
    assert calls(case, {"search": "spy", "steps": 3}) > 0
    assert calls(case) == 0
