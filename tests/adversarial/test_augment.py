"""What every augmentation must do."""

import pytest
import torch
from torch import nn
from torch.autograd import gradcheck, gradgradcheck

from ganfill.adversarial.augment import ADA, DiffAugment

ALL = [DiffAugment(), ADA(initial=1.0, target=None)]


def pictures(n=6, side=16, seed=0, dtype=torch.float32):
    return torch.rand(n, 3, side, side, generator=torch.Generator().manual_seed(seed), dtype=dtype) * 2 - 1


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("augment", ALL, ids=["diffaugment", "ada"])
@pytest.mark.parametrize("side", [16, 32, 64])
def test_p_0_is_the_identity_bit_for_bit(augment, side):
    images = pictures(side=side)
    assert torch.equal(augment(images, generator(), 0.0), images)
    assert torch.equal(augment(images, generator(), torch.tensor(0.0)), images)


@pytest.mark.parametrize("augment", ALL, ids=["diffaugment", "ada"])
def test_p_1_changes_every_picture(augment):
    images = pictures(n=32)
    changed = augment(images, generator(), 1.0)
    assert changed.shape == images.shape and changed.isfinite().all()
    assert (changed != images).flatten(1).any(1).all()


@pytest.mark.parametrize("augment", [DiffAugment(False, True, False), DiffAugment(False, False, True)])
def test_p_is_the_share_of_pictures_changed(augment):
    images = torch.ones(2000, 3, 8, 8)
    changed = (augment(images, generator(), 0.3) != 1).flatten(1).any(1).float().mean()
    always = (augment(images, generator(), 1.0) != 1).flatten(1).any(1).float().mean()
    assert changed.item() == pytest.approx(0.3 * always.item(), abs=0.04)


@pytest.mark.parametrize("augment", ALL, ids=["diffaugment", "ada"])
def test_the_generator_decides(augment):
    images = pictures()
    torch.manual_seed(1)
    first = augment(images, generator(), 1.0)
    state = torch.get_rng_state()
    assert torch.equal(first, augment(images, generator(), 1.0))
    assert torch.equal(state, torch.get_rng_state())
    assert not torch.equal(first, augment(images, generator(1), 1.0))


@pytest.mark.parametrize("augment", ALL, ids=["diffaugment", "ada"])
def test_real_and_fake_are_augmented_independently(augment):
    shared, images = generator(), pictures()
    real, fake = augment(images, shared, 1.0), augment(images, shared, 1.0)
    assert (real != fake).flatten(1).any(1).all()


@pytest.mark.parametrize("augment", ALL, ids=["diffaugment", "ada"])
def test_a_batch_in_parts_is_the_same_as_at_once(augment):
    images, parts = pictures(n=7), generator()
    expected = augment(images, generator(), 1.0)
    found = torch.cat([augment(part, parts, 1.0) for part in images.split([1, 2, 4])])
    assert torch.equal(found, expected)


@pytest.mark.parametrize("augment", ALL, ids=["diffaugment", "ada"])
def test_neither_other_pictures_nor_their_nan_leak_into_a_sample(augment):
    images = pictures()
    expected = augment(images, generator(), 1.0)
    others = pictures(seed=1)
    others[2] = images[2]
    others[3] = float("nan")
    found = augment(others, generator(), 1.0)
    assert torch.equal(found[2], expected[2])
    assert found[3].isnan().any()
    assert found[[0, 1, 2, 4, 5]].isfinite().all()


@pytest.mark.parametrize("augment", ALL, ids=["diffaugment", "ada"])
def test_gradients_stay_in_their_sample(augment):
    images = pictures().requires_grad_()
    (gradient,) = torch.autograd.grad(augment(images, generator(), 1.0)[1].sum(), images)
    assert gradient[1].abs().sum() > 0
    assert gradient[[0, 2, 3, 4, 5]].abs().sum() == 0


@pytest.mark.parametrize("augment", ALL, ids=["diffaugment", "ada"])
def test_low_precision_comes_out_as_float32_also_under_autocast(augment):
    images = pictures().bfloat16()
    expected = augment(images.float(), generator(), 1.0)
    with torch.autocast("cpu", torch.bfloat16):
        found = augment(images, generator(), 1.0)
    assert found.dtype == torch.float32
    assert torch.equal(found, expected)


@pytest.mark.parametrize("augment", ALL, ids=["diffaugment", "ada"])
def test_memory_format_does_not_matter(augment):
    images = pictures()
    expected = augment(images, generator(), 1.0)
    found = augment(images.to(memory_format=torch.channels_last), generator(), 1.0)
    assert torch.allclose(found, expected, atol=1e-6)
    if isinstance(augment, DiffAugment):
        assert found.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("augment", ALL, ids=["diffaugment", "ada"])
def test_first_and_second_derivatives(augment):
    images = pictures(n=1, side=6, dtype=torch.float64).requires_grad_()

    def curved(x):
        return augment(x, generator(), 1.0).sin()

    assert gradcheck(curved, (images,))
    assert gradgradcheck(curved, (images,), fast_mode=True)


@pytest.mark.parametrize("augment", ALL, ids=["diffaugment", "ada"])
@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_r1_through_the_augmentation_has_the_gradient_of_finite_differences(augment, memory_format):
    torch.manual_seed(0)
    discriminator = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Tanh(), nn.Flatten(), nn.Linear(4 * 36, 1)).double()
    images = pictures(n=4, side=8, dtype=torch.float64).to(memory_format=memory_format).requires_grad_()
    weight = discriminator[0].weight

    def penalty():
        logits = discriminator(augment(images, generator(), 1.0))
        (gradient,) = torch.autograd.grad(logits.sum(), images, create_graph=True)
        return gradient.square().sum((1, 2, 3)).mean()

    (found,) = torch.autograd.grad(penalty(), weight)
    direction, step = torch.randn_like(weight), 1e-5
    with torch.no_grad():
        weight += step * direction
    above = penalty().item()
    with torch.no_grad():
        weight -= 2 * step * direction
    below = penalty().item()
    assert (found * direction).sum().item() == pytest.approx((above - below) / (2 * step), rel=1e-6)
    assert above != below


@pytest.mark.parametrize("augment", [DiffAugment(), ADA()], ids=["diffaugment", "ada"])
def test_nothing_on_the_device_asks_for_a_value(augment):
    images = pictures().requires_grad_()
    numbers, p = augment.draw(6, generator()), torch.tensor(0.5)
    with torch.autograd.profiler.profile() as profile:
        transformed = augment.transform(images, numbers, p)
        torch.autograd.grad(transformed.sum(), images, create_graph=True)
        augment.observe(torch.ones(6))
    names = {event.name for event in profile.function_events}
    assert "aten::where" in names
    assert not names & {"aten::item", "aten::_local_scalar_dense", "aten::nonzero", "aten::equal"}
