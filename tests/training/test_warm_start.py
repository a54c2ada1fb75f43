import torch
from torch import nn

from ganfill.training.warm_start import warm_start


def network(last):
    return nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3), nn.Linear(3, last))


def test_what_fits_is_taken_over_and_the_rest_is_named(caplog):
    torch.manual_seed(0)
    source, new = network(4), network(5)
    with torch.no_grad():
        source[1].running_mean.fill_(7)
    before = new[2].weight.clone()
    taken, left = warm_start(new, source, "encoder")
    assert left == ["2.weight", "2.bias"] and "0.weight" in taken and "1.running_mean" in taken
    assert torch.equal(new[0].weight, source[0].weight) and (new[1].running_mean == 7).all()
    assert torch.equal(new[2].weight, before)
    assert caplog.messages == ["encoder: 7 of 9 tensors taken over; new: 2.weight, 2.bias"]


def test_the_source_stays_and_shares_nothing():
    source, new = network(4), network(4)
    warm_start(new, source, "encoder")
    with torch.no_grad():
        new[0].weight.add_(1)
    assert not torch.equal(new[0].weight, source[0].weight)
