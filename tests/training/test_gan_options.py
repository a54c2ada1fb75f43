"""What the adversarial step makes of its options."""

import copy
import math

import pytest
import torch
from torch import nn

from ganfill.adversarial.losses import NonSaturating, Wasserstein
from ganfill.adversarial.schedule import Cosine, Linear, Settings
from ganfill.errors import UserError
from ganfill.models.dcgan_plus import Discriminator


class Unnormalized(nn.Module):
    """A generator whose pictures do not depend on one another."""

    resolution, latent_dim = 32, 16

    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(16, 3 * 32 * 32)

    def forward(self, z):
        return self.linear(z).tanh().unflatten(1, (3, 32, 32))


class Penalty(nn.Module):
    """Pulls all logits to zero, and keeps what it was called with."""

    def __init__(self, interval):
        super().__init__()
        self.interval, self.calls = interval, []

    def forward(self, discriminator, real, fake, generator):
        self.calls.append((real.dtype, fake.dtype, torch.is_autocast_enabled("cpu")))
        return discriminator(real).square().mean()


class Darken(nn.Module):
    """An augmentation with a state."""

    def __init__(self):
        super().__init__()
        self.seen, self.observed = [], []

    def forward(self, images, generator, p):
        self.seen.append((images.detach().clone(), p, torch.rand(1, generator=generator).item()))
        return images - p

    def observe(self, real_logits):
        self.observed.append(real_logits.clone())


@pytest.fixture
def plain(make_gan):
    """A GAN in which no picture depends on another."""

    def make(**options):
        gan = make_gan()
        torch.manual_seed(0)
        networks = Unnormalized(), Discriminator(32, 8)
        return type(gan)(
            *networks,
            gan.latent,
            options.pop("loss", None) or NonSaturating(),
            gan.generator_optimizer,
            gan.discriminator_optimizer,
            log_kimg=0.008,
            **options,
        )

    return make


def weights(network):
    return torch.cat([p.detach().flatten() for p in network.parameters()])


@pytest.mark.parametrize("step", ["alternating", "joint"])
@pytest.mark.parametrize("micro_batch", [4, 3])
def test_micro_batches_give_the_step_of_the_whole_batch(plain, steps, micro_batch, step):
    whole, parts = (
        steps(plain(regularizer=Penalty(1), step=step), 1),
        steps(plain(regularizer=Penalty(1), step=step, micro_batch=micro_batch), 1),
    )
    for name in ("loss_d", "loss_g", "logit_real", "logit_fake", "gradient_d", "gradient_g"):
        torch.testing.assert_close(parts.measured[name], whole.measured[name], rtol=1e-4, atol=1e-6, msg=name)
    torch.testing.assert_close(weights(parts.generator), weights(whole.generator), rtol=0, atol=1e-5)
    torch.testing.assert_close(weights(parts.discriminator), weights(whole.discriminator), rtol=0, atol=1e-5)


@pytest.mark.parametrize("step", ["alternating", "joint"])
def test_n_critic_steps_the_discriminator_more_often(plain, steps, step):
    gan = plain(n_critic=3, step=step)
    start, average = weights(gan.generator), weights(gan.generator_ema)
    critic = [weights(gan.discriminator)]
    for _ in range(2):
        steps(gan, 1)
        critic.append(weights(gan.discriminator))
        assert torch.equal(weights(gan.generator), start)
        assert torch.equal(weights(gan.generator_ema), average)
        assert not gan.measured
    steps(gan, 1)
    assert not torch.equal(critic[0], critic[1]) and not torch.equal(critic[1], critic[2])
    assert not torch.equal(weights(gan.generator), start)
    assert not torch.equal(weights(gan.generator_ema), average)
    assert {"loss_d", "loss_g", "gradient_g"} <= gan.measured.keys()


