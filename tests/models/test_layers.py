import copy
import pickle

import pytest
import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812 (its usual name)

from ganfill.models.layers import Resample, SpectralConv2d, SpectralDownConv2d, SpectralLogit, UpConv2d, widen, widening


def largest_singular_value(layer):
    return torch.linalg.matrix_norm(layer.weight.detach().flatten(1), 2)


@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_an_enlarging_convolution_is_repetition_and_a_convolution(memory_format):
    torch.manual_seed(0)
    layer = UpConv2d(5, 7).to(memory_format=memory_format)
    features = torch.randn(2, 5, 4, 6).to(memory_format=memory_format)
    plain = layer.weight.transpose(0, 1).flip(2, 3)
    wanted = F.conv2d(F.interpolate(features, scale_factor=2), plain, layer.bias, padding=1)
    torch.testing.assert_close(layer(features), wanted)


@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_a_halving_convolution_is_a_convolution_and_an_average(memory_format):
    torch.manual_seed(0)
    layer = SpectralDownConv2d(5, 7).eval().to(memory_format=memory_format)
    plain = SpectralConv2d(5, 7, 3, padding=1).eval()
    plain.load_state_dict(layer.state_dict())  # the widened kernel is no state
    features = torch.randn(2, 5, 6, 8)
    wanted = F.avg_pool2d(plain(features), 2)
    torch.testing.assert_close(layer(features.to(memory_format=memory_format)), wanted)


def test_widened_kernels_sum_to_as_much():
    kernel = torch.arange(18.0).view(1, 2, 3, 3)
    wide = widen(kernel, widening(1.0))
    torch.testing.assert_close(wide.sum((2, 3)), kernel.sum((2, 3)))
    torch.testing.assert_close(wide[0, 0, 0], torch.tensor([0.0, 0.25, 0.75, 0.5]))


@pytest.mark.parametrize("layer", [SpectralConv2d(4, 6, 3, padding=1), SpectralDownConv2d(4, 6)])
def test_power_iteration_comes_to_the_largest_singular_value(layer):
    torch.manual_seed(0)
    nn.init.normal_(layer.weight)
    layer.train().to(memory_format=torch.channels_last)
    features = torch.zeros(1, 4, 4, 4)
    for _ in range(200):
        layer(features)
    scaled = copy.deepcopy(layer).eval()
    nn.init.zeros_(scaled.bias)
    impulse = torch.randn(1, 4, 4, 4)
    response = scaled(impulse)
    with torch.no_grad():
        scaled.weight.div_(largest_singular_value(layer))
    torch.testing.assert_close(scaled(impulse), response)  # what has norm 1 already stays as it is
    assert scaled.u.norm() == pytest.approx(1)


def test_evaluated_it_is_always_the_same_and_trained_one_step_a_pass():
    torch.manual_seed(0)
    layer, features = SpectralConv2d(4, 6, 3).eval(), torch.randn(1, 4, 4, 4)
    u = layer.u.clone()
    assert torch.equal(layer(features), layer(features)) and torch.equal(layer.u, u)
    first = layer.train()(features)
    assert not torch.equal(layer.u, u)
    assert not torch.equal(layer(features), first)


def test_two_passes_before_a_backward_pass():
    torch.manual_seed(0)
    layer, features = SpectralConv2d(4, 6, 3), torch.randn(2, 1, 4, 4, 4)
    (layer(features[0]).sum() - layer(features[1]).square().sum()).backward()
    assert layer.weight.grad is not None and layer.weight.grad.isfinite().all() and layer.weight.grad.any()


def test_gradients_and_their_gradients_against_finite_differences():
    torch.manual_seed(0)
    layer = SpectralDownConv2d(2, 3).double().eval()
    for _ in range(100):  # where power iteration has come to rest, its vectors take no part in the gradient
        layer.train()(torch.zeros(1, 2, 4, 4, dtype=torch.float64))
    layer.eval()
    features = torch.randn(1, 2, 4, 4, dtype=torch.float64, requires_grad=True)

    def run(features, weight):
        return torch.func.functional_call(layer, {"weight": weight}, (features,))

    weight = layer.weight.detach().requires_grad_()
    assert torch.autograd.gradcheck(run, (features, weight))
    assert torch.autograd.gradgradcheck(lambda x: run(x, weight), (features,))


def test_copies_and_pickles():
    layer = SpectralConv2d(4, 6, 3)
    for other in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        assert list(other.state_dict()) == ["weight", "bias", "u"]
        assert all(torch.equal(a, b) for a, b in zip(layer.state_dict().values(), other.state_dict().values()))  # noqa: B905


def test_a_spectral_logit_sees_a_direction_and_stays_float32():
    layer = SpectralLogit(8).eval()
    features = torch.randn(3, 8)
    wanted = features @ F.normalize(layer.weight.detach()[0], dim=0) + layer.bias
    torch.testing.assert_close(layer(features), wanted)
    with torch.autocast("cpu", torch.bfloat16):
        assert layer(features).dtype == torch.float32


def depthwise(features, up):
    line = torch.tensor([1.0, 3, 3, 1]) / 8
    kernel = (line[:, None] * line).expand(features.shape[1], 1, 4, 4)
    if up:
        return F.conv_transpose2d(features, 4 * kernel, stride=2, padding=1, groups=features.shape[1])
    return F.conv2d(features, kernel, stride=2, padding=1, groups=features.shape[1])


@pytest.mark.parametrize("up", [False, True])
@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_resampling_is_the_filter_1_3_3_1(up, memory_format):
    torch.manual_seed(0)
    features = torch.randn(2, 5, 8, 8).to(memory_format=memory_format)
    made = Resample(8, up)(features)
    assert made.is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(made, depthwise(features, up))


def test_doubling_is_bilinear_away_from_the_border():
    features = torch.randn(1, 2, 8, 8)
    wanted = F.interpolate(features, scale_factor=2, mode="bilinear")
    torch.testing.assert_close(Resample(8, up=True)(features)[..., 1:-1, 1:-1], wanted[..., 1:-1, 1:-1])
