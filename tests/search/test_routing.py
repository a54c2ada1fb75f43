import logging

import pytest
import torch

from ganfill.search.presets import auto, standard
from ganfill.search.result import SearchOptions
from ganfill.search.routing import RoutedSearch, fill

SEARCH = standard(steps=4, starts=2, pool=16, cut_steps=2, precision="fp32")
ROUTED = RoutedSearch(SEARCH, tiny=0.01, scattered=0.6)


@pytest.fixture
def images(model):
    return model.generator(model.latent.sample(4, torch.Generator().manual_seed(3)))


@pytest.fixture
def holes():
    """A wide one, a tiny one, a line, and a quarter of all pixels, each alone."""
    holes = torch.zeros(4, 1, 32, 32, dtype=torch.bool)
    holes[0, :, 8:24, 8:24] = True
    holes[1, :, 8:11, 8:11] = True
    holes[2, :, 16] = True
    holes[3, :, ::2, ::2] = True
    return holes


def test_what_is_wide(holes):
    assert ROUTED.is_wide(holes).tolist() == [True, False, False, False]
    assert RoutedSearch(SEARCH, tiny=0.0, scattered=0.8).is_wide(holes).tolist() == [True, True, True, False]
    most = torch.rand(1, 1, 32, 32, generator=torch.Generator().manual_seed(0)) < 0.8
    assert ROUTED.is_wide(most).all() and ROUTED.is_wide(torch.ones_like(most)).all()


def test_each_hole_gets_what_it_gets_alone_in_its_place(model, images, holes, caplog):
    found = ROUTED(model, images, holes, SearchOptions(answers=2, frames=3))
    alone = SEARCH(model, images[:1], holes[:1], SearchOptions(answers=2, frames=3))
    assert torch.equal(found.pictures[:1], alone.pictures) and torch.equal(found.scores[:1], alone.scores)
    assert torch.equal(found.latents[:1], alone.latents) and found.latents.shape == (4, 2, 8)
    for row in (1, 2, 3):
        filled = fill(images[row], holes[row])
        assert torch.equal(found.pictures[row], filled.expand(2, -1, -1, -1))
        assert all(torch.equal(frame[row], filled) for frame in found.frames)
    assert len(found.frames) == 3 and found.passes == pytest.approx(alone.passes / 4)
    assert "3 of 4 holes are tiny or scattered" in caplog.text


def test_wide_holes_alone_are_searched_without_a_word(model, images, holes, caplog):
    found = ROUTED(model, images[:1], holes[:1])
    assert torch.equal(found.pictures, SEARCH(model, images[:1], holes[:1]).pictures)
    assert caplog.text == ""


def test_small_holes_alone_run_no_generator(model, images, holes, caplog):
    caplog.set_level(logging.WARNING)
    reports = []
    model.generator = None
    found = ROUTED(
        model, images[1:], holes[1:], SearchOptions(on_progress=lambda progress: reports.append(progress.pictures))
    )
    assert found.pictures.isfinite().all() and sum(reports) == 3 and found.passes == 0


def test_what_the_hole_holds_plays_no_part(model, images, holes):
    found = ROUTED(model, images, holes)
    nothing = ROUTED(model, images.masked_fill(holes, float("nan")), holes)
    assert torch.equal(found.pictures, nothing.pictures)


def test_the_preset_searches_as_standard_does():
    assert auto(batch=8).search == standard(batch=8)
