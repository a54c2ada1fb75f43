from dataclasses import dataclass, replace

import pytest
import torch

from ganfill.completion.chunks import Recorder
from ganfill.completion.finish import Adapt, Cut, Polish
from ganfill.completion.networks import Networks
from ganfill.completion.objective import Objective, Trust
from ganfill.completion.optimize import Adam
from ganfill.completion.parametrise import Clip, Typical
from ganfill.completion.search import LatentSearch
from ganfill.completion.select import Selection, hold_out, judge
from ganfill.completion.start import FromPool, Proposals, expect, from_prior
from ganfill.completion.target import Target

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


@dataclass(frozen=True)
class Squares(Objective):
    """Weighted squared error, whose least value is known."""

    def __call__(self, networks, z, pictures, image, weights):
        return (weights * (pictures - image).square()).flatten(1).sum(1)


@pytest.fixture
def solvable(linear):
    """Pictures and holes of 4 x 4 pixels, and the z that fit the known ones best in squares."""
    images = torch.randn(3, 3, 4, 4, generator=torch.Generator().manual_seed(0))
    holes = torch.zeros(3, 1, 4, 4, dtype=torch.bool)
    holes[:, :, 1:3, 1:3] = True
    known = ~holes.expand_as(images).flatten(1)
    matrix = linear.generator.second @ linear.generator.first
    solutions = [
        torch.linalg.lstsq(matrix[k], x[k][:, None])[0][:, 0] for k, x in zip(known, images.flatten(1), strict=True)
    ]
    return images, holes, torch.stack(solutions)


FREE = Typical(width=100)


def test_adam_finds_the_least_squares(linear, solvable):
    images, holes, solutions = solvable
    search = LatentSearch(
        rounds=((2, 300),), start=from_prior, objective=Squares(), optimizer=Adam(0.1, decay=0.5), parametrise=FREE,
        precision="fp32",
    )  # fmt: skip
    found = search(linear, images, holes)
    torch.testing.assert_close(found.latents[:, 0], solutions, atol=1e-3, rtol=0)
    torch.testing.assert_close(found.pictures[:, 0], linear.generator(solutions), atol=1e-3, rtol=0)


def test_a_polish_finds_them_in_few_steps(linear, solvable):
    images, holes, solutions = solvable
    search = LatentSearch(
        rounds=((1, 0),), start=from_prior, objective=Squares(), parametrise=FREE,
        finish=[Polish(20, parametrise=FREE)], precision="fp32",
    )  # fmt: skip
    found = search(linear, images, holes)
    torch.testing.assert_close(found.pictures[:, 0], linear.generator(solutions), atol=5e-3, rtol=0)


def test_errors_are_those_of_z_on_all_known_pixels(model, images, holes):
    found = replace(QUICK, finish=[Cut(1, 3)])(model, images, holes, answers=2)
    of_z = model.generator(found.latents.flatten(0, 1)).unflatten(0, (5, 2))
    torch.testing.assert_close(found.errors, judge(of_z, images, (~holes).float()), atol=1e-5, rtol=0)
    assert not torch.allclose(found.pictures, of_z, atol=1e-3)


def test_finishing_leaves_the_ranking_and_comes_nearer_to_what_is_known(model, images, holes):
    plain, finished = (replace(QUICK, finish=finish)(model, images, holes) for finish in ([], [Cut(2, 20)]))
    assert torch.equal(plain.scores, finished.scores) and torch.equal(plain.latents, finished.latents)
    known = (~holes).float()
    assert (judge(finished.pictures, images, known) < judge(plain.pictures, images, known)).all()


def test_what_follows_comes_in_its_order_and_sees_what_it_needs(model, images, holes):
    calls = []

    @dataclass(frozen=True)
    class Watch:
        name: str
        passes: int = 0

        def __call__(self, networks, target, objective, weights, held, answers, watch):
            calls.append((self.name, len(answers.z), answers.level))
            assert len(target) == len(weights) == len(held) == len(answers.pictures) == 10
            assert target.keys[0] == target.keys[1] != target.keys[2]
            assert not (held * (1 - target.known)).any() and held.any()
            assert (weights[held > 0] > 0).all()  # to be fitted at last
            return replace(answers, pictures=answers.pictures + 1)

    found = replace(QUICK, finish=[Watch("a"), Cut(1, 1), Watch("b")])(model, images, holes, answers=2)
    assert calls == [("a", 10, 0), ("b", 10, 1)] and found.pictures.shape == (5, 2, 3, 32, 32)
    nothing = replace(QUICK, finish=[Cut(1, 1)])(model, images, holes, answers=2)
    torch.testing.assert_close(found.pictures, nothing.pictures + 1)


