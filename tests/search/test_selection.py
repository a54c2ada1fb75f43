import pytest
import torch

from ganfill.search.selection import Selection, farthest_points, hold_out, lowest, masked_l1, take
from ganfill.search.target import Target


@pytest.fixture
def target():
    generator = torch.Generator().manual_seed(0)
    images = torch.rand(6, 3, 32, 32, generator=generator)
    holes = torch.rand(6, 1, 32, 32, generator=generator) < 0.3
    return Target.of(images, holes)


def test_known_pixels_are_held_out_in_blocks(target):
    held_out = hold_out(target, 0.25, 0)
    assert held_out.shape == target.known.shape and not (held_out * (1 - target.known)).any()
    assert 0.15 < held_out.sum() / target.known.sum() < 0.35
    blocks = (held_out + 2 * (1 - target.known)).unfold(2, 4, 4).unfold(3, 4, 4).reshape(-1, 16)
    assert all(not ((block == 0).any() and (block == 1).any()) for block in blocks)


def test_each_picture_has_blocks_of_its_own_whatever_its_mates(target):
    held_out = hold_out(target, 0.25, 0)
    assert torch.equal(hold_out(target.pick(2, 3), 0.25, 0), held_out[2:3])
    assert not torch.equal(hold_out(target, 0.25, 1), held_out)
    free = torch.ones_like(target.known)
    draws = hold_out(Target(target.image, free, target.keys), 0.25, 0)
    assert len(draws.flatten(1).unique(dim=0)) == 6


@pytest.mark.parametrize(("share", "expected"), [(0.0, 0), (1.0, 1)])
def test_none_or_all(target, share, expected):
    assert torch.equal(hold_out(target, share, 0), expected * target.known)


def test_sides_that_are_no_multiple_of_a_block():
    odd = Target.of(torch.zeros(1, 3, 7, 10), torch.zeros(1, 1, 7, 10, dtype=torch.bool))
    assert hold_out(odd, 0.5, 0).shape == (1, 1, 7, 10)


def test_the_judge_takes_the_mean_of_what_counts():
    image = torch.zeros(2, 3, 2, 2)
    pictures = torch.zeros(2, 2, 3, 2, 2)
    pictures[0, 0, :, 0, 0] = 0.3
    pictures[0, 1, 0, 0, 1] = -0.6
    pictures[0, :, :, 1] = 9
    judged = torch.zeros(2, 1, 2, 2)
    judged[0, :, 0] = 1
    scores = masked_l1(pictures, image, judged)
    torch.testing.assert_close(scores, torch.tensor([[0.15, 0.1], [0.0, 0.0]]))


def test_best_first_and_ties_as_they_come():
    scores = torch.tensor([[3.0, 1.0, 2.0, 1.0], [0.0, 0.0, 0.0, 0.0]])
    assert lowest(scores, 3).tolist() == [[1, 3, 2], [0, 1, 2]]


def test_take_picks_from_each_row():
    values = torch.arange(24).view(2, 3, 4)
    taken = take(values, torch.tensor([[2, 0], [1, 1]]))
    assert torch.equal(taken, torch.stack([values[0, [2, 0]], values[1, [1, 1]]]))


def line(*places):
    """Pictures of one pixel (1, k, 1)."""
    return torch.tensor(places)[None, :, None]


def test_far_apart_by_hand():
    scores, places = torch.tensor([[1.0, 1.1, 1.15, 1.3]]), line(0.0, 1.0, 5.0, 100.0)
    assert farthest_points(scores, places, 2, 0.2).tolist() == [[0, 2]]  # 3 fits too badly, 2 is farther than 1
    assert farthest_points(scores, places, 3, 0.2).tolist() == [[0, 2, 1]]
    assert farthest_points(scores, places, 3, 0.4).tolist() == [[0, 3, 2]]
    assert farthest_points(scores, places, 1, 0.4).tolist() == [[0]]


def test_the_best_comes_first_wherever_it_stands():
    scores, places = torch.tensor([[1.15, 1.1, 1.0], [1.0, 1.15, 1.1]]), line(5.0, 1.0, 0.0).expand(2, -1, -1)
    assert farthest_points(scores, places, 2, 0.2).tolist() == [[2, 0], [0, 2]]


def test_where_too_few_fit_the_next_best_join():
    scores, places = torch.tensor([[1.0, 3.0, 2.0, 4.0]]), line(0.0, 9.0, 1.0, 50.0)
    assert farthest_points(scores, places, 2, 0.01).tolist() == [[0, 2]]
    assert farthest_points(scores, places, 3, 0.01).tolist() == [[0, 1, 2]]
    assert sorted(farthest_points(scores, places, 4, 0.01)[0].tolist()) == [0, 1, 2, 3]


def test_pictures_that_are_all_the_same_are_still_different_candidates():
    chosen = farthest_points(torch.zeros(3, 5), torch.zeros(3, 5, 4), 4, 0.1)
    assert all(len(set(row)) == 4 for row in chosen.tolist()) and (chosen[:, 0] == 0).all()


def candidates(*levels):
    """Grey pictures (1, k, 3, 4, 4)."""
    return torch.tensor(levels)[None, :, None, None, None].expand(1, -1, 3, 4, 4).clone()


@pytest.fixture
def half():
    """A black picture whose right half is missing."""
    holes = torch.zeros(1, 1, 4, 4, dtype=torch.bool)
    holes[..., 2:] = True
    return Target.of(torch.zeros(1, 3, 4, 4), holes)


def test_agreement_adds_the_difference_from_the_guess_in_the_hole(half):
    pictures, guess = candidates(0.1, 0.2), torch.full((1, 3, 4, 4), 0.5)
    guess[..., :2] = 9  # the known half of the guess plays no part
    score = Selection(agreement=0.5).score(pictures, half, half.known, guess)
    torch.testing.assert_close(score, torch.tensor([[0.1 + 0.5 * 0.4, 0.2 + 0.5 * 0.3]]))
    for selection, seen in ((Selection(), guess), (Selection(agreement=0.5), None)):
        torch.testing.assert_close(selection.score(pictures, half, half.known, seen), torch.tensor([[0.1, 0.2]]))


def test_only_the_judging_pixels_score(half):
    pictures = candidates(0.1)
    pictures[..., 0] = 0.7
    judged = torch.zeros_like(half.known)
    judged[..., 0] = 1
    torch.testing.assert_close(Selection().score(pictures, half, judged, None), torch.tensor([[0.7]]))


def test_answers_are_to_differ_in_the_hole_alone(half):
    pictures, scores = candidates(0.0, 0.0, 0.0), torch.tensor([[1.0, 1.05, 1.1]])
    pictures[:, 1, :, :, :2] = 9
    pictures[:, 2, :, :, 2:] = 0.1
    assert Selection(spread=0.2).choose(scores, pictures, half, 2).tolist() == [[0, 2]]
    assert Selection(spread=0.06).choose(scores, pictures, half, 2).tolist() == [[0, 1]]
    assert Selection().choose(scores, pictures, half, 2).tolist() == [[0, 1]]
    assert Selection(spread=0.2).choose(scores, pictures, half, 1).tolist() == [[0]]
    assert Selection(spread=0.2).choose(scores, pictures, half, 3).tolist() == [[0, 1, 2]]  # 2 is chosen before 1
