import inspect
import math
from pathlib import Path

import pytest
import torch
import yaml
from torch import nn
from torch.func import functional_call

from ganfill.adversarial import regularizers
from ganfill.adversarial.regularizers import R1, R1R2, R2, GradientPenalty, LeCam

KINDS = [R1, R2, R1R2, GradientPenalty, LeCam]
every_kind = pytest.mark.parametrize("kind", KINDS)


def chance(seed=0):
    return torch.Generator().manual_seed(seed)


def pictures(n=4, resolution=8, dtype=torch.float32):
    return torch.rand(2, n, 3, resolution, resolution, generator=chance(1), dtype=dtype) * 2 - 1


def conv_discriminator(dtype=torch.float32):
    torch.manual_seed(2)
    layers = nn.Conv2d(3, 4, 3, 2, 1), nn.Tanh(), nn.Conv2d(4, 3, 3, 2, 1), nn.Softplus(), nn.Conv2d(3, 1, 2)
    return nn.Sequential(*layers, nn.Flatten(0)).to(dtype)


class Linear(nn.Module):
    """D(x) = <weight, x>: the gradient is ``weight`` everywhere."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(3, 8, 8, generator=chance(3)))

    def forward(self, images):
        return (self.weight * images).sum((1, 2, 3))


class Quadratic(nn.Module):
    """D(x) = a |x|^2 / 2: the gradient is a x, a picture's own."""

    def __init__(self, a):
        super().__init__()
        self.a = nn.Parameter(torch.tensor(float(a)))

    def forward(self, images):
        return self.a * images.square().sum((1, 2, 3)) / 2


def squared_lengths(images):
    return images.double().square().sum((1, 2, 3))


@pytest.mark.parametrize(("kind", "times"), [(R1, 1), (R2, 1), (R1R2, 2)])
def test_zero_centred_penalties_of_a_linear_discriminator(kind, times):
    linear = Linear()
    penalty = kind(gamma=0.3)(linear, *pictures(), chance())
    assert penalty.shape == ()
    assert penalty.item() == pytest.approx(times * 0.3 / 2 * linear.weight.square().sum().item(), rel=1e-5)
    penalty.backward()
    torch.testing.assert_close(linear.weight.grad, times * 0.3 * linear.weight.detach())


def test_zero_centred_penalties_of_a_quadratic_discriminator_tell_real_from_fake():
    real, fake = pictures()
    fake = fake / 3
    on_real, on_fake = squared_lengths(real).mean().item(), squared_lengths(fake).mean().item()
    for kind, length in ((R1, on_real), (R2, on_fake), (R1R2, on_real + on_fake)):
        quadratic = Quadratic(0.7)
        penalty = kind(gamma=2.0)(quadratic, real, fake, chance())
        penalty.backward()
        assert penalty.item() == pytest.approx(0.7**2 * length, rel=1e-5)
        assert quadratic.a.grad.item() == pytest.approx(2 * 0.7 * length, rel=1e-5)


def test_gradient_penalty_of_a_linear_discriminator():
    linear = Linear()
    length = linear.weight.detach().norm()
    penalty = GradientPenalty(gamma=3.0)(linear, *pictures(), chance())
    penalty.backward()
    assert penalty.item() == pytest.approx(3 * (length.item() - 1) ** 2, rel=1e-5)
    torch.testing.assert_close(linear.weight.grad, 6 * (length - 1) * linear.weight.detach() / length)


def test_gradient_penalty_is_taken_at_one_random_point_between_each_pair():
    real, fake = pictures()
    seen = []

    def spying(images):
        seen.append(images.detach())
        return Quadratic(0.7)(images)

    penalty = GradientPenalty()(spying, real, fake, chance(5))
    alpha = torch.rand(4, 1, 1, 1, generator=chance(5))
    assert alpha.unique().numel() == 4
    torch.testing.assert_close(seen[0], alpha * real + (1 - alpha) * fake)
    lengths = 0.7 * squared_lengths(seen[0]).sqrt()
    assert penalty.item() == pytest.approx(10 * (lengths - 1).square().mean().item(), rel=1e-5)


def test_gradient_penalty_is_finite_where_the_discriminator_is_flat():
    quadratic = Quadratic(0)
    penalty = GradientPenalty()(quadratic, *pictures(), chance())
    penalty.backward()
    assert penalty.item() == 10
    assert quadratic.a.grad.isfinite()


def test_lecam_ties_each_kind_to_the_average_of_the_other():
    real, fake = pictures()
    fake = fake / 3
    quadratic, lecam = Quadratic(1.0), LeCam(gamma=0.5)
    halves = squared_lengths(real) / 2, squared_lengths(fake) / 2
    # The first application takes the means as they are; the second weighs old to new as 0.99 to 1.
    for a, old_weight in ((1.0, 0.0), (0.5, 0.99 / 1.99)):
        old = lecam.real_average.clone(), lecam.fake_average.clone()
        quadratic.a.data.fill_(a)
        quadratic.a.grad = None
        penalty = lecam(quadratic, real, fake, chance())
        penalty.backward()
        averages = [old_weight * o + (1 - old_weight) * a * half.mean() for o, half in zip(old, halves, strict=True)]
        to_fake, to_real = a * halves[0] - averages[1], a * halves[1] - averages[0]
        assert lecam.real_average.item() == pytest.approx(averages[0].item(), rel=1e-5)
        assert lecam.fake_average.item() == pytest.approx(averages[1].item(), rel=1e-5)
        assert penalty.item() == pytest.approx(0.5 * (to_fake.square() + to_real.square()).mean().item(), rel=1e-4)
        slope = (to_fake * halves[0] + to_real * halves[1]).mean().item()
        assert quadratic.a.grad.item() == pytest.approx(slope, rel=1e-4)


