import pytest
import torch
from torch import nn

from ganfill.adversarial import ema


def test_an_old_weight_counts_half_after_one_half_life():
    weight = 1.0
    for step in range(100):
        weight *= ema.decay(100, 10, step * 100)
    assert weight == pytest.approx(0.5)


def test_ramp_up_limits_the_half_life_to_a_share_of_the_images_seen():
    assert ema.decay(64, 10, 0, rampup=0.05) == 0
    assert ema.decay(64, 10, 20_000, rampup=0.05) == pytest.approx(0.5 ** (64 / 1000))
    assert ema.decay(64, 10, 10**6, rampup=0.05) == ema.decay(64, 10, 10**6)


def test_parameters_move_and_buffers_are_copied():
    average, module = nn.BatchNorm2d(2), nn.BatchNorm2d(2)
    nn.init.constant_(average.weight, 1.0)
    nn.init.constant_(module.weight, 3.0)
    module.running_mean.fill_(5.0)
    module.num_batches_tracked.fill_(7)
    ema.update(average, module, 0.75)
    assert average.weight.tolist() == pytest.approx([1.5, 1.5])
    assert average.running_mean.tolist() == [5.0, 5.0]
    assert average.num_batches_tracked == 7
    assert module.weight.tolist() == [3.0, 3.0]
    assert torch.is_tensor(average.weight) and not average.weight.grad
