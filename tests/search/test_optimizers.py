import pytest
import torch

from ganfill.search.optimizers import Adam


def gradient_of(z, target):
    return torch.sign(z - target) + 3 * (z - target) ** 3


@pytest.mark.parametrize("rate", [0.1, 0.01])
def test_without_schedule_and_noise_it_is_torchs_adam(rate):
    generator = torch.Generator().manual_seed(0)
    start, target = torch.randn(4, 6, generator=generator), torch.randn(4, 6, generator=generator)
    theirs = start.clone().requires_grad_()
    torch_adam = torch.optim.Adam([theirs], lr=rate)
    run = Adam(rate).begin(start, 20)
    for _ in range(20):
        theirs.grad = gradient_of(theirs.detach(), target)
        torch_adam.step()
        run.step(gradient_of(run.point, target))
    torch.testing.assert_close(run.point, theirs.detach())
    assert not torch.equal(run.point, start)


def test_the_start_itself_is_not_moved():
    start = torch.ones(2, 3)
    Adam().begin(start, 5).step(torch.ones(2, 3))
    assert torch.equal(start, torch.ones(2, 3))


def test_keep_goes_on_as_if_the_others_had_never_been():
    generator = torch.Generator().manual_seed(0)
    start, target = torch.randn(4, 6, generator=generator), torch.randn(4, 6, generator=generator)
    rows = torch.tensor([3, 1])
    settings = Adam(0.1, warmup=0.2, decay=0.5)
    all_four, two = settings.begin(start, 10), settings.begin(start[rows], 10)
    for _ in range(4):
        all_four.step(gradient_of(all_four.point, target))
        two.step(gradient_of(two.point, target[rows]))
    all_four.keep(rows)
    for _ in range(6):
        all_four.step(gradient_of(all_four.point, target[rows]))
        two.step(gradient_of(two.point, target[rows]))
    assert torch.equal(all_four.point, two.point)


def test_the_rate_rises_stays_and_falls():
    settings = Adam(0.2, warmup=0.25, decay=0.5)
    rates = [settings.rate_at(t) for t in (0.0, 0.125, 0.25, 0.5, 0.75, 0.999)]
    assert rates == pytest.approx([0, 0.1, 0.2, 0.2, 0.1, 0], abs=1e-4)
    assert Adam(0.2).rate_at(0.0) == Adam(0.2).rate_at(0.99) == 0.2


def test_the_first_step_of_a_warm_up_moves_already():
    run = Adam(0.1, warmup=0.5).begin(torch.zeros(1, 2), 10)
    run.step(torch.ones(1, 2))
    assert (run.point < 0).all()


def test_noise_falls_to_nothing_at_three_quarters():
    settings = Adam(noise=0.05)
    amounts = [settings.noise_at(t) for t in (0.0, 0.3, 0.6, 0.75, 0.9)]
    assert amounts[0] == 0.05 and amounts == sorted(amounts, reverse=True) and amounts[3:] == [0, 0]
    run = settings.begin(torch.zeros(1, 2), 4)
    assert run.noise == 0.05 and Adam().begin(torch.zeros(1, 2), 4).noise == 0
    run.step(torch.zeros(1, 2), torch.full((1, 2), 0.25))
    assert torch.equal(run.point, torch.full((1, 2), 0.25))
