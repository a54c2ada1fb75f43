"""The transformations of DiffAugment against closed forms; a row of numbers is written by hand."""

import pytest
import torch

from ganfill.adversarial.augment import DiffAugment
from ganfill.adversarial.colour import jitter

NEUTRAL = [0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5]
IMAGES = torch.rand(2, 3, 16, 16, generator=torch.Generator().manual_seed(0)) * 2 - 1


def transform(on, amounts, images=IMAGES, p=0.5):
    """``on`` names the gates that are open, ``amounts`` the uniform numbers that are not 0.5, by column."""
    row = [0.0 if i in on else 0.9 for i in range(3)] + NEUTRAL
    for column, value in amounts.items():
        row[column] = value
    return DiffAugment().transform(images, torch.tensor([row]).expand(len(images), -1), p)


@pytest.mark.parametrize(("number", "added"), [(0.0, -0.5), (0.75, 0.25)])
def test_brightness_adds_a_constant(number, added):
    assert torch.allclose(transform({0}, {3: number}), IMAGES + added, atol=1e-6)


def test_saturation_scales_the_distance_from_grey():
    grey = IMAGES.mean(1, keepdim=True)
    assert torch.allclose(transform({0}, {4: 0.0}), grey.expand(-1, 3, -1, -1), atol=1e-6)
    assert torch.allclose(transform({0}, {4: 0.75}), grey + 1.5 * (IMAGES - grey), atol=1e-6)


def test_contrast_scales_the_distance_from_the_mean():
    mean = IMAGES.mean((1, 2, 3), keepdim=True)
    assert torch.allclose(transform({0}, {5: 0.0}), mean + 0.5 * (IMAGES - mean), atol=1e-6)


def test_contrast_0_gives_the_mean():
    found = jitter(IMAGES, torch.zeros(2), torch.tensor([1.0, 0.3]), torch.zeros(2))
    assert torch.allclose(found, IMAGES.mean((1, 2, 3), keepdim=True).expand_as(IMAGES), atol=1e-6)


def test_colour_is_brightness_then_saturation_then_contrast():
    x = IMAGES + 0.4
    grey = x.mean(1, keepdim=True)
    x = grey + 0.4 * (x - grey)
    mean = x.mean((1, 2, 3), keepdim=True)
    assert torch.allclose(transform({0}, {3: 0.9, 4: 0.2, 5: 0.8}), mean + 1.3 * (x - mean), atol=1e-6)


@pytest.mark.parametrize("number", [0.0, 0.3, 0.5, 0.999])
def test_translation_moves_by_whole_pixels_and_fills_with_zeros(number):
    down = int(number * 5) - 2
    expected = torch.zeros_like(IMAGES)
    rows = {0: slice(None)}.get(down, slice(down, None) if down > 0 else slice(None, down))
    source = {0: slice(None)}.get(down, slice(None, -down) if down > 0 else slice(-down, None))
    expected[:, :, rows, 1:] = IMAGES[:, :, source, :-1]
    assert torch.equal(transform({1}, {6: number, 7: 0.7}), expected)


def test_translation_reaches_an_eighth_of_the_side_evenly():
    one = torch.zeros(8000, 3, 16, 16)
    one[:, :, 8, 8] = 1
    moved = DiffAugment(False, True, False)(one, torch.Generator().manual_seed(0), 1.0)
    share = moved[:, 0].mean(0)
    assert torch.allclose(share[6:11, 6:11], torch.full((5, 5), 1 / 25), atol=0.01)
    assert share.sum().item() == pytest.approx(1)


@pytest.mark.parametrize(("number", "top", "bottom"), [(0.0, 0, 4), (0.5, 4, 12), (0.999, 12, 16)])
def test_cutout_is_a_square_of_half_the_side_cut_off_at_the_edge(number, top, bottom):
    expected = IMAGES.clone()
    expected[:, :, top:bottom, 4:12] = 0
    assert torch.equal(transform({2}, {8: number}), expected)


def test_cutout_takes_a_quarter_of_the_area_where_it_fits():
    found = transform({2}, {}, torch.ones(1, 3, 64, 64))
    assert (found == 0).float().mean() == 0.25


def test_a_transformation_switched_off_leaves_the_others_as_they_are():
    both = DiffAugment(True, False, True)(IMAGES, torch.Generator().manual_seed(3), 1.0)
    colour = DiffAugment(True, False, False)(IMAGES, torch.Generator().manual_seed(3), 1.0)
    assert torch.equal(both, torch.where(both == 0, 0, colour))
    assert (both == 0).any()


def test_chances_are_independent():
    images = torch.ones(4000, 3, 8, 8)
    images[:, 0] = 0.5
    found = DiffAugment()(images, torch.Generator().manual_seed(0), 0.5)
    recoloured = ((found[:, 0] != 0.5) & (found[:, 0] != 0)).flatten(1).any(1)
    cut = (found == 0).flatten(1).sum(1) > 45  # a translation alone clears at most a row and a column
    shares = [(a & b).float().mean().item() for a in (recoloured, ~recoloured) for b in (cut, ~cut)]
    assert shares[0] == pytest.approx((shares[0] + shares[1]) * (shares[0] + shares[2]), abs=0.02)
    assert shares[0] + shares[1] == pytest.approx(0.5, abs=0.03)
