import pytest
import torch
from torch import nn

from ganfill.adversarial.losses import NonSaturating, Relativistic
from ganfill.adversarial.step import discriminator_step, generator_step


@pytest.fixture
def networks():
    torch.manual_seed(0)
    generator = nn.Sequential(nn.Linear(5, 3 * 4 * 4), nn.Tanh(), nn.Unflatten(1, (3, 4, 4)))
    discriminator = nn.Sequential(nn.Flatten(), nn.Linear(48, 8), nn.LeakyReLU(), nn.Linear(8, 1), nn.Flatten(0))
    return generator, discriminator


@pytest.fixture
def batch():
    return torch.rand(8, 3, 4, 4) * 2 - 1, torch.randn(8, 5)


def gradients(network):
    return [None if p.grad is None else p.grad.clone() for p in network.parameters()]


def test_each_step_gives_the_gradients_of_its_own_network_alone(networks, batch):
    (generator, discriminator), loss, (real, z) = networks, NonSaturating(), batch
    step = discriminator_step(*networks, loss, real, z)
    expected = loss.discriminator(discriminator(real), discriminator(generator(z).detach()))
    assert gradients(generator) == [None] * 2
    found = gradients(discriminator)
    torch.testing.assert_close(found, list(torch.autograd.grad(expected, list(discriminator.parameters()))))
    torch.testing.assert_close(step.loss, expected.detach())

    value, logits = generator_step(*networks, loss, real, z, step)
    torch.testing.assert_close(gradients(discriminator), found, rtol=0, atol=0)
    expected = loss.generator(discriminator(generator(z)))
    torch.testing.assert_close(gradients(generator), list(torch.autograd.grad(expected, list(generator.parameters()))))
    torch.testing.assert_close(value, expected.detach())
    assert logits.shape == (8,) and not logits.requires_grad


def test_weighted_micro_batches_accumulate_the_gradients_of_the_batch(networks, batch):
    found = []
    for size in (8, 3):
        for network in networks:
            network.zero_grad(set_to_none=True)
        for real, z in zip(*(tensor.split(size) for tensor in batch), strict=True):
            weight = len(z) / 8
            step = discriminator_step(*networks, Relativistic(), real, z, weight=weight, keep_graph=size == 8)
            generator_step(*networks, Relativistic(), real, z, step, weight=weight)
        found.append([gradients(network) for network in networks])
    torch.testing.assert_close(*found)


def test_fakes_are_reused_only_with_their_graph(networks, batch):
    (generator, _), calls = networks, []
    generator.register_forward_hook(lambda *_: calls.append(torch.is_grad_enabled()))
    for keep_graph, expected in ((True, [True]), (False, [False, True])):
        calls.clear()
        step = discriminator_step(*networks, NonSaturating(), *batch, keep_graph=keep_graph)
        generator_step(*networks, NonSaturating(), *batch, step)
        assert calls == expected


def test_a_penalty_is_weighted_and_computed_without_autocast(networks, batch):
    _, discriminator = networks
    seen = []

    def penalty(real, fake):
        seen.append((fake.dtype, fake.requires_grad, torch.is_autocast_enabled("cpu")))
        return discriminator(real).square().mean()

    with torch.autocast("cpu", torch.bfloat16):
        step = discriminator_step(*networks, NonSaturating(), *batch, penalty=penalty, penalty_weight=4)
    assert seen == [(torch.float32, False, False)]
    torch.testing.assert_close(step.penalty, discriminator(batch[0]).square().mean().detach())

    found = []
    for options in ({}, {"penalty": penalty}, {"penalty": penalty, "penalty_weight": 4}):
        discriminator.zero_grad()
        discriminator_step(*networks, NonSaturating(), *batch, **options)
        found.append(torch.cat([gradient.flatten() for gradient in gradients(discriminator)]))
    torch.testing.assert_close(found[2] - found[0], 4 * (found[1] - found[0]))


def test_real_and_fake_pictures_are_augmented_alike(networks, batch):
    seen = []

    def augment(images):
        seen.append(images.requires_grad)
        return images / 2

    step = discriminator_step(*networks, Relativistic(), *batch, augment=augment)
    generator_step(*networks, Relativistic(), *batch, step, augment=augment)
    assert seen == [False, False, True, False]  # real and fake; fake, through which G is trained, and real
