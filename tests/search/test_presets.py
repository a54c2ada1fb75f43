import inspect
from dataclasses import replace

import pytest
import torch

from ganfill.config import build, compose
from ganfill.errors import UserError
from ganfill.images.blend import Feather, Paste, Poisson
from ganfill.search.presets import PRESETS, amos2016, auto, best, fast, from_pool, posterior, preset, standard, yeh2017
from ganfill.search.result import SearchOptions
from ganfill.search.selection import Selection


@pytest.fixture
def images(images):
    return images[:4]


@pytest.fixture
def holes():
    holes = torch.zeros(4, 1, 32, 32, dtype=torch.bool)
    holes[:, :, 8:24, 8:24] = True
    return holes


def error(completion, images, where):
    return ((completion.pictures[:, 0] - images).abs() * where).sum((1, 2, 3)) / where.sum((1, 2, 3))


def test_standard_finds_pictures_of_the_generator_itself(model, images, holes):
    search = standard(steps=40, starts=4, pool=64, precision="fp32")
    start = replace(search.fallback, rounds=((1, 0),), refit=0, refinement=None)(model, images, holes)
    found = search(model, images, holes)
    assert (error(found, images, ~holes) < error(start, images, ~holes)).all()
    assert error(found, images, holes).mean() < 0.8 * error(start, images, holes).mean()


