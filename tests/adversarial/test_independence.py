import copy

import pytest
import torch
from torch import nn

from ganfill.adversarial.independence import depends_on_batch
from ganfill.models import dcgan, dcgan_plus, r3gan, resnet, stylegan2


class Dropped(nn.Sequential):
    """A discriminator with dropout, which draws for each picture."""

    def __init__(self):
        super().__init__(nn.Flatten(), nn.Dropout(), nn.Linear(3072, 1), nn.Flatten(0))


class Hidden(nn.Sequential):
    """Batch norm before a layer that starts at 0."""

    def __init__(self):
        super().__init__(nn.BatchNorm2d(3), nn.Flatten(), nn.Linear(3072, 1), nn.Flatten(0))
        nn.init.zeros_(self[2].weight)


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (lambda: dcgan.Discriminator(32, 8), True),
        (lambda: stylegan2.Discriminator(32, 16, 256, group=4), True),
        (Hidden, True),
        (lambda: dcgan_plus.Discriminator(32, 8), False),
        (lambda: dcgan_plus.Discriminator(32, 8, spectral=True), False),
        (lambda: resnet.Discriminator(32, 64), False),
        (lambda: r3gan.Discriminator(32, 16, blocks=1), False),
        (lambda: stylegan2.Discriminator(32, 16, 256), False),
        (Dropped, False),
    ],
)
def test_statistics_of_the_batch_are_seen(make, expected):
    discriminator = make()
    state, random = copy.deepcopy(discriminator.state_dict()), torch.get_rng_state()
    assert depends_on_batch(discriminator, 32) is expected
    assert all(torch.equal(value, state[name]) for name, value in discriminator.state_dict().items())
    assert torch.equal(torch.get_rng_state(), random)
