"""The joint step against two backward passes through the same networks."""

import copy

import pytest
import torch
from torch import nn

from ganfill.adversarial.losses import Hinge, LeastSquares, Minimax, NonSaturating, Relativistic, Wasserstein
from ganfill.adversarial.step import joint_step
from ganfill.models import dcgan, dcgan_plus, r3gan, resnet, stylegan2

LOSSES = [NonSaturating, Minimax, LeastSquares, Hinge, Wasserstein, Relativistic]
DISCRIMINATORS = {
    "dcgan_plus": lambda: dcgan_plus.Discriminator(32, 8),
    "spectral": lambda: dcgan_plus.Discriminator(32, 8, spectral=True),
    "resnet": lambda: resnet.Discriminator(32, 64),
    "r3gan": lambda: r3gan.Discriminator(32, 16, blocks=1),
    "stylegan2": lambda: stylegan2.Discriminator(32, 16, 256),
}


@pytest.fixture
def generator():
    torch.manual_seed(0)
    return dcgan.Generator(32, 16, 8).double()


@pytest.fixture
def batch():
    rng = torch.Generator().manual_seed(1)
    real = torch.rand(6, 3, 32, 32, generator=rng, dtype=torch.float64) * 2 - 1
    return real, torch.randn(6, 16, generator=rng, dtype=torch.float64)


def gradients(network):
    return [p.grad.clone() for p in network.parameters() if p.grad is not None]


def two_passes(generator, discriminator, loss, real, z):
    """Gradients of both networks by two backward passes, with the networks as they are."""
    fake = generator(z)
    real_logits, fake_logits = discriminator(real), discriminator(fake)
    losses = loss.discriminator(real_logits, fake_logits), loss.generator(fake_logits, real_logits.detach())
    parameters = [list(network.parameters()) for network in (discriminator, generator)]
    found = [
        list(torch.autograd.grad(value, part, retain_graph=True))
        for value, part in zip(losses, parameters, strict=True)
    ]
    return losses[0].detach(), losses[1].detach(), *found


def assert_same(found, expected, rtol=1e-6):
    """Compares gradients by the norm of their difference: single elements may cancel to almost nothing."""
    for one, other in zip(found, expected, strict=True):
        assert (one - other).norm() <= rtol * other.norm() + 1e-14


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("name", DISCRIMINATORS)
def test_gradients_are_those_of_two_backward_passes(generator, batch, name, loss):
    discriminator = DISCRIMINATORS[name]().double()
    networks = copy.deepcopy((generator, discriminator))
    value, value_g, of_discriminator, of_generator = two_passes(*networks, loss(), *batch)
    step, generator_loss = joint_step(generator, discriminator, loss(), *batch)
    torch.testing.assert_close((step.loss, generator_loss), (value, value_g), check_dtype=False)
    assert_same(gradients(discriminator), of_discriminator)
    assert_same(gradients(generator), of_generator)


class Scaled(dcgan_plus.Discriminator):
    """Logits are scaled and shifted, to reach the flat parts of a loss."""

    scale, shift = 1.0, 0.0

    def forward(self, images):
        return super().forward(images) * self.scale + self.shift


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("shift", [-200.0, -30.0, 0.0, 30.0])
@pytest.mark.parametrize("loss", LOSSES)
def test_slopes_of_zero_and_vanishing_slopes_lose_no_gradient(generator, batch, loss, shift, dtype):
    """At -200 exp(s) is 0 in float32, and beyond its margin the hinge loss is flat."""
    discriminator = Scaled(32, 8).to(dtype)
    discriminator.shift = shift
    generator, batch = generator.to(dtype), [tensor.to(dtype) for tensor in batch]
    _, _, of_discriminator, of_generator = two_passes(
        *(network.double() for network in copy.deepcopy((generator, discriminator))),
        loss(),
        *(t.double() for t in batch),
    )
    joint_step(generator, discriminator, loss(), *batch)
    rtol = 1e-8 if dtype == torch.float64 else 1e-4
    assert_same(gradients(generator), of_generator, rtol)
    for one, other in zip(gradients(discriminator), of_discriminator, strict=True):
        assert (one - other).norm() <= rtol * other.norm() + 1e-9  # where all slopes are 0


