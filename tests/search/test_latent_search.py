from dataclasses import dataclass, replace

import pytest
import torch

from ganfill.models.latent import Normal
from ganfill.search.initialization import EncoderStart, from_prior
from ganfill.search.latent_search import LatentSearch
from ganfill.search.objective import EncoderPrior, Objective
from ganfill.search.optimizers import Adam
from ganfill.search.refinement import FeatureOptimization
from ganfill.search.result import SearchOptions
from ganfill.search.selection import Selection, masked_l1


def same(one, two, rows=slice(None)):
    return all(torch.equal(getattr(one, name), getattr(two, name)[rows]) for name in ("pictures", "latents", "scores"))


def test_answers_are_ranked_and_allowed(model, images, holes, quick):
    found = quick(model, images, holes, SearchOptions(answers=3))
    assert found.pictures.shape == (5, 3, 3, 32, 32) and found.latents.shape == (5, 3, 8) and found.frames == []
    assert (found.scores.diff(dim=1) >= 0).all() and found.scores.shape == (5, 3)
    assert all(len(latents.unique(dim=0)) == 3 for latents in found.latents)
    assert found.latents.abs().max() <= 1
    torch.testing.assert_close(model.generator(found.latents.flatten(0, 1)), found.pictures.flatten(0, 1))


@pytest.mark.parametrize("deterministic", [False, True])
def test_what_the_hole_holds_does_not_change_one_bit(model, images, holes, deterministic, quick):
    found = quick(model, images, holes, SearchOptions(answers=2, deterministic=deterministic))
    noise = torch.where(holes, torch.randn(images.shape), images)
    nothing = images.masked_fill(holes, float("nan"))
    assert same(found, quick(model, noise, holes, SearchOptions(answers=2, deterministic=deterministic)))
    assert same(found, quick(model, nothing, holes, SearchOptions(answers=2, deterministic=deterministic)))


def test_deterministic_answers_know_neither_order_nor_mates(model, images, holes, quick):
    together = quick(model, images, holes, SearchOptions(deterministic=True))
    assert same(
        quick(model, images.flip(0), holes.flip(0), SearchOptions(deterministic=True)), together, [4, 3, 2, 1, 0]
    )
    assert same(quick(model, images[2:3], holes[2:3], SearchOptions(deterministic=True)), together, [2])
    assert same(
        replace(quick, batch=4)(model, images[1:4], holes[1:4], SearchOptions(deterministic=True)),
        replace(quick, batch=4)(model, images, holes, SearchOptions(deterministic=True)),
        [1, 2, 3],
    )


def test_otherwise_mates_matter_no_more_than_rounding(model, images, holes, quick):
    together = quick(model, images, holes)
    for i in (0, 3):
        alone = quick(model, images[i : i + 1], holes[i : i + 1])
        torch.testing.assert_close(alone.pictures, together.pictures[i : i + 1], atol=1e-3, rtol=0)
    small = replace(quick, batch=8)(model, images, holes)
    torch.testing.assert_close(small.latents, together.latents, atol=1e-3, rtol=0)


def test_another_seed_is_another_search(model, images, holes, quick):
    latents = [quick(model, images, holes, SearchOptions(seed=seed)).latents for seed in (0, 0, 1)]
    assert torch.equal(latents[0], latents[1]) and not torch.equal(latents[0], latents[2])


def test_successive_halving_keeps_the_best(model, images, holes):
    model.latent = Normal(8)
    z = model.latent.sample(5 * 8, torch.Generator().manual_seed(0)).view(5, 8, 8)
    search = LatentSearch(rounds=((8, 0), (4, 0), (1, 0)), start=lambda *_: z, shell_width=100, precision="fp32")
    found = search(model, images, holes)
    errors = masked_l1(model.generator(z.flatten(0, 1)).view(5, 8, 3, 32, 32), images, (~holes).float())
    assert torch.equal(found.latents[:, 0], z[torch.arange(5), errors.argmin(1)])
    torch.testing.assert_close(found.scores[:, 0], errors.min(1).values)


def test_halving_spends_its_steps_on_fewer_and_fewer(model, images, holes):
    sizes = []
    z = torch.zeros(2, 8, 8)
    search = LatentSearch(rounds=((8, 2), (4, 1), (2, 3)), start=lambda *_: z, refit=1, precision="fp32")
    model.generator.register_forward_pre_hook(lambda _, inputs: sizes.append((len(inputs[0]), torch.is_grad_enabled())))
    search(model, images[:2], holes[:2])
    assert [size for size, learning in sizes if learning] == [16, 16, 8, 4, 4, 4, 2]
    assert search.steps == 7


def test_a_search_ends_with_less_error_than_it_began(model, images, holes, quick):
    begun = replace(quick, rounds=((4, 0),), refit=0, selection=Selection())(model, images, holes).scores
    ended = replace(quick, rounds=((4, 40),), refit=0, selection=Selection(), optimizer=Adam(0.1))(
        model, images, holes
    ).scores
    assert (ended < begun).all()


