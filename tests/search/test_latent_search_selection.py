"""Which candidates of a search become its answers."""

from dataclasses import replace

import torch

from ganfill.models.latent import Normal
from ganfill.search.batching import Recorder
from ganfill.search.initialization import EncoderStart, PoolStart
from ganfill.search.latent_search import LatentSearch
from ganfill.search.networks import Networks
from ganfill.search.result import SearchOptions
from ganfill.search.selection import Selection, hold_out, masked_l1
from ganfill.search.target import Target


def test_agreement_decides_between_candidates_that_fit_alike(model, images, holes):
    model.latent = Normal(8)
    z = model.latent.sample(4, torch.Generator().manual_seed(5)).expand(5, -1, -1)
    model.encoder = lambda image, known: z[0, 2].expand(len(image), -1)
    search = LatentSearch(rounds=((4, 0),), start=lambda *_: z, shell_width=100, precision="fp32")
    found = replace(search, selection=Selection(agreement=100.0))(model, images, holes)
    pictures = model.generator(z[0]).expand(5, -1, -1, -1, -1)
    expected = (pictures[:, 2] + pictures[:, 2].flip(3)) / 2
    scores = masked_l1(pictures, images, (~holes).float()) + 100 * masked_l1(pictures, expected, holes.float())
    torch.testing.assert_close(found.scores[:, 0], scores.amin(1))
    assert torch.equal(found.latents[:, 0], z[torch.arange(5), scores.argmin(1)])
    assert not torch.equal(found.latents, search(model, images, holes).latents)
    model.encoder = None
    without = replace(search, selection=Selection(agreement=100.0))(model, images, holes)
    assert torch.equal(without.latents, search(model, images, holes).latents)


def test_answers_are_spread_among_those_that_fit(model, images, holes):
    model.latent = Normal(8)
    z = model.latent.sample(16, torch.Generator().manual_seed(5)).expand(5, -1, -1)
    search = LatentSearch(rounds=((16, 0),), start=lambda *_: z, shell_width=100, precision="fp32")
    nearest, spread = (
        replace(search, selection=Selection(spread=share))(model, images, holes, SearchOptions(answers=3))
        for share in (0, 0.5)
    )
    hole = holes[:, None].float()

    def distance(found):
        pictures = (found.pictures * hole).flatten(2)
        return torch.cdist(pictures, pictures).sum((1, 2))

    assert torch.equal(spread.latents[:, 0], nearest.latents[:, 0])
    assert (distance(spread) >= distance(nearest)).all() and (distance(spread) > distance(nearest)).any()
    assert (spread.scores[:, 1:] <= (1.5 * spread.scores[:, :1]).maximum(nearest.scores[:, 2:])).all()
    assert (spread.scores.diff(dim=1) >= 0).all()


def test_held_out_pixels_rank_and_are_not_fitted(model, images, holes):
    """Another content of the held-out pixels changes the scores, but no z."""
    target = Target.of(images, holes)
    search = LatentSearch(
        rounds=((2, 3),), start=lambda *_: torch.full((5, 2, 8), 0.1), selection=Selection(held_out=0.3),
        precision="fp32",
    )  # fmt: skip
    networks, options = Networks(model, "fp32"), SearchOptions()
    held_out = hold_out(target, 0.3, 0)
    other = Target(torch.where(held_out > 0, -target.image, target.image), target.known, target.keys)
    one, two = (search.search(networks, options, t, Recorder(options, 3, 5, t)) for t in (target, other))
    assert torch.equal(one.latents, two.latents) and not torch.equal(one.scores, two.scores)


def test_held_out_pixels_reach_neither_the_encoder_nor_the_start(model, images, holes):
    target, seen = Target.of(images, holes), []

    def encoder(image, known):
        seen.append((image[:5], known[:5]))
        return torch.zeros(len(image), 8)

    model.encoder = encoder
    selection = Selection(held_out=0.3, agreement=0.5)
    LatentSearch(rounds=((2, 1),), start=EncoderStart(), selection=selection, precision="fp32")(model, images, holes)
    expected = target.known * (1 - hold_out(target, 0.3, 0))
    assert len(seen) == 3 and expected.sum() < target.known.sum()  # the start, the expectation, and the mirrored one
    turns = [torch.equal(known, expected.flip(3)) for _, known in seen]
    assert sorted(turns) == [False, False, True]
    for (image, known), turned in zip(seen, turns, strict=True):
        image, known = (image.flip(3), known.flip(3)) if turned else (image, known)
        assert torch.equal(known, expected) and torch.equal(image, target.image * expected)


def test_several_answers_are_chosen_from_those_considered_and_one_is_not(model, images, holes):
    sizes = []
    search = LatentSearch(rounds=((1, 0),), start=PoolStart(32), num_candidates=8, precision="fp32")
    model.generator.register_forward_pre_hook(lambda _, inputs: sizes.append(len(inputs[0])))
    search(model, images[:1], holes[:1])
    assert set(sizes[1:]) == {2}  # the smallest batch
    sizes.clear()
    assert search(model, images[:1], holes[:1], SearchOptions(answers=2)).pictures.shape[1] == 2
    assert 8 in sizes