def test_penalty_is_lazy_exact_and_weighted(plain, steps):
    penalty = Penalty(3)
    gan = steps(plain(regularizer=penalty), 7, autocast=True)
    assert penalty.calls == [(torch.float32, torch.float32, False)] * 3  # steps 0, 3 and 6
    assert gan.measured["penalty"] > 0

    def first_gradient(**options):
        gan = plain(**options)
        steps(gan, 1)
        return torch.cat([p.grad.flatten() for p in gan.discriminator.parameters()])

    bare, once, thrice = (first_gradient(**o) for o in ({}, {"regularizer": Penalty(1)}, {"regularizer": Penalty(3)}))
    half = first_gradient(regularizer=Penalty(1), schedule=Linear(1, gamma=(0.5, 0.5)))
    torch.testing.assert_close(thrice - bare, 3 * (once - bare), rtol=1e-3, atol=1e-5)
    torch.testing.assert_close(half - bare, (once - bare) / 2, rtol=1e-3, atol=1e-5)


def test_schedule_sets_what_the_next_step_uses(plain, steps):
    gan = plain(schedule=Linear(0.016, lr=(1.0, 0.5), beta1=(0.0, 0.8), ema=(0.0, 1.0)), ema_rampup=0)
    rates = []
    for _ in range(4):
        steps(gan, 1)
        group = gan.optimizers()[1].param_groups[0]
        rates.append((group["lr"], group["betas"]))
    expected = [(2e-4, 0.0), (1.5e-4, 0.4), (1e-4, 0.8), (1e-4, 0.8)]
    assert [(lr, betas[0]) for lr, betas in rates] == [pytest.approx(pair) for pair in expected]
    assert {betas[1] for _, betas in rates} == {0.999}
    followed = steps(plain(schedule=Linear(1, ema=(0, 1))), 1)
    assert torch.equal(weights(followed.generator_ema), weights(followed.generator))


def test_a_gap_aware_rate_scales_what_the_schedule_sets(plain, steps):
    gan = plain(gap_aware=True, schedule=Linear(1, lr=(0.5, 0.5)))
    discriminator_rates = []
    for loss in (0.95, 1.2, 1.0):
        gan.gap_aware.average.fill_(loss * math.log(4))
        steps(gan, 1)
        discriminator, generator = (optimizer.param_groups[0]["lr"] for optimizer in gan.optimizers())
        assert generator == pytest.approx(1e-4)
        discriminator_rates.append(discriminator)
    assert discriminator_rates == pytest.approx([1e-4 * 0.1**0.5, 2e-4, 1e-4])
    assert gan.gap_aware.average != math.log(4)  # the last step's loss is in it
    assert "gap_aware.average" in gan.state_dict()


def test_a_gap_aware_rate_needs_an_ideal_loss(plain):
    with pytest.raises(
        UserError, match="gap_aware=true needs a loss with an ideal value above 0; Wasserstein has none"
    ):
        plain(gap_aware=True, loss=Wasserstein())


def test_schedules_shapes():
    line, wave = Linear(2, start_kimg=1, lr=(1, 0)), Cosine(2, start_kimg=1, lr=(1, 0))
    assert [line.at(n).lr for n in (0, 1000, 1500, 2000, 3000, 9000)] == [1, 1, 0.75, 0.5, 0, 0]
    assert [wave.at(n).lr for n in (0, 2000, 3000)] == pytest.approx([1, 0.5, 0])
    assert wave.at(1500).lr == pytest.approx(0.5 + 0.5 * 2**-0.5)
    assert line.at(5000).beta1 is None
    with pytest.raises(ValueError, match=r"schedule\.kimg must be above 0, got 0"):
        Linear(0)
    with pytest.raises(ValueError, match=r"lr must be a first and a last value, got \(1,\)"):
        Linear(1, lr=(1,))
    with pytest.raises(ValueError, match=r"schedule\.lr must be two numbers from 0, got \(1, -1\)"):
        Linear(1, lr=(1, -1))
    with pytest.raises(ValueError, match=r"schedule\.beta1 must be below 1, got \(0, 1\)"):
        Linear(1, beta1=(0, 1))