def test_logits_on_both_sides_of_the_margin(generator, batch):
    discriminator = Scaled(32, 8).double()
    with torch.no_grad():
        logits = discriminator(generator(batch[1]))
    discriminator.scale = 10 / logits.std().item()
    discriminator.shift = -1 - discriminator.scale * logits.mean().item()
    _, _, of_discriminator, of_generator = two_passes(*copy.deepcopy((generator, discriminator)), Hinge(), *batch)
    step, _ = joint_step(generator, discriminator, Hinge(), *batch)
    assert 0 < (step.fake_logits < -1).sum() < 6
    assert_same(gradients(discriminator), of_discriminator, 1e-9)
    assert_same(gradients(generator), of_generator, 1e-9)


def test_weighted_micro_batches_accumulate_the_gradients_of_the_batch(batch):
    torch.manual_seed(0)
    generator = nn.Sequential(nn.Linear(16, 3072), nn.Unflatten(1, (3, 32, 32)))  # without batch norm
    networks = generator.double(), dcgan_plus.Discriminator(32, 8).double()
    found = []
    for size in (6, 4):
        for network in networks:
            network.zero_grad()
        for real, z in zip(*(tensor.split(size) for tensor in batch), strict=True):
            joint_step(*networks, Relativistic(), real, z, weight=len(z) / 6)
        found.append([gradients(network) for network in networks])
    torch.testing.assert_close(*found)


def test_one_pass_each_and_one_backward(generator, batch):
    discriminator, calls = dcgan_plus.Discriminator(32, 8).double(), []
    discriminator.register_forward_hook(lambda *_: calls.append("D"))
    generator.register_forward_hook(lambda *_: calls.append("G"))
    step, _ = joint_step(
        generator,
        discriminator,
        Relativistic(),
        *batch,
        backward=lambda total: calls.append("back") or total.backward(),
    )
    assert calls == ["G", "D", "D", "back"]
    assert not step.fake.requires_grad and not step.fake_logits.requires_grad


def test_a_penalty_reaches_the_discriminator_alone(generator, batch):
    discriminator, seen = dcgan_plus.Discriminator(32, 8).double(), []

    def penalty(real, fake):
        seen.append((fake.requires_grad, torch.is_autocast_enabled("cpu")))
        return discriminator(real).square().mean()

    found = []
    for options in ({}, {"penalty": penalty}, {"penalty": penalty, "penalty_weight": 4}):
        for network in (generator, discriminator):
            network.zero_grad()
        step, _ = joint_step(generator, discriminator, NonSaturating(), *batch, **options)
        found.append([torch.cat([g.flatten() for g in gradients(n)]) for n in (generator, discriminator)])
    torch.testing.assert_close(found[2][0], found[0][0], rtol=0, atol=0)
    torch.testing.assert_close(found[2][1] - found[0][1], 4 * (found[1][1] - found[0][1]))
    assert seen == [(False, False)] * 2
    assert not step.penalty.requires_grad


def test_bfloat16_agrees_with_float32(batch):
    torch.manual_seed(0)
    networks = dcgan.Generator(32, 16, 8), dcgan_plus.Discriminator(32, 8)
    others, (real, z) = copy.deepcopy(networks), [tensor.float() for tensor in batch]
    joint_step(*networks, Hinge(), real, z)
    with torch.autocast("cpu", torch.bfloat16):
        joint_step(*others, Hinge(), real, z)
    for one, other in zip(networks, others, strict=True):
        exact, rough = (torch.cat([g.flatten() for g in gradients(network)]) for network in (one, other))
        assert torch.cosine_similarity(exact, rough, dim=0) > 0.98
