"""The joint step in a training; micro-batches and other options of either step are tested with the GAN's options."""

import pytest
import torch

from ganfill.errors import UserError
from ganfill.models.dcgan_plus import Discriminator


@pytest.fixture
def make_joint(make_gan):
    def make(**options):
        gan = make_gan()
        optimizers = gan.generator_optimizer, gan.discriminator_optimizer
        networks = gan.generator, Discriminator(32, 8)
        return type(gan)(*networks, gan.latent, gan.loss, *optimizers, step="joint", log_kimg=0.008, **options)

    return make


def weights(network):
    return torch.cat([p.detach().flatten() for p in network.parameters()])


def test_a_joint_step_is_that_of_two_backward_passes_with_the_networks_before_it(make_joint, steps, textbook):
    gan = make_joint()
    generator, discriminator, *optimizers, real, fake = textbook(gan)
    steps(gan, 1)
    gan.loss.generator(discriminator(fake)).backward(retain_graph=True)
    discriminator.zero_grad()
    gan.loss.discriminator(discriminator(real), discriminator(fake.detach())).backward()
    for optimizer in optimizers:
        optimizer.step()
    torch.testing.assert_close(weights(gan.generator), weights(generator), rtol=0, atol=1e-6)
    torch.testing.assert_close(weights(gan.discriminator), weights(discriminator), rtol=0, atol=1e-6)
    assert gan.measured.keys() == {*gan.MEASURES}


def test_the_discriminator_takes_its_own_steps_in_between(make_joint, steps):
    gan = make_joint(n_critic=2)
    passes = []
    gan.discriminator.register_forward_hook(lambda *_: passes.append(torch.is_grad_enabled()))
    gan.generator.register_forward_hook(lambda *_: passes.append("G" if torch.is_grad_enabled() else "G constant"))
    steps(gan, 2)
    assert passes == ["G constant", True, True, "G", True, True]


def test_under_autocast_the_losses_are_finite_and_the_weights_move(make_joint, steps):
    gan = make_joint()
    start = weights(gan.generator)
    steps(gan, 2, autocast=True).check_finite(weights=True)
    assert not torch.equal(weights(gan.generator), start)


def test_an_unknown_step_is_refused(make_gan):
    with pytest.raises(UserError, match="step must be alternating or joint, got both"):
        make_gan(step="both")


def test_a_discriminator_with_batch_norm_refuses_the_joint_step(make_gan):
    with pytest.raises(
        UserError, match=r"ganfill\.models\.dcgan\.Discriminator uses statistics.*step=alternating, or a"
    ):
        make_gan(step="joint")