def test_every_picture_that_the_discriminator_sees_is_augmented_anew(plain, steps):
    augment = Darken()
    gan = steps(
        plain(augment=augment, regularizer=Penalty(1), schedule=Linear(1, p=(0.25, 0.25)), ema_half_life_kimg=0), 1
    )
    assert [p for _, p, _ in augment.seen] == [
        0.25
    ] * 4  # real, fake, real again for the penalty, fake for the generator
    assert len({draw for *_, draw in augment.seen}) == 4
    (observed,) = augment.observed
    assert observed.shape == (8,)
    torch.testing.assert_close(observed.mean(), gan.logit_centre)
    again = Darken()
    steps(plain(augment=again, regularizer=Penalty(1), schedule=Linear(1, p=(0.25, 0.25))), 1)
    assert [draw for *_, draw in again.seen] == [draw for *_, draw in augment.seen]


def test_logits_without_a_zero_are_observed_from_the_middle_between_real_and_fake(plain, steps):
    class Differences(NonSaturating):
        boundary = None

        def discriminator(self, real_logits, fake_logits):
            self.gap = (real_logits.mean() - fake_logits.mean()).item()
            return super().discriminator(real_logits, fake_logits)

    loss, augment = Differences(), Darken()
    steps(plain(loss=loss, augment=augment), 1)
    assert augment.observed[0].mean().item() == pytest.approx(loss.gap / 2, rel=1e-3)


def test_a_relativistic_generator_is_compared_with_fresh_logits(plain, steps):
    class Recorder(NonSaturating):
        relativistic = True

        def generator(self, fake_logits, real_logits):
            self.reference = real_logits
            return super().generator(fake_logits, real_logits)

        def discriminator(self, real_logits, fake_logits):
            self.stale = real_logits.detach()
            return super().discriminator(real_logits, fake_logits)

    loss = Recorder()
    gan = plain(loss=loss)
    steps(gan, 1)
    assert not loss.reference.requires_grad
    assert not torch.equal(loss.reference, loss.stale)
    stale = Recorder()
    stale.relativistic = False
    steps(plain(loss=stale), 1)
    assert torch.equal(stale.reference, stale.stale)


def test_state_of_penalty_and_augmentation_is_part_of_the_checkpoint(plain):
    class Stateful(Penalty):
        def __init__(self):
            super().__init__(1)
            self.register_buffer("average", torch.ones(()))

    gan = plain(regularizer=Stateful(), augment=Darken())
    assert "regularizer.average" in gan.state_dict()
    assert copy.deepcopy(gan.state_dict())["penalty"] == 0


@pytest.mark.parametrize("step", ["alternating", "joint"])
def test_compiled_networks_take_the_same_step_and_penalties_never_see_them(plain, steps, step):
    """Without a compiler: what is tested is what goes where."""
    with torch.compiler.set_stance("force_eager"):
        eager, compiled = (steps(plain(compile=c, step=step, regularizer=Penalty(1)), 2) for c in (False, True))
    assert compiled.discriminator._compiled_call_impl is not None
    assert compiled.generator_ema._compiled_call_impl is None
    assert eager.state_dict().keys() == compiled.state_dict().keys()
    assert all(torch.equal(value, compiled.state_dict()[name]) for name, value in eager.state_dict().items())
    penalty = compiled._penalty(Settings(), 0)
    compiled.discriminator._compiled_call_impl = lambda *images: pytest.fail(
        "a penalty must not see a compiled network"
    )
    penalty(*torch.zeros(2, 4, 3, 32, 32))


@pytest.mark.parametrize(("name", "value"), [("n_critic", 0), ("n_critic", 1.5), ("micro_batch", -1)])
def test_counts_below_one_are_refused(plain, name, value):
    with pytest.raises(UserError, match=f"{name} must be at least 1, got {value}"):
        plain(**{name: value})
