"""ADA: its transformations against closed forms, and how p adapts."""

import math

import pytest
import torch

from ganfill.adversarial.augment import ADA
from ganfill.adversarial.colour import matrix, recolour
from ganfill.adversarial.geometry import source, warp

IMAGES = torch.rand(3, 3, 16, 16, generator=torch.Generator().manual_seed(0)) * 2 - 1
FLIP, QUARTERS, WHOLE, ZOOM, STRETCH, FRACTION, BRIGHTNESS, CONTRAST, LUMA, HUE, SATURATION, BEFORE, AFTER = range(13)


def transform(on, amounts, images=IMAGES, p=0.5):
    """``on`` names the gates that are open, ``amounts`` the numbers of other columns (uniform 13 to 20, then normal)."""
    row = [0.0 if i in on else 0.9 for i in range(13)] + [0.5] * 8 + [0.0] * 7
    for column, value in amounts.items():
        row[column] = value
    augment = ADA(initial=1.0, target=None)
    return augment.transform(images, torch.tensor([row]).expand(len(images), -1).to(images), p)


def placed(images, **parameters):
    n = len(images)
    neutral = {"flip": 0.0, "quarters": 0.0, "zoom": 1.0, "before": 0.0, "stretch": 1.0, "after": 0.0}
    vectors = {name: torch.full((n,), value) for name, value in neutral.items()}
    points = {name: torch.zeros(n, 2) for name in ("pixels", "fraction")}
    for name, value in parameters.items():
        target = vectors if name in vectors else points
        target[name] = torch.tensor(value).expand_as(target[name])
    return warp(images, *source(**vectors, **points))


def blob(x, y, side=64, sigma=(3.0, 3.0)):
    """A picture with a Gaussian at (x, y) from its centre, in pixels."""
    axis = torch.arange(side) - (side - 1) / 2
    rows = torch.exp(-((axis - y) ** 2) / (2 * sigma[1] ** 2))
    columns = torch.exp(-((axis - x) ** 2) / (2 * sigma[0] ** 2))
    return (rows[:, None] * columns).expand(1, 3, -1, -1).contiguous()


def test_flip_mirrors_left_and_right():
    assert torch.equal(transform({FLIP}, {13: 0.7}), IMAGES.flip(3))
    assert torch.equal(transform({FLIP}, {13: 0.2}), IMAGES)


@pytest.mark.parametrize("turns", range(4))
def test_quarter_turns(turns):
    found = transform({QUARTERS}, {14: turns / 4 + 0.1})
    assert torch.equal(found, torch.rot90(IMAGES, turns, (2, 3)))


def test_whole_translation_moves_and_mirrors_at_the_edge():
    found = transform({WHOLE}, {15: 1.0, 16: 0.25})
    down, right = -1, 2
    assert torch.equal(found[:, :, :down, right:], IMAGES[:, :, -down:, :-right])
    assert torch.equal(found[:, :, :down, :right], IMAGES[:, :, -down:, 1 : 1 + right].flip(3))
    assert torch.equal(found[:, :, down:, right:], IMAGES[:, :, -2:-1, :-right])


def test_blits_come_in_order():
    found = transform({FLIP, QUARTERS, WHOLE}, {13: 0.7, 14: 0.3, 15: 1.0})
    assert torch.equal(found[..., 2:], torch.rot90(IMAGES.flip(3), 1, (2, 3))[..., :-2])


def test_zoom_and_stretch_scale_about_the_centre():
    found = placed(blob(6, 4), zoom=1.5)
    assert (found - blob(9, 6, sigma=(4.5, 4.5))).abs().max() < 0.03  # bilinear: 2 / 8 of 1 / sigma^2
    found = placed(blob(6, 4), stretch=1.25)
    assert (found - blob(7.5, 3.2, sigma=(3.75, 2.4))).abs().max() < 0.03
    assert torch.allclose(placed(blob(6, 4), zoom=2**0.2), transform({ZOOM}, {21: 1.0}, blob(6, 4)), atol=1e-5)
    assert torch.allclose(placed(blob(6, 4), stretch=2**0.2), transform({STRETCH}, {22: 1.0}, blob(6, 4)), atol=1e-5)


@pytest.mark.parametrize(("gate", "column"), [(BEFORE, 17), (AFTER, 18)])
def test_rotation_turns_about_the_centre(gate, column):
    found = transform({gate}, {column: 0.5 + 1 / 12}, blob(10, 0))  # by 30 degrees; y points downwards
    assert (found - blob(10 * math.cos(math.pi / 6), 10 * math.sin(math.pi / 6))).abs().max() < 0.03
    quarter = transform({gate}, {column: 0.25})
    assert torch.allclose(quarter, torch.rot90(IMAGES, 1, (2, 3)), atol=1e-4)


def test_rotation_comes_on_both_sides_of_the_stretch():
    found = placed(blob(0, 6), before=math.pi / 2, stretch=1.25, after=math.pi / 2)  # to the left, stretched, and up
    assert (found - blob(0, -7.5, sigma=(2.4, 3.75))).abs().max() < 0.03


def test_fractional_translation():
    found = transform({FRACTION}, {23: 0.5, 24: -0.5}, blob(3, 2))  # normal numbers times an eighth of the side
    assert (found - blob(7, -2)).abs().max() < 1e-5
    half = placed(IMAGES, fraction=[0.5, 0.0])
    assert torch.allclose(half[..., 1:], (IMAGES[..., 1:] + IMAGES[..., :-1]) / 2, atol=1e-6)


