import pytest
import torch

from ganfill.completion.select import best, hold_out, judge
from ganfill.completion.target import Target


@pytest.fixture
def target():
    generator = torch.Generator().manual_seed(0)
    images = torch.rand(6, 3, 32, 32, generator=generator)
    holes = torch.rand(6, 1, 32, 32, generator=generator) < 0.3
    return Target.of(images, holes)


def test_known_pixels_are_held_out_in_blocks(target):
    held = hold_out(target, 0.25, 0)
    assert held.shape == target.known.shape and not (held * (1 - target.known)).any()
    assert 0.15 < held.sum() / target.known.sum() < 0.35
    blocks = (held + 2 * (1 - target.known)).unfold(2, 4, 4).unfold(3, 4, 4).reshape(-1, 16)
    assert all(not ((block == 0).any() and (block == 1).any()) for block in blocks)


def test_each_picture_has_blocks_of_its_own_whatever_its_mates(target):
    held = hold_out(target, 0.25, 0)
    assert torch.equal(hold_out(target.pick(2, 3), 0.25, 0), held[2:3])
    assert not torch.equal(hold_out(target, 0.25, 1), held)
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
    scores = judge(pictures, image, judged)
    torch.testing.assert_close(scores, torch.tensor([[0.15, 0.1], [0.0, 0.0]]))


def test_best_first_and_ties_as_they_come():
    scores = torch.tensor([[3.0, 1.0, 2.0, 1.0], [0.0, 0.0, 0.0, 0.0]])
    assert best(scores, 3).tolist() == [[1, 3, 2], [0, 1, 2]]
