from dataclasses import replace

import pytest
import torch

from ganfill.completion.optimize import Adam
from ganfill.completion.parametrise import Clip
from ganfill.completion.search import LatentSearch
from ganfill.completion.select import Selection, judge
from ganfill.completion.start import FromPool

QUICK = LatentSearch(
    rounds=((4, 3), (2, 3)),
    start=FromPool(32),
    optimizer=Adam(0.1, warmup=0.1, decay=0.5, noise=0.05),
    selection=Selection(held_out=0.2),
    refit=2,
    precision="fp32",
)


@pytest.fixture
def images(model):
    return model.generator(model.latent.sample(5, torch.Generator().manual_seed(3)))


@pytest.fixture
def holes():
    holes = torch.zeros(5, 1, 32, 32, dtype=torch.bool)
    for i in range(5):
        holes[i, :, 4 + i : 20 + i, 8:24] = True
    return holes


def same(one, two, rows=slice(None)):
    return all(torch.equal(getattr(one, name), getattr(two, name)[rows]) for name in ("pictures", "latents", "scores"))


def test_answers_are_ranked_and_allowed(model, images, holes):
    found = QUICK(model, images, holes, answers=3)
    assert found.pictures.shape == (5, 3, 3, 32, 32) and found.latents.shape == (5, 3, 8) and found.frames == []
    assert (found.scores.diff(dim=1) >= 0).all() and found.scores.shape == (5, 3)
    assert all(len(latents.unique(dim=0)) == 3 for latents in found.latents)
    assert found.latents.abs().max() <= 1
    torch.testing.assert_close(model.generator(found.latents.flatten(0, 1)), found.pictures.flatten(0, 1))


@pytest.mark.parametrize("deterministic", [False, True])
def test_what_the_hole_holds_does_not_change_one_bit(model, images, holes, deterministic):
    found = QUICK(model, images, holes, answers=2, deterministic=deterministic)
    noise = torch.where(holes, torch.randn(images.shape), images)
    nothing = images.masked_fill(holes, float("nan"))
    assert same(found, QUICK(model, noise, holes, answers=2, deterministic=deterministic))
    assert same(found, QUICK(model, nothing, holes, answers=2, deterministic=deterministic))


def test_deterministic_answers_know_neither_order_nor_mates(model, images, holes):
    together = QUICK(model, images, holes, deterministic=True)
    assert same(QUICK(model, images.flip(0), holes.flip(0), deterministic=True), together, [4, 3, 2, 1, 0])
    assert same(QUICK(model, images[2:3], holes[2:3], deterministic=True), together, [2])
    assert same(
        replace(QUICK, batch=4)(model, images[1:4], holes[1:4], deterministic=True),
        replace(QUICK, batch=4)(model, images, holes, deterministic=True),
        [1, 2, 3],
    )


def test_otherwise_mates_matter_no_more_than_rounding(model, images, holes):
    together = QUICK(model, images, holes)
    for i in (0, 3):
        alone = QUICK(model, images[i : i + 1], holes[i : i + 1])
        torch.testing.assert_close(alone.pictures, together.pictures[i : i + 1], atol=1e-3, rtol=0)
    small = replace(QUICK, batch=8)(model, images, holes)
    torch.testing.assert_close(small.latents, together.latents, atol=1e-3, rtol=0)


def test_another_seed_is_another_search(model, images, holes):
    latents = [QUICK(model, images, holes, seed=seed).latents for seed in (0, 0, 1)]
    assert torch.equal(latents[0], latents[1]) and not torch.equal(latents[0], latents[2])


def test_successive_halving_keeps_the_best(model, images, holes):
    z = model.latent.sample(5 * 8, torch.Generator().manual_seed(0)).view(5, 8, 8)
    search = LatentSearch(rounds=((8, 0), (4, 0), (1, 0)), start=lambda *_: z, parametrise=Clip(), precision="fp32")
    found = search(model, images, holes)
    errors = judge(model.generator(z.flatten(0, 1)).view(5, 8, 3, 32, 32), images, (~holes).float())
    assert torch.equal(found.latents[:, 0], z[torch.arange(5), errors.argmin(1)])
    torch.testing.assert_close(found.scores[:, 0], errors.min(1).values)


def test_halving_spends_its_steps_on_fewer_and_fewer(model, images, holes):
    sizes = []
    z = torch.zeros(1, 8, 8)
    search = LatentSearch(rounds=((8, 2), (4, 1), (2, 3)), start=lambda *_: z, refit=1, precision="fp32")
    model.generator.register_forward_pre_hook(lambda _, inputs: sizes.append((len(inputs[0]), torch.is_grad_enabled())))
    search(model, images[:1], holes[:1])
    assert [size for size, learning in sizes if learning] == [8, 8, 4, 2, 2, 2, 1]
    assert search.steps == 7


def test_a_search_ends_with_less_error_than_it_began(model, images, holes):
    begun = replace(QUICK, rounds=((4, 0),), refit=0, selection=Selection())(model, images, holes).scores
    ended = replace(QUICK, rounds=((4, 40),), refit=0, selection=Selection(), optimizer=Adam(0.1))(
        model, images, holes
    ).scores
    assert (ended < begun).all()


def test_frames_show_the_search_and_progress_adds_up(model, images, holes):
    told = []
    found = replace(QUICK, batch=8)(model, images, holes, frames=4, advance=told.append)
    assert [frame.shape for frame in found.frames] == [(5, 3, 32, 32)] * 4
    assert not torch.equal(found.frames[0], found.frames[-1])
    assert sum(told) == pytest.approx(5)
    told.clear()
    QUICK(model, images, holes, deterministic=True, advance=told.append)
    assert sum(told) == pytest.approx(5)


def test_nothing_known_gives_some_answer(model, images):
    found = QUICK(model, images, torch.ones(5, 1, 32, 32, dtype=torch.bool))
    assert found.pictures.isfinite().all() and not found.scores.any()


def test_a_single_known_pixel_is_enough(model, images):
    holes = torch.ones(5, 1, 32, 32, dtype=torch.bool)
    holes[:, :, 7, 9] = False
    assert QUICK(model, images, holes, answers=2).pictures.isfinite().all()


def test_wrong_arguments(model, images, holes):
    with pytest.raises(ValueError, match="answers must be at least 1"):
        QUICK(model, images, holes, answers=0)
    with pytest.raises(ValueError, match="holes must be bool"):
        QUICK(model, images, holes[:2])
    with pytest.raises(ValueError, match="no pictures to complete"):
        QUICK(model, images[:0], holes[:0])
    with pytest.raises(ValueError, match="a known pixel is NaN"):
        QUICK(model, images.masked_fill(~holes, float("nan")), holes)
