import math

import pytest
import torch

from ganfill.adversarial.losses import Minimax, NonSaturating

REAL, FAKE = torch.tensor([2.0, 0.0]), torch.tensor([-1.0, 3.0])


def log_sigmoid(x):
    return -math.log1p(math.exp(-x))


@pytest.mark.parametrize("loss", [Minimax(), NonSaturating()])
def test_discriminator_minimises_binary_cross_entropy(loss):
    expected = -(log_sigmoid(2) + log_sigmoid(0)) / 2 - (log_sigmoid(1) + log_sigmoid(-3)) / 2
    assert loss.discriminator(REAL, FAKE).item() == pytest.approx(expected)


def test_generator_closed_forms():
    assert Minimax().generator(FAKE, REAL).item() == pytest.approx((log_sigmoid(1) + log_sigmoid(-3)) / 2)
    assert NonSaturating().generator(FAKE, REAL).item() == pytest.approx(-(log_sigmoid(-1) + log_sigmoid(3)) / 2)


@pytest.mark.parametrize("loss", [Minimax(), NonSaturating()])
def test_no_overflow_at_sure_logits(loss):
    sure = torch.tensor([-300.0, 300.0], requires_grad=True)
    total = loss.generator(sure, sure) + loss.discriminator(sure, sure)
    total.backward()
    assert total.isfinite() and sure.grad.isfinite().all()


def test_only_minimax_loses_its_gradient_on_a_sure_fake():
    slopes = []
    for loss in (Minimax(), NonSaturating()):
        logit = torch.tensor([-20.0], requires_grad=True)
        loss.generator(logit).backward()
        slopes.append(abs(logit.grad.item()))
    assert slopes[0] < 1e-8
    assert slopes[1] == pytest.approx(1)
