import math

import pytest
import torch

from ganfill.adversarial.gap_aware import GapAware


@pytest.mark.parametrize(
    ("loss", "factor"),
    [(2.0, 1.0), (1.9, 0.1**0.5), (1.8, 0.1), (0.3, 0.1), (2.1, 2**0.5), (2.2, 2.0), (9.0, 2.0)],
)
def test_the_factor_follows_the_gap_within_its_limits(loss, factor):
    rate = GapAware(2.0)
    rate.average.fill_(loss)
    assert rate.factor() == pytest.approx(factor, rel=1e-5)


def test_the_loss_is_averaged_from_the_ideal_one_on():
    rate = GapAware(math.log(4))
    assert rate.factor() == pytest.approx(1)
    for _ in range(2):
        rate.observe(torch.tensor(0.0))
    assert rate.average.item() == pytest.approx(math.log(4) * 0.95**2, rel=1e-6)