def test_brightness_contrast_luma_and_saturation():
    grey = IMAGES.mean(1, keepdim=True)
    assert torch.allclose(transform({BRIGHTNESS}, {25: -2.0}), IMAGES - 0.4, atol=1e-6)
    assert torch.allclose(transform({CONTRAST}, {26: 2.0}), 2 * IMAGES, atol=1e-6)
    assert torch.allclose(transform({LUMA}, {19: 0.5}), IMAGES - 2 * grey, atol=1e-6)
    assert torch.allclose(transform({SATURATION}, {27: 1.0}), grey + 2 * (IMAGES - grey), atol=1e-6)
    assert torch.allclose(transform({SATURATION}, {27: -30.0}), grey.expand_as(IMAGES), atol=1e-6)


def test_hue_turns_the_channels():
    assert torch.allclose(transform({HUE}, {20: 0.5 + 1 / 3}), IMAGES.roll(1, 1), atol=1e-5)  # 120 degrees
    neutral = {"brightness": torch.zeros(3), "contrast": torch.ones(3), "luma_flip": torch.zeros(3)}
    full = matrix(**neutral, hue=torch.full((3,), 2 * math.pi), saturation=torch.ones(3))
    assert torch.allclose(recolour(IMAGES, *full), IMAGES, atol=1e-5)


def test_colours_come_in_order():
    found = transform({BRIGHTNESS, CONTRAST, LUMA}, {25: 1.0, 26: 2.0, 19: 0.9})
    brighter = 2 * (IMAGES + 0.2)
    assert torch.allclose(found, brighter - 2 * brighter.mean(1, keepdim=True), atol=1e-5)


def test_numbers_are_uniform_and_normal():
    numbers = ADA().draw(20_000, torch.Generator().manual_seed(0))
    uniform, normal = numbers[:, :21], numbers[:, 21:]
    assert uniform.min() >= 0 and uniform.max() < 1
    assert torch.allclose(uniform.mean(0), torch.tensor(0.5), atol=0.01)
    assert torch.allclose(normal.mean(0), torch.tensor(0.0), atol=0.03)
    assert torch.allclose(normal.std(0), torch.tensor(1.0), atol=0.03)
    assert normal.isfinite().all() and normal.max() > 3


def test_a_rotation_happens_with_chance_p():
    n = 6000
    numbers = ADA().draw(n, torch.Generator().manual_seed(0))
    numbers[:, :11] = 0.9
    images = blob(3, 2, side=8, sigma=(1.0, 1.0)).expand(n, -1, -1, -1)
    augment = ADA(initial=0.8, target=None)
    rotated = (augment.transform(images, numbers, 0.5) != images).flatten(1).any(1)
    assert rotated.float().mean().item() == pytest.approx(0.4, abs=0.02)


@pytest.mark.parametrize(("initial", "logit", "expected"), [(0.5, 3.0, 0.5 + 256 / 1e5), (0.5, -0.1, 0.5 - 256 / 1e5)])
def test_p_moves_at_each_fourth_step_by_the_images_seen(initial, logit, expected):
    augment = ADA(initial=initial, speed_kimg=100)
    for step in range(1, 9):
        augment.observe(torch.full((64,), logit))
        moves = step // 4
        assert augment.p.item() == pytest.approx(initial + moves * (expected - initial), abs=1e-7)


def test_p_stays_at_the_target_and_within_its_bounds():
    augment = ADA(initial=0.5, target=0.5)
    for _ in range(4):
        augment.observe(torch.tensor([1.0, 2.0, 3.0, -1.0]))
    assert augment.p == 0.5
    for initial, logit in ((0.0, -1.0), (1.0, 1.0)):
        augment = ADA(initial=initial, speed_kimg=0.001)
        for _ in range(8):
            augment.observe(torch.full((64,), logit))
        assert augment.p == initial


def test_p_looks_at_the_signs_of_all_four_steps():
    augment = ADA(initial=0.5, target=0.4)
    for share in (1.0, 1.0, 1.0, -1.0):  # the mean is 0.5
        augment.observe(torch.full((8,), share))
    assert augment.p > 0.5


def test_p_is_fixed_without_a_target():
    augment = ADA(initial=0.25, target=None)
    for _ in range(8):
        augment.observe(torch.ones(64))
    assert augment.p == 0.25


def test_the_factor_multiplies_p():
    augment, whole = ADA(initial=0.5, target=None), ADA(initial=1.0, target=None)
    first = augment(IMAGES, torch.Generator().manual_seed(0), 0.4)
    assert torch.allclose(first, whole(IMAGES, torch.Generator().manual_seed(0), 0.2), atol=1e-6)


def test_a_resumed_state_continues_exactly():
    logits = torch.randn(30, 64, generator=torch.Generator().manual_seed(0)) + 1.0
    straight, before = ADA(initial=0.3, speed_kimg=3), ADA(initial=0.3, speed_kimg=3)
    path = []
    for step, batch in enumerate(logits):
        straight.observe(batch)
        if step < 14:  # in the middle of four steps
            before.observe(batch)
    resumed = ADA(speed_kimg=3)
    resumed.load_state_dict(before.state_dict())
    for batch in logits[14:]:
        resumed.observe(batch)
        path.append(resumed.p.item())
    assert all(torch.equal(a, b) for a, b in zip(straight.buffers(), resumed.buffers(), strict=True))
    assert len(set(path)) > 3
    assert sorted(straight.state_dict()) == ["p", "seen", "signs", "steps"]


def test_a_logit_that_is_no_number_does_not_spoil_p():
    augment = ADA(initial=0.5)
    for _ in range(4):
        augment.observe(torch.tensor([float("nan"), -1.0]))
    assert augment.p < 0.5


@pytest.mark.parametrize("arguments", [{"initial": 1.5}, {"initial": -0.1}, {"target": 1.0}, {"speed_kimg": 0}])
def test_arguments_outside_their_range(arguments):
    with pytest.raises(ValueError, match=next(iter(arguments))):
        ADA(**arguments)