def test_lecam_forgets_one_hundredth_at_each_application_in_the_end():
    lecam, images = LeCam(), torch.ones(1, 3, 1, 1)
    for _ in range(2000):
        lecam(lambda images: images[:, 0, 0, 0], images, -images, chance())
    assert lecam.real_average.item() == pytest.approx(1, abs=1e-4)
    assert lecam.fake_average.item() == pytest.approx(-1, abs=1e-4)
    lecam(lambda images: images[:, 0, 0, 0], 2 * images, -images, chance())
    assert lecam.real_average.item() == pytest.approx(1.01, abs=1e-4)


def test_lecam_goes_on_from_its_saved_averages():
    lecam, resumed = LeCam(), LeCam()
    discriminator = conv_discriminator()
    for seed in range(3):
        lecam(discriminator, *torch.randn(2, 4, 3, 8, 8, generator=chance(seed)), chance())
    resumed.load_state_dict(lecam.state_dict())
    penalties = [kind(discriminator, *pictures(), chance()) for kind in (lecam, resumed)]
    assert torch.equal(*penalties)
    assert resumed.applications == 4


def test_lecam_holds_a_discriminator_that_is_always_right_where_its_docstring_says():
    for gamma, logit in ((0.01, 2.3), (0.3, 0.35)):
        assert 1 / (1 + math.exp(logit)) == pytest.approx(2 * gamma * 2 * logit, rel=0.02)


@pytest.mark.parametrize("kind", [R1, R2, R1R2, GradientPenalty])
def test_gradients_by_the_parameters_agree_with_finite_differences(kind):
    discriminator = conv_discriminator(torch.float64)
    real, fake = pictures(2, dtype=torch.float64)
    names = [name for name, _ in discriminator.named_parameters()]

    def penalty(*parameters):
        values = dict(zip(names, parameters, strict=True))
        return kind(gamma=1.0)(lambda x: functional_call(discriminator, values, (x,)), real, fake, chance())

    assert torch.autograd.gradcheck(penalty, tuple(discriminator.parameters()))


@every_kind
def test_pictures_stay_as_they_are(kind):
    real, fake = pictures()
    before = real.clone(), fake.clone()
    kind()(conv_discriminator(), real, fake, chance()).backward()
    for images, copy in zip((real, fake), before, strict=True):
        assert torch.equal(images, copy)
        assert images.grad is None and not images.requires_grad


@every_kind
def test_chance_comes_from_the_generator_alone(kind):
    discriminator = conv_discriminator()
    state = torch.random.get_rng_state()
    first, again, other = (kind()(discriminator, *pictures(), chance(seed)) for seed in (7, 7, 8))
    assert torch.equal(torch.random.get_rng_state(), state)
    assert torch.equal(first, again)
    assert torch.equal(first, other) == (kind is not GradientPenalty)


@every_kind
def test_a_discriminator_without_batch_norm_gets_gradients(kind):
    discriminator = conv_discriminator().to(memory_format=torch.channels_last)
    real, fake = (images.to(memory_format=torch.channels_last) for images in pictures())
    kind()(discriminator, real, fake, chance()).backward()
    weights = [p.grad for name, p in discriminator.named_parameters() if name.endswith("weight")]
    assert all(grad.isfinite().all() and grad.any() for grad in weights)


@pytest.mark.parametrize("kind", [R1, R2, R1R2])
def test_micro_batches_average_to_the_batch(kind):
    discriminator, regularizer = conv_discriminator(), kind()
    real, fake = pictures(8)
    chunks = [regularizer(discriminator, real[i : i + 4], fake[i : i + 4], chance()) for i in (0, 4)]
    whole = regularizer(discriminator, real, fake, chance())
    assert whole.item() == pytest.approx(torch.stack(chunks).mean().item(), rel=1e-5)


@every_kind
def test_within_autocast_a_penalty_with_autocast_off_is_exact(kind):
    discriminator, (real, fake) = conv_discriminator(), pictures()
    exact = kind(gamma=1.0)(discriminator, real, fake, chance())
    with torch.autocast("cpu", torch.bfloat16):
        discriminator(real)  # leaves low-precision copies of the weights in autocast's cache
        rounded = kind(gamma=1.0)(discriminator, real, fake, chance())
        with torch.autocast("cpu", enabled=False):
            inner = kind(gamma=1.0)(discriminator, real, fake, chance())
    assert inner.dtype == torch.float32
    assert torch.equal(inner, exact)
    assert not torch.equal(rounded.float(), exact)


@every_kind
@pytest.mark.parametrize("wrong", [{"gamma": -1.0}, {"gamma": math.nan}, {"interval": 0}, {"interval": 1.5}])
def test_senseless_settings_are_refused_by_name(kind, wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        kind(**wrong)


def test_each_has_an_option_with_its_own_defaults():
    folder = Path(__file__).parents[2] / "conf/regularizer"
    options = {path.stem: yaml.safe_load(path.read_text()) for path in folder.glob("*.yaml")}
    assert options.pop("none") is None
    kinds = {getattr(regularizers, option.pop("_target_").rsplit(".", 1)[1]): option for option in options.values()}
    assert set(kinds) == set(KINDS)
    for kind, arguments in kinds.items():
        defaults = {name: value.default for name, value in inspect.signature(kind).parameters.items()}
        assert arguments == defaults