def test_the_mean_follows_what_the_encoder_expects(model_with_encoder, images, holes):
    search = LatentSearch(rounds=((1, 0),), start=Proposals(), trust=Trust(), average=True, precision="fp32")
    networks, target = Networks(model_with_encoder, "fp32"), Target.of(images, holes)
    found = search(model_with_encoder, images, holes)
    wanted = torch.where(holes, expect(networks, target), images)
    torch.testing.assert_close(found.mean, wanted)  # nothing follows, so it is what would be followed
    cut = replace(search, finish=[Cut(1, 20, 0.02)])(model_with_encoder, images, holes)
    away = (cut.mean - wanted).square().mean()
    assert 0 < away < (cut.pictures[:, 0] - wanted).square().mean()
    assert replace(search, trust=None)(model_with_encoder, images, holes).mean is None
    model_with_encoder.encoder = None
    assert search(model_with_encoder, images, holes).mean is None


def test_passes_by_hand(model, images, holes):
    search = LatentSearch(rounds=((8, 2), (4, 1), (2, 3)), start=from_prior, refit=1, precision="fp32")
    steps, looks = 8 * 2 + 4 + 2 * 3 + 1, 8 + 4 + 2 + 1  # a look before each halving, at the end, and after the refit
    assert search(model, images, holes).passes == pytest.approx(steps + looks / 3)
    finished = replace(search, finish=[Cut(1, 5), Polish(4)], refit=0)
    expected = 8 * 2 + 4 * 1 + 3 * 3 + (8 + 4 + 3) / 3 + 3 * (5 + 5)  # three answers to the end
    assert finished(model, images, holes, answers=3).passes == pytest.approx(expected)


def test_passes_are_the_runs_that_were_made(model, images, holes):
    made = []
    model.generator.register_forward_pre_hook(
        lambda _, inputs: made.append(len(inputs[0]) * (1 if torch.is_grad_enabled() else 1 / 3))
    )
    search = LatentSearch(rounds=((8, 2), (4, 1)), start=from_prior, refit=2, precision="fp32")
    assert search(model, images[:1], holes[:1]).passes == pytest.approx(sum(made))


def test_agreement_decides_between_candidates_that_fit_alike(model, images, holes):
    z = model.latent.sample(4, torch.Generator().manual_seed(5)).expand(5, -1, -1)
    model.encoder = lambda image, known: z[0, 2].expand(len(image), -1)
    search = LatentSearch(rounds=((4, 0),), start=lambda *_: z, parametrise=Clip(), precision="fp32")
    found = replace(search, selection=Selection(agreement=100.0))(model, images, holes)
    pictures = model.generator(z[0]).expand(5, -1, -1, -1, -1)
    expected = (pictures[:, 2] + pictures[:, 2].flip(3)) / 2
    scores = judge(pictures, images, (~holes).float()) + 100 * judge(pictures, expected, holes.float())
    torch.testing.assert_close(found.scores[:, 0], scores.amin(1))
    assert torch.equal(found.latents[:, 0], z[torch.arange(5), scores.argmin(1)])
    assert not torch.equal(found.latents, search(model, images, holes).latents)
    model.encoder = None
    without = replace(search, selection=Selection(agreement=100.0))(model, images, holes)
    assert torch.equal(without.latents, search(model, images, holes).latents)