def test_frames_show_the_search_and_progress_adds_up(model, images, holes, quick):
    reports = []
    found = replace(quick, batch=8)(
        model, images, holes, SearchOptions(frames=4, on_progress=lambda progress: reports.append(progress.pictures))
    )
    assert [frame.shape for frame in found.frames] == [(5, 3, 32, 32)] * 4
    assert not torch.equal(found.frames[0], found.frames[-1])
    assert sum(reports) == pytest.approx(5)
    reports.clear()
    quick(
        model,
        images,
        holes,
        SearchOptions(deterministic=True, on_progress=lambda progress: reports.append(progress.pictures)),
    )
    assert sum(reports) == pytest.approx(5)


def test_nothing_known_gives_some_answer(model, images, quick):
    found = quick(model, images, torch.ones(5, 1, 32, 32, dtype=torch.bool))
    assert found.pictures.isfinite().all() and not found.scores.any()


def test_a_single_known_pixel_is_enough(model, images, quick):
    holes = torch.ones(5, 1, 32, 32, dtype=torch.bool)
    holes[:, :, 7, 9] = False
    assert quick(model, images, holes, SearchOptions(answers=2)).pictures.isfinite().all()


def test_wrong_arguments(model, images, holes, quick):
    with pytest.raises(ValueError, match="answers must be from 1 to"):
        quick(model, images, holes, SearchOptions(answers=0))
    with pytest.raises(ValueError, match="holes must be bool"):
        quick(model, images, holes[:2])
    with pytest.raises(ValueError, match="no pictures to complete"):
        quick(model, images[:0], holes[:0])
    with pytest.raises(ValueError, match="a known pixel is NaN"):
        quick(model, images.masked_fill(~holes, float("nan")), holes)


@dataclass(frozen=True)
class Squares(Objective):
    """Weighted squared error, whose least value is known."""

    def __call__(self, pictures, image, weights):
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


def test_adam_finds_the_least_squares(linear, solvable):
    images, holes, solutions = solvable
    search = LatentSearch(
        rounds=((2, 300),), start=from_prior, objective=Squares(), optimizer=Adam(0.1, decay=0.5), shell_width=100,
        precision="fp32",
    )  # fmt: skip
    found = search(linear, images, holes)
    torch.testing.assert_close(found.latents[:, 0], solutions, atol=1e-3, rtol=0)
    torch.testing.assert_close(found.pictures[:, 0], linear.generator(solutions), atol=1e-3, rtol=0)


def test_passes_by_hand(model, images, holes):
    search = LatentSearch(rounds=((8, 2), (4, 1), (2, 3)), start=from_prior, refit=1, precision="fp32")
    steps, looks = 8 * 2 + 4 + 2 * 3 + 1, 8 + 4 + 2 + 1  # a look before each halving, at the end, and after the refit
    assert search(model, images, holes).passes == pytest.approx(steps + looks / 3)
    finished = replace(search, refinement=FeatureOptimization(1, 5), refit=0)
    expected = 8 * 2 + 4 * 1 + 3 * 3 + (8 + 4 + 3) / 3 + 3 * 5  # three answers to the end
    assert finished(model, images, holes, SearchOptions(answers=3)).passes == pytest.approx(expected)


def test_passes_are_the_runs_that_were_made(model, images, holes):
    made = []
    model.generator.register_forward_pre_hook(
        lambda _, inputs: made.append(len(inputs[0]) * (1 if torch.is_grad_enabled() else 1 / 3))
    )
    search = LatentSearch(rounds=((8, 2), (4, 1)), start=from_prior, refit=2, precision="fp32")
    assert search(model, images[:2], holes[:2]).passes == pytest.approx(sum(made) / 2)


def test_no_latent_vector_is_generated_twice(model_with_encoder, images, holes):
    made = []
    model_with_encoder.generator.register_forward_pre_hook(lambda _, inputs: made.append(len(inputs[0])))
    search = LatentSearch(rounds=((4, 0), (2, 0)), start=EncoderStart(), encoder_prior=EncoderPrior(), precision="fp32")
    found = search(model_with_encoder, images[:1], holes[:1], SearchOptions(answers=2))
    assert made == [4] and found.passes == pytest.approx(4 / 3)
    of_z = model_with_encoder.generator(found.latents.flatten(0, 1)).unflatten(0, (1, 2))
    torch.testing.assert_close(found.pictures, of_z)


def test_coordinates_of_a_uniform_prior_do_not_stick_at_its_edge(model, holes):
    z = torch.full((4, 8), 0.3)
    images = model.generator(z)
    search = LatentSearch(
        rounds=((1, 150),), start=lambda *_: torch.ones(4, 1, 8), optimizer=Adam(0.1, decay=0.3), precision="fp32"
    )
    found = search(model, images, holes[:4])
    start = masked_l1(model.generator(torch.ones(4, 8))[:, None], images, (~holes[:4]).float())
    assert (found.latents.abs() < 0.999).any(2).all() and (found.scores < 0.5 * start).all()
