import pytest
import torch
from torch.nn.functional import conv2d, conv_transpose2d, leaky_relu

from ganfill.models.modulated import Convolution, Dense, ModulatedConvolution, Smooth, ToRGB

FILTER = torch.outer(torch.tensor([1.0, 3, 3, 1]), torch.tensor([1.0, 3, 3, 1])) / 64


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(0)


@pytest.mark.parametrize("up", [False, True])
def test_modulation_is_that_of_the_paper(up):
    layer = ModulatedConvolution(5, 7, 3, 4, up)
    with torch.no_grad():
        layer.bias.normal_()
    x, w = torch.randn(3, 5, 6, 6), torch.randn(3, 4)
    found = layer(x, layer.style(w))
    styles = w @ layer.affine.weight.T / 2 + layer.affine.bias  # equalized: 4 values in
    for i in range(3):
        weight = layer.weight / 45**0.5 * styles[i][None, :, None, None]  # equation 1
        weight = weight / (weight.square().sum((1, 2, 3), keepdim=True) + 1e-8).sqrt()  # equation 3
        if up:
            spread = conv_transpose2d(x[i : i + 1], weight.transpose(0, 1), stride=2)
            expected = conv2d(spread, (4 * FILTER).expand(7, 1, 4, 4), padding=1, groups=7)
        else:
            expected = conv2d(x[i : i + 1], weight, padding=1)
        expected = 2**0.5 * leaky_relu(expected + layer.bias[:, None, None], 0.2)
        torch.testing.assert_close(found[i : i + 1], expected, atol=1e-5, rtol=1e-5)


def test_rgb_is_modulated_but_not_normalized():
    layer, x, w = ToRGB(5, 4), torch.randn(3, 5, 6, 6), torch.randn(3, 4)
    styles = w @ layer.affine.weight.T / 2 + 1
    expected = torch.einsum("oi,ni,nihw->nohw", layer.weight[:, :, 0, 0], styles, x) / 5**0.5
    torch.testing.assert_close(layer(x, layer.style(w)), expected)


def test_the_filter_doubles_and_halves_without_a_shift():
    ramp = torch.arange(8.0).expand(1, 2, 8, 8)
    doubled = Smooth(gain=4.0).upsample(ramp)
    assert doubled.shape == (1, 2, 16, 16)
    # Pixels of half the size lie at quarters between those of the whole.
    torch.testing.assert_close(doubled[0, 0, 5, 3:13], torch.arange(1.25, 6, 0.5))
    halved = Smooth()(ramp)[:, :, ::2, ::2]
    assert halved.shape == (1, 2, 4, 4)
    torch.testing.assert_close(halved[0, 0, 1, 1:3], torch.tensor([2.5, 4.5]))
    impulse = torch.zeros(1, 1, 1, 1) + 1
    torch.testing.assert_close(Smooth(padding=3)(impulse)[0, 0], FILTER)


@pytest.mark.parametrize("kernel", [1, 3])
def test_a_convolution_halves_as_in_nvidias_code(kernel):
    layer, x = Convolution(3, 5, kernel, gain=1.0, down=True), torch.randn(2, 3, 8, 8)
    smooth = conv2d(x, FILTER.expand(3, 1, 4, 4), padding=1 + kernel // 2, groups=3)
    expected = conv2d(smooth, layer.weight / (3 * kernel**2) ** 0.5, stride=2)
    assert expected.shape == (2, 5, 4, 4)
    torch.testing.assert_close(layer(x), expected)


def test_equalized_layers_keep_the_variance_at_first():
    """Pre-activations have variance 2 with the gain, of which leaky ReLU keeps (1 + 0.2^2) / 2."""
    x = torch.randn(16, 64, 24, 24)
    convolved = leaky_relu(Convolution(64, 64, 3)(x), 0.2)[:, :, 1:-1, 1:-1]
    layer = ModulatedConvolution(64, 64, 3, 32)
    modulated = layer(x, layer.style(torch.randn(16, 32)))[:, :, 1:-1, 1:-1]
    dense = leaky_relu(Dense(512, 512, gain=2**0.5, rate=0.01)(torch.randn(64, 512)), 0.2)
    for activations in (convolved, modulated, dense):
        assert activations.square().mean().item() == pytest.approx(1.04, abs=0.05)