def test_answers_are_spread_among_those_that_fit(model, images, holes):
    z = model.latent.sample(16, torch.Generator().manual_seed(5)).expand(5, -1, -1)
    search = LatentSearch(rounds=((16, 0),), start=lambda *_: z, parametrise=Clip(), precision="fp32")
    nearest, spread = (
        replace(search, selection=Selection(spread=share))(model, images, holes, answers=3) for share in (0, 0.5)
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
    networks = Networks(model, "fp32")
    held = hold_out(target, 0.3, 0)
    other = Target(torch.where(held > 0, -target.image, target.image), target.known, target.keys)
    one, two = (search.search(networks, t, 1, 0, Recorder(0, 3, 5, None)) for t in (target, other))
    assert torch.equal(one.latents, two.latents) and not torch.equal(one.scores, two.scores)


def test_coordinates_of_a_uniform_prior_do_not_stick_at_its_edge(model, holes):
    z = torch.full((4, 8), 0.3)
    images = model.generator(z)
    search = LatentSearch(
        rounds=((1, 150),), start=lambda *_: torch.ones(4, 1, 8), optimizer=Adam(0.1, decay=0.3), precision="fp32"
    )
    found = search(model, images, holes[:4])
    start = judge(model.generator(torch.ones(4, 8))[:, None], images, (~holes[:4]).float())
    assert (found.latents.abs() < 0.999).any(2).all() and (found.scores < 0.5 * start).all()


def test_held_out_pixels_reach_neither_the_encoder_nor_the_start(model, images, holes):
    target, seen = Target.of(images, holes), []

    def encoder(image, known):
        seen.append((image[:5], known[:5]))
        return torch.zeros(len(image), 8)

    model.encoder = encoder
    selection = Selection(held_out=0.3, agreement=0.5)
    LatentSearch(rounds=((2, 1),), start=Proposals(), selection=selection, precision="fp32")(model, images, holes)
    expected = target.known * (1 - hold_out(target, 0.3, 0))
    assert len(seen) == 3 and expected.sum() < target.known.sum()  # the start, the expectation, and the mirrored one
    turns = [torch.equal(known, expected.flip(3)) for _, known in seen]
    assert sorted(turns) == [False, False, True]
    for (image, known), turned in zip(seen, turns, strict=True):
        image, known = (image.flip(3), known.flip(3)) if turned else (image, known)
        assert torch.equal(known, expected) and torch.equal(image, target.image * expected)


def test_what_is_trusted_fills_the_hole_and_what_is_known_stays_known(linear):
    """A generator that could show anything shows the known pixels, and deep in the hole what its start shows there."""
    images = torch.randn(1, 3, 4, 4, generator=torch.Generator().manual_seed(0))
    holes = torch.zeros(1, 1, 4, 4, dtype=torch.bool)
    holes[..., 1:] = True
    told = torch.tensor([[1.0, -0.5, 0.3]])
    linear.encoder = lambda image, known: told.expand(len(image), -1)
    start = linear.generator(told).expand(1, -1, -1, -1)
    search = LatentSearch(rounds=((1, 0),), start=Proposals(), parametrise=FREE, finish=[Cut(1, 300, 0.1)])
    search = replace(search, precision="fp32", trust=Trust(50.0, 1.0))
    deep = torch.zeros(1, 1, 4, 4)
    deep[..., 3] = 1
    trusting, blind = (s(linear, images, holes) for s in (search, replace(search, trust=None)))
    far = [judge(found.pictures, start, deep).item() for found in (trusting, blind)]
    assert far[0] < 0.5 * far[1]


def test_several_answers_are_chosen_from_those_considered_and_one_is_not(model, images, holes):
    sizes = []
    search = LatentSearch(rounds=((1, 0),), start=FromPool(32), considered=8, precision="fp32")
    model.generator.register_forward_pre_hook(lambda _, inputs: sizes.append(len(inputs[0])))
    search(model, images[:1], holes[:1])
    assert set(sizes[1:]) == {1}
    sizes.clear()
    assert search(model, images[:1], holes[:1], answers=2).pictures.shape[1] == 2
    assert 8 in sizes


@pytest.mark.parametrize("finish", [[], [Cut(1, 4)], [Cut(1, 2), Adapt(2)]])
def test_without_steps_of_z_what_follows_is_seen_and_progress_adds_up(model_with_encoder, images, holes, finish):
    told = []
    search = LatentSearch(rounds=((1, 0),), start=Proposals(), finish=finish, precision="fp32")
    found = search(model_with_encoder, images, holes, frames=3, advance=told.append)
    assert sum(told) == pytest.approx(5)
    assert [frame.shape for frame in found.frames] == [(5, 3, 32, 32)] * (3 if finish else 1)
