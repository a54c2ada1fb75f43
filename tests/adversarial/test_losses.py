import math

import pytest
import torch

from ganfill.adversarial.losses import Hinge, LeastSquares, Minimax, NonSaturating, Relativistic, Wasserstein

LOSSES = [Minimax(), NonSaturating(), LeastSquares(), Hinge(), Wasserstein(), Relativistic()]
REAL, FAKE = torch.tensor([2.0, 0.0]), torch.tensor([-1.0, 3.0])
every_loss = pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: type(loss).__name__)


def sigmoid(x):
    return 1 / (1 + math.exp(-x))


def log_sigmoid(x):
    return -math.log1p(math.exp(-x))


def slopes(function, *logits):
    """The value of a loss, and its gradient by each of its tensors (zeros where it does not depend on one)."""
    leaves = [x.clone().requires_grad_() for x in logits]
    value = function(*leaves)
    return value.item(), [g.tolist() for g in torch.autograd.grad(value, leaves, materialize_grads=True)]


CROSS_ENTROPY = -(log_sigmoid(2) + log_sigmoid(0)) / 2 - (log_sigmoid(1) + log_sigmoid(-3)) / 2
CROSS_ENTROPY_BY_REAL, CROSS_ENTROPY_BY_FAKE = [-sigmoid(-2) / 2, -1 / 4], [sigmoid(-1) / 2, sigmoid(3) / 2]


@pytest.mark.parametrize(
    ("loss", "value", "by_real", "by_fake"),
    [
        (Minimax(), CROSS_ENTROPY, CROSS_ENTROPY_BY_REAL, CROSS_ENTROPY_BY_FAKE),
        (NonSaturating(), CROSS_ENTROPY, CROSS_ENTROPY_BY_REAL, CROSS_ENTROPY_BY_FAKE),
        (LeastSquares(), ((1 + 1) / 2 + (1 + 9) / 2) / 2, [0.5, -0.5], [-0.5, 1.5]),
        (Hinge(), (0 + 1) / 2 + (0 + 4) / 2, [0.0, -0.5], [0.0, 0.5]),
        (Wasserstein(), 1 - 1, [-0.5, -0.5], [0.5, 0.5]),
        # The pairs are (2, -1) and (0, 3).
        (
            Relativistic(),
            -(log_sigmoid(3) + log_sigmoid(-3)) / 2,
            [-sigmoid(-3) / 2, -sigmoid(3) / 2],
            [sigmoid(-3) / 2, sigmoid(3) / 2],
        ),
    ],
)
def test_discriminator_closed_forms(loss, value, by_real, by_fake):
    got, gradients = slopes(loss.discriminator, REAL, FAKE)
    assert got == pytest.approx(value)
    assert gradients == [pytest.approx(by_real), pytest.approx(by_fake)]


@pytest.mark.parametrize(
    ("loss", "value", "by_fake"),
    [
        (Minimax(), (log_sigmoid(1) + log_sigmoid(-3)) / 2, [-sigmoid(-1) / 2, -sigmoid(3) / 2]),
        (NonSaturating(), -(log_sigmoid(-1) + log_sigmoid(3)) / 2, [-sigmoid(1) / 2, -sigmoid(-3) / 2]),
        (LeastSquares(), (4 + 4) / 4, [-1.0, 1.0]),
        (Hinge(), -1, [-0.5, -0.5]),
        (Wasserstein(), -1, [-0.5, -0.5]),
        (Relativistic(), -(log_sigmoid(-3) + log_sigmoid(3)) / 2, [-sigmoid(3) / 2, -sigmoid(-3) / 2]),
    ],
)
def test_generator_closed_forms(loss, value, by_fake):
    got, (gradient, by_real) = slopes(loss.generator, FAKE, REAL)
    assert got == pytest.approx(value)
    assert gradient == pytest.approx(by_fake)
    assert any(by_real) == loss.relativistic


@every_loss
def test_sure_logits_give_finite_losses_and_gradients(loss):
    for real in (-100.0, 100.0):
        for fake in (-100.0, 100.0):
            pair = torch.tensor([real]), torch.tensor([fake])
            for value, gradients in (slopes(loss.discriminator, *pair), slopes(loss.generator, *pair[::-1])):
                assert math.isfinite(value)
                assert all(math.isfinite(slope) for gradient in gradients for slope in gradient)


@pytest.mark.parametrize("loss", [NonSaturating(), LeastSquares(), Hinge(), Wasserstein(), Relativistic()])
def test_only_minimax_loses_its_gradient_on_a_sure_fake(loss):
    fake, real = torch.tensor([-100.0]), torch.tensor([100.0])
    assert abs(slopes(Minimax().generator, fake, real)[1][0][0]) < 1e-8
    assert slopes(loss.generator, fake, real)[1][0][0] <= -1


@every_loss
def test_discriminator_wants_real_above_fake_and_generator_wants_fake_up(loss):
    low, high = torch.full((4,), -0.5), torch.full((4,), 0.5)
    assert loss.discriminator(high, low) < loss.discriminator(low, high)
    assert loss.generator(high, low) < loss.generator(low, high)


@every_loss
def test_micro_batches_average_to_the_batch(loss):
    random = torch.Generator().manual_seed(0)
    real, fake = torch.randn(2, 12, generator=random)
    chunks = list(zip(real.split(4), fake.split(4), strict=True))
    of_chunks = torch.stack([loss.discriminator(r, f) for r, f in chunks]).mean()
    assert loss.discriminator(real, fake).item() == pytest.approx(of_chunks.item(), abs=1e-6)
    of_chunks = torch.stack([loss.generator(f, r) for r, f in chunks]).mean()
    assert loss.generator(fake, real).item() == pytest.approx(of_chunks.item(), abs=1e-6)


@pytest.mark.parametrize("loss", [Wasserstein(), Relativistic()])
def test_only_differences_count(loss):
    assert loss.discriminator(REAL + 5, FAKE + 5).item() == pytest.approx(loss.discriminator(REAL, FAKE).item())


@every_loss
def test_no_discriminator_has_less_than_the_ideal_loss_where_fakes_are_distributed_as_reals(loss):
    constant = torch.linspace(-3, 3, 601, dtype=torch.float64)
    lowest = min(loss.discriminator(x[None], x[None]).item() for x in constant)
    assert lowest == pytest.approx(loss.ideal, abs=1e-9)
    torch.manual_seed(0)
    telling_apart = torch.randn(2000, dtype=torch.float64)  # logits of equal distribution, in pairs at random
    assert loss.discriminator(telling_apart, telling_apart[torch.randperm(2000)]) >= loss.ideal - 1e-9
