from itertools import pairwise

import pytest
import torch

from ganfill.search.optimizers import minimise


def quadratics(n, d, condition=30.0, seed=0):
    """Losses (x - m)' H (x - m) / 2 of n items, as a function of points, with their minima m (n, d)."""
    generator = torch.Generator().manual_seed(seed)
    axes = torch.linalg.qr(torch.randn(n, d, d, generator=generator))[0]
    hessian = axes @ torch.diag(torch.logspace(0, torch.tensor(condition).log10(), d)) @ axes.mT
    minima = torch.randn(n, d, generator=generator)

    def evaluate(x, rows=slice(None)):
        gradient = torch.einsum("nij,nj->ni", hessian[rows], x - minima[rows])
        return 0.5 * ((x - minima[rows]) * gradient).sum(1), gradient

    return evaluate, minima


@pytest.mark.parametrize(("d", "steps"), [(1, 8), (3, 25), (10, 60)])
def test_the_minimum_of_a_quadratic_in_few_evaluations(d, steps):
    evaluate, minima = quadratics(6, d)
    found = minimise(evaluate, torch.zeros(6, d), steps)
    assert (evaluate(found)[0] < 1e-4 * evaluate(torch.zeros(6, d))[0]).all()
    torch.testing.assert_close(found, minima, atol=0.03, rtol=0)


def test_items_know_nothing_of_their_mates():
    evaluate, _ = quadratics(6, 5)
    start = torch.randn(6, 5, generator=torch.Generator().manual_seed(1))
    together = minimise(evaluate, start, 15)
    turned = minimise(lambda x: tuple(y.flip(0) for y in evaluate(x.flip(0))), start.flip(0), 15)
    assert torch.equal(turned.flip(0), together)
    for i in (0, 4):
        alone = minimise(lambda x, i=i: evaluate(x, slice(i, i + 1)), start[i : i + 1], 15)
        torch.testing.assert_close(alone, together[i : i + 1], atol=1e-4, rtol=1e-4)


def rosenbrock(x):
    free = x.detach().requires_grad_()
    loss = (1 - free[:, 0]).square() + 100 * (free[:, 1] - free[:, 0].square()).square()
    return loss.detach(), torch.autograd.grad(loss.sum(), free)[0]


def test_no_item_is_ever_left_with_a_larger_loss():
    start = torch.randn(20, 2, generator=torch.Generator().manual_seed(0))
    losses = [rosenbrock(minimise(rosenbrock, start, steps))[0] for steps in range(12)]
    torch.testing.assert_close(losses[0], rosenbrock(start)[0])
    assert all((after <= before).all() for before, after in pairwise(losses))
    assert (losses[-1] < losses[0]).all()


def test_a_curved_valley_is_followed_to_its_end():
    found = minimise(rosenbrock, torch.tensor([[-1.2, 1.0]]), 120)
    torch.testing.assert_close(found, torch.ones(1, 2), atol=0.01, rtol=0)


def test_every_step_is_one_evaluation():
    calls = []
    evaluate, _ = quadratics(2, 3)
    minimise(lambda x: calls.append(1) or evaluate(x), torch.zeros(2, 3), 7)
    assert len(calls) == 8


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_trial_that_is_no_number_is_refused_and_a_shorter_one_taken(value):
    def evaluate(x):
        """A parabola whose minimum lies beside an abyss."""
        loss, gradient = (x - 0.05).square().sum(1), 2 * (x - 0.05)
        beyond = (x > 0.06).any(1)
        return loss.masked_fill(beyond, value), gradient.masked_fill(beyond[:, None], value)

    found = minimise(evaluate, torch.tensor([[0.0], [0.04]]), 20, first_step=0.1)
    torch.testing.assert_close(found, torch.full((2, 1), 0.05), atol=1e-3, rtol=0)


def test_an_item_that_cannot_move_does_not_disturb_the_others():
    evaluate, _ = quadratics(3, 4)
    alone = minimise(evaluate, torch.zeros(3, 4), 10)

    def broken(x):
        loss, gradient = evaluate(x)
        bad = torch.tensor([False, True, False]) & (x != 0).any(1)
        return loss.masked_fill(bad, float("nan")), gradient.masked_fill(bad[:, None], float("nan"))

    found = minimise(broken, torch.zeros(3, 4), 10)
    assert torch.equal(found[[0, 2]], alone[[0, 2]]) and not found[1].any()


def test_sums_of_absolute_values_fall():
    generator = torch.Generator().manual_seed(0)
    matrix, wanted = torch.randn(4, 20, 5, generator=generator), torch.randn(4, 5, generator=generator)

    def evaluate(x):
        free = x.detach().requires_grad_()
        loss = torch.einsum("npd,nd->np", matrix, free - wanted).abs().sum(1)
        return loss.detach(), torch.autograd.grad(loss.sum(), free)[0]

    losses = [evaluate(minimise(evaluate, torch.zeros(4, 5), steps))[0] for steps in (0, 10, 40)]
    assert (losses[1] < 0.5 * losses[0]).all() and (losses[2] < 0.1 * losses[0]).all()


def test_projected_points_stay_where_they_are_allowed():
    evaluate, _ = quadratics(5, 3)
    found = minimise(evaluate, torch.zeros(5, 3), 20, project=lambda x: x.clamp(-0.3, 0.3))
    assert found.abs().max() <= 0.3
    assert (evaluate(found)[0] < evaluate(torch.zeros(5, 3))[0]).all()


def test_a_minimum_is_not_left():
    evaluate, minima = quadratics(3, 4)
    assert torch.equal(minimise(evaluate, minima, 5), minima)
