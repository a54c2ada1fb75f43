import copy
import pickle

import pytest
import torch
from torch import nn

from ganfill.models.dcgan_plus import Discriminator


@pytest.fixture
def spectral():
    torch.manual_seed(0)
    return Discriminator(32, 8, spectral=True)


@pytest.mark.parametrize("spectral", [False, True])
@pytest.mark.parametrize(("resolution", "count"), [(32, 662_977), (64, 2_764_737), (128, 6_959_553), (256, 11_154_369)])
def test_parameter_counts(resolution, count, spectral):
    with torch.device("meta"):
        discriminator = Discriminator(resolution, spectral=spectral)
    assert sum(p.numel() for p in discriminator.parameters()) == count


def test_state_dict_keys_are_frozen(spectral):
    layers = ["stages.0", "stages.2", "stages.4", "to_logit"]
    plain = Discriminator(32, 8)
    assert list(plain.state_dict()) == [f"{layer}.{name}" for layer in layers for name in ("weight", "bias")]
    assert list(spectral.state_dict()) == [f"{layer}.{name}" for layer in layers for name in ("weight", "bias", "u")]


def test_plain_weights_of_a_seed_are_frozen():
    torch.manual_seed(0)
    sums = [p.abs().sum().item() for p in Discriminator(32, 8).parameters() if p.ndim == 4]
    assert sums == pytest.approx([61.895400, 203.030509, 567.145970, 25.124826], rel=1e-5)


def test_initialized_to_keep_the_variance(spectral):
    for discriminator in (Discriminator(32, 8), spectral):
        for layer in discriminator.modules():
            if isinstance(layer, nn.Conv2d):
                wanted = (2 / (1.04 * layer.weight[0].numel())) ** 0.5
                assert layer.weight.std().item() == pytest.approx(wanted, rel=0.15)
                assert layer.bias is not None and not layer.bias.any()


def test_the_kernels_have_norm_1_after_some_steps(spectral):
    optimizer = torch.optim.Adam(spectral.parameters(), lr=1e-3)
    for _ in range(50):
        optimizer.zero_grad()
        spectral(torch.randn(8, 3, 32, 32)).square().sum().backward()
        optimizer.step()
    for layer in [module for module in spectral.eval().modules() if isinstance(module, nn.Conv2d)]:
        # Pictures as large as the kernel, each with a 1 in one place, show the kernel that is used.
        c = layer.in_channels
        impulses = torch.eye(16 * c).view(16 * c, c, 4, 4)
        padding, layer.padding = layer.padding, (0, 0)
        with torch.no_grad():
            kernel = (layer(impulses) - layer(torch.zeros(1, c, 4, 4))).flatten(1)
        layer.padding = padding
        assert torch.linalg.matrix_norm(kernel, 2).item() == pytest.approx(1, abs=0.1)


def test_evaluated_it_is_always_the_same(spectral):
    images, u = torch.randn(2, 3, 32, 32), spectral.to_logit.u.clone()
    spectral.eval()
    assert torch.equal(spectral(images), spectral(images)) and torch.equal(spectral.to_logit.u, u)


@pytest.mark.parametrize("again", [copy.deepcopy, lambda network: pickle.loads(pickle.dumps(network))])
def test_copies_and_pickles(spectral, again):
    images = torch.randn(2, 3, 32, 32)
    spectral(images)
    assert torch.equal(again(spectral).eval()(images), spectral.eval()(images))