def test_with_an_encoder_standard_cuts_where_fast_only_guesses(model, images, holes):
    """The encoder knows the pictures a little; no pool is made."""
    z = model.latent.sample(4, torch.Generator().manual_seed(3))  # of the pictures
    model.encoder = lambda image, known: (0.9 * z).repeat(-(-len(image) // 4), 1)[: len(image)]
    made = []
    model.generator.register_forward_pre_hook(lambda _, inputs: made.append(len(inputs[0])))
    guessed, found = (make(precision="fp32")(model, images, holes) for make in (fast, standard))
    assert torch.equal(guessed.latents[:, 0], 0.9 * z) and torch.equal(found.latents, guessed.latents)
    assert (error(found, images, ~holes) < 0.5 * error(guessed, images, ~holes)).all()
    assert guessed.passes < 1 and found.passes < 1 + 30 and sum(made) < 64


def test_further_answers_of_fast_are_the_best_of_many(model, images, holes):
    z = model.latent.sample(4, torch.Generator().manual_seed(3))  # of the pictures
    model.encoder = lambda image, known: z.repeat(-(-len(image) // 4), 1)[: len(image)]
    chosen, options = fast(precision="fp32"), SearchOptions(4)
    unchosen = replace(chosen, num_candidates=1, selection=Selection())
    first = chosen(model, images, holes).latents
    good, poor = (search(model, images, holes, options) for search in (chosen, unchosen))
    assert torch.equal(good.latents[:, :1], first) and torch.equal(poor.latents[:, :1], first)
    assert good.errors[:, 1:].mean() < 0.8 * poor.errors[:, 1:].mean()


def test_the_score_of_one_answer_is_its_fit(model, images, holes):
    z = model.latent.sample(4, torch.Generator().manual_seed(3))  # of the pictures
    model.encoder = lambda image, known: (0.9 * z).repeat(-(-len(image) // 4), 1)[: len(image)]
    found = [make(cut_steps=2, precision="fp32")(model, images, holes) for make in (standard, best)]
    torch.testing.assert_close(found[0].scores, found[1].scores)
    assert found[1].mean is not None


@pytest.mark.parametrize("make", [fast, standard, best])
def test_without_an_encoder_the_pool_is_searched(model, images, holes, make, bits, equal):
    search = make(steps=8, starts=2, pool=32, precision="fp32")
    assert equal(bits(search(model, images, holes)), bits(search.fallback(model, images, holes)))
    assert sum(steps for _, steps in search.rounds) == 0 and search.refit == 0
    assert sum(steps for _, steps in search.fallback.rounds) + search.fallback.refit == 8


def test_by_name():
    made = {make.__name__: make() for make in (fast, standard, best, posterior, auto, from_pool, amos2016, yeh2017)}
    assert {name: preset(name) for name in PRESETS} == made
    with pytest.raises(UserError, match=f"search=quick is no preset: use {', '.join(made)}"):
        preset("quick")


@pytest.mark.parametrize("name", PRESETS)
def test_the_command_line_has_the_same_defaults(name):
    config = compose("complete", ["images=x", "mask=center", f"search={name}"])
    assert build(config.search) == preset(name)
    assert {*config.search, "blend"} == {"_target_", *inspect.signature(PRESETS[name]).parameters}


def test_the_blends_of_the_command_line():
    for name, blend in {"paste": Paste(), "feather": Feather(), "poisson": Poisson()}.items():
        config = compose("complete", ["images=x", "mask=center", f"blend={name}"])
        assert build(config.blend) == blend
        assert standard(blend=blend).blend == blend


@pytest.mark.parametrize("steps", [0, 1, 2, 3, 5, 100])
def test_a_search_spends_the_steps_it_is_given(steps):
    assert from_pool(steps=steps, cut_steps=0).steps == standard(steps=steps, cut_steps=0).fallback.steps == steps
    assert from_pool(steps=steps, cut_steps=7).steps == steps + 7
    assert all(count >= 1 for count, _ in from_pool(steps=steps, starts=1).rounds)


@pytest.mark.parametrize("settings", [{"cut_prior": -1.0}, {"cut_prior": 0.1, "cut_level": 2}])
def test_a_prior_of_w_that_cannot_be_used(settings):
    with pytest.raises(UserError, match="give cut_prior from 0, with cut_level=1"):
        from_pool(**settings)


@pytest.mark.parametrize("settings", [{"steps": -1}, {"starts": 0}, {"pool": 0}, {"window": 4}])
def test_settings_that_cannot_be_used(settings):
    with pytest.raises(UserError, match=next(f"{key}={value}.*cannot be used" for key, value in settings.items())):
        standard(**settings)


def test_more_answers_than_the_pool_holds(model, images, holes):
    found = standard(steps=4, starts=2, pool=2, precision="fp32")(model, images, holes, SearchOptions(answers=5))
    assert found.pictures.shape[1] == 5


SMALL = {"steps": 4, "starts": 4, "pool": 32, "candidates": 2, "cut_steps": 3, "chains": 2, "burn_in": 2, "samples": 2}
OURS = [name for name in PRESETS if name not in ("amos2016", "yeh2017")]


@pytest.fixture(params=[(name, encoder) for name in OURS for encoder in (False, True)], ids=str)
def search(request, model):
    """One of our searches, made small, for a model without and with an encoder."""
    name, encoder = request.param
    if encoder:
        request.getfixturevalue("model_with_encoder")
    known = inspect.signature(PRESETS[name]).parameters
    return PRESETS[name](precision="fp32", batch=8, **{key: value for key, value in SMALL.items() if key in known})


def test_what_the_hole_holds_does_not_change_one_bit(search, model, images, holes, bits, equal):
    found = bits(search(model, images, holes, SearchOptions(answers=2, frames=2)))
    nothing = images.masked_fill(holes, float("nan"))
    noise = torch.where(holes, torch.randn(images.shape), images)
    assert all(part.isfinite().all() for part in found)
    assert equal(bits(search(model, nothing, holes, SearchOptions(answers=2, frames=2))), found)
    assert equal(bits(search(model, noise, holes, SearchOptions(answers=2, frames=2))), found)


def test_deterministic_answers_know_neither_order_nor_mates(search, model, images, holes, bits, equal):
    together = search(model, images[:3], holes[:3], SearchOptions(deterministic=True))
    reversed_batch = search(model, images[:3].flip(0), holes[:3].flip(0), SearchOptions(deterministic=True))
    assert equal(bits(reversed_batch), bits(together, [2, 1, 0]))
    assert equal(bits(search(model, images[1:2], holes[1:2], SearchOptions(deterministic=True))), bits(together, [1]))


@pytest.mark.parametrize("encoder", [False, True])
@pytest.mark.parametrize("make", [standard, best, from_pool, posterior])
def test_stylegan2_is_searched_like_any_other(make, encoder, styled, holes):
    if not encoder:
        styled.encoder = None
    images = styled.generator(styled.latent.sample(4, torch.Generator().manual_seed(3))).clamp(-1, 1)
    known = inspect.signature(make).parameters
    search = make(precision="fp32", batch=8, **{key: value for key, value in SMALL.items() if key in known})
    found = search(styled, images, holes, SearchOptions(answers=2, deterministic=True))
    assert found.pictures.shape == (4, 2, 3, 32, 32) and found.pictures.isfinite().all()
    reversed_batch = search(
        styled, images.masked_fill(holes, float("nan")).flip(0), holes, SearchOptions(answers=2, deterministic=True)
    )
    assert torch.equal(reversed_batch.pictures.flip(0), found.pictures)
    if make is not posterior:
        of_z = styled.generator(found.latents.flatten(0, 1)).unflatten(0, (4, 2))
        left = [(error(replace(found, pictures=p), images, ~holes)).mean() for p in (found.pictures, of_z)]
        assert left[0] < 0.97 * left[1]


def test_stylegan2_shows_by_w_plus_what_no_z_gives(styled, holes):
    """Pictures by a w of each layer's own; what is known settles what is not."""
    random = torch.Generator().manual_seed(7)
    ws = torch.stack(
        [styled.generator.forward_until(torch.randn(4, 8, generator=random), 1)[:, 0] for _ in range(8)], 1
    )
    images = styled.generator.forward_from(ws, 1)
    by_z, by_w = (
        from_pool(64, 8, 256, cut_steps=steps, cut_rate=0.1, precision="fp32")(styled, images, holes)
        for steps in (0, 100)
    )
    assert torch.equal(by_w.latents, by_z.latents)
    assert (error(by_w, images, ~holes) < 0.6 * error(by_z, images, ~holes)).all()
    assert error(by_w, images, holes).mean() < 0.6 * error(by_z, images, holes).mean()


def test_alone_is_as_in_a_batch_within_rounding(search, model, images, holes):
    together, alone = search(model, images, holes), search(model, images[2:3], holes[2:3])
    torch.testing.assert_close(alone.pictures, together.pictures[2:3], atol=2e-3, rtol=0)
    torch.testing.assert_close(alone.latents, together.latents[2:3], atol=2e-3, rtol=0)
    assert alone.passes == together.passes


@pytest.mark.parametrize(
    ("make", "settings", "message"),
    [
        (standard, {"jitter": 2}, "jitter=2 cannot be used"),
        (standard, {"trust": "abc"}, "trust=abc jitter"),
        (posterior, {"correlated": 0}, "correlated=0 cannot be used"),
        (posterior, {"samples": 0}, "samples=0"),
    ],
)
def test_settings_of_other_kinds_that_cannot_be_used(make, settings, message):
    with pytest.raises(UserError, match=message):
        make(**settings)
