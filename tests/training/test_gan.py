import copy

import pytest
import torch

from ganfill import seeding
from ganfill.errors import UserError


def test_one_step_equals_the_textbook(make_gan, steps, textbook):
    gan = make_gan()
    generator, discriminator, optimizer, discriminator_optimizer, real, fake = textbook(gan)
    steps(gan, 1)
    gan.loss.discriminator(discriminator(real), discriminator(fake.detach())).backward()
    discriminator_optimizer.step()
    discriminator.zero_grad()
    gan.loss.generator(discriminator(fake), None).backward()
    optimizer.step()
    for ours, theirs in ((gan.generator, generator), (gan.discriminator, discriminator)):
        for name, value in ours.state_dict().items():
            torch.testing.assert_close(value, theirs.state_dict()[name], msg=name)


def test_under_autocast_the_generator_plays_against_the_stepped_discriminator(make_gan, steps, monkeypatch):
    """Autocast caches low-precision weights; a stale copy would give the generator last step's discriminator."""
    gan = make_gan()
    seen = []
    monkeypatch.setattr(
        gan.loss, "generator", lambda fake, real=None: seen.append(fake.detach()) or -fake.mean(), False
    )
    before = copy.deepcopy(gan.discriminator)
    fakes = copy.deepcopy(gan.generator)(gan.latent.sample(8, seeding.generator(0, "z", 0))).detach()
    steps(gan, 1, autocast=True)
    with torch.no_grad():
        stepped, stale = gan.discriminator(fakes), before(fakes)
    assert (seen[0] - stepped).abs().max() < 0.3 * (seen[0] - stale).abs().max()


def test_clock_average_and_logit_centre(make_gan, steps):
    gan = steps(make_gan(ema_half_life_kimg=0.008, ema_rampup=0), 1)
    raw = dict(make_gan().generator.named_parameters())
    for name, average in gan.generator_ema.named_parameters():
        torch.testing.assert_close(average, (raw[name] + dict(gan.generator.named_parameters())[name]) / 2)
    assert gan.images_seen == 8
    assert gan.logit_centre != 0
    assert not any(p.requires_grad for p in gan.generator_ema.parameters())
    for average, buffer in zip(gan.generator_ema.buffers(), gan.generator.buffers(), strict=True):
        assert torch.equal(average, buffer)


def test_samples_depend_on_the_seed_alone_and_leave_the_module_as_it_was(make_gan, steps):
    gan = make_gan()
    state = copy.deepcopy(gan.state_dict())
    first = gan.sample(4, average=False)
    torch.randn(3)
    assert torch.equal(gan.sample(4, average=False), first)
    assert gan.generator.training
    assert all(torch.equal(value, state[name]) for name, value in gan.state_dict().items())


def test_non_finite_loss_is_remembered_until_it_is_asked_for(make_gan, steps):
    class Broken:
        relativistic = False
        boundary = 0.0

        def discriminator(self, real_logits, fake_logits):
            return (real_logits - fake_logits).mean() * float("nan")

        def generator(self, fake_logits, real_logits):
            return fake_logits.mean()

    gan = steps(make_gan(Broken()), 2)
    with pytest.raises(UserError, match=r"0\.016 kimg.*learning rate"):
        gan.check_finite()
    steps(make_gan(), 1).check_finite()
