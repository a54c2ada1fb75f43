import pytest
import torch

from ganfill.models.inpainter import HoleDiscriminator, Inpainter, complete_averaged


@pytest.fixture
def inpainter():
    torch.manual_seed(0)
    return Inpainter(32, (8, 12), 1)


@pytest.fixture
def pictures():
    generator = torch.Generator().manual_seed(0)
    image, guess = (torch.rand(3, 3, 32, 32, generator=generator) * 2 - 1 for _ in range(2))
    known = (torch.rand(3, 1, 32, 32, generator=generator) < 0.7).float()
    return image, known, guess


def enliven(network):
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, 0, 0.1)
    return network


def test_a_fresh_inpainter_returns_the_guess_in_the_hole(inpainter, pictures):
    image, known, guess = pictures
    assert torch.equal(inpainter(*pictures), torch.where(known > 0, image, guess))


def test_known_pixels_stay_and_the_hole_changes(inpainter, pictures):
    image, known, guess = pictures
    completed = enliven(inpainter)(*pictures)
    inside = (known > 0).expand_as(image)
    assert torch.equal(completed[inside], image[inside])
    assert ((completed - guess)[~inside].abs() > 1e-3).float().mean() > 0.9


def test_the_content_of_the_hole_is_ignored(inpainter, pictures):
    image, known, guess = pictures
    enliven(inpainter)
    damaged = torch.where(known > 0, image, torch.nan)
    assert torch.equal(inpainter(damaged, known, guess), inpainter(*pictures))


def test_guess_and_surroundings_both_matter(inpainter, pictures):
    image, known, guess = pictures
    enliven(inpainter)
    hole = (known == 0).expand_as(image)
    correction = inpainter(*pictures) - guess
    for other in ((image, known, -guess), (image.flip(0), known, guess)):
        assert not torch.allclose((inpainter(*other) - other[2])[hole], correction[hole], atol=1e-3)


def test_without_a_guess_the_surroundings_alone_decide(pictures):
    image, known, guess = pictures
    feed_forward = Inpainter(32, (8, 12), 1, guess=False)
    inside = (known > 0).expand_as(image)
    assert torch.equal(feed_forward(*pictures), torch.where(inside, image, 0))
    enliven(feed_forward)
    completed = feed_forward(*pictures)
    assert torch.equal(feed_forward(image, known, -guess), completed)
    assert not torch.allclose(feed_forward(image.flip(0), known, guess)[~inside], completed[~inside], atol=1e-3)


def test_a_mirrored_picture_gets_the_mirrored_completion(inpainter, pictures):
    image, known, guess = pictures
    completed = complete_averaged(enliven(inpainter), *pictures)
    mirrored = complete_averaged(inpainter, image.flip(3), known.flip(3), guess.flip(3))
    torch.testing.assert_close(mirrored.flip(3), completed)
    assert torch.equal(completed * known, image * known)
    assert not torch.allclose(completed, inpainter(*pictures), atol=1e-3)


def test_without_shifted_copies_the_mean_is_that_of_both_orientations(inpainter, pictures):
    completed = complete_averaged(enliven(inpainter), *pictures, shifted=False)
    mirrored = inpainter(*(tensor.flip(3) for tensor in pictures)).flip(3)
    torch.testing.assert_close(completed, (inpainter(*pictures) + mirrored) / 2)


def test_texture_that_does_not_move_with_the_picture_is_averaged_out(pictures):
    image, known, guess = pictures
    rows = torch.ones(32, 32)
    rows[::2] = -1
    completed = complete_averaged(lambda image, known, guess: torch.where(known > 0, image, rows), image, known, guess)
    hole = (known == 0).expand_as(image)[..., :-1, 1:-1]
    assert hole.any() and not completed[..., :-1, 1:-1][hole].any()


def test_a_completion_that_moves_with_the_picture_stays_as_it_is(pictures):
    image, known, guess = pictures
    completed = complete_averaged(lambda image, known, guess: torch.where(known > 0, image, guess), image, known, guess)
    assert torch.equal(completed, torch.where(known > 0, image, guess))


def test_every_weight_learns(inpainter, pictures):
    enliven(inpainter)(*pictures).square().sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() and p.grad.any() for p in inpainter.parameters())


@pytest.mark.parametrize("resolution", [32, 64, 128])
def test_sizes(resolution):
    inpainter = enliven(Inpainter(resolution, (4, 4, 4), 1))
    image = torch.zeros(1, 3, resolution, resolution)
    assert inpainter(image, torch.zeros(1, 1, resolution, resolution), image).shape == image.shape


@pytest.mark.parametrize(("resolution", "widths"), [(32, ()), (36, (4, 4, 4))])
def test_a_size_that_cannot_be_halved_is_refused(resolution, widths):
    with pytest.raises(ValueError, match="cannot be halved"):
        Inpainter(resolution, widths)


def test_a_discriminator_of_completions_starts_as_the_one_it_was_given_and_learns_the_hole():
    inner = torch.nn.Sequential(torch.nn.Conv2d(3, 1, 32), torch.nn.Flatten(0))
    discriminator = HoleDiscriminator(inner)
    image, hole = torch.rand(2, 3, 32, 32), (torch.rand(2, 1, 32, 32) < 0.5).float()
    torch.testing.assert_close(discriminator(torch.cat([image, hole], 1)), inner(image))
    discriminator(torch.cat([image, hole], 1)).sum().backward()
    assert discriminator.merge.weight.grad[:, 3].abs().min() > 0 and discriminator.patches[-1].weight.grad.any()


def test_features_are_those_of_both_parts_and_leave_no_hook():
    inner = torch.nn.Sequential(
        *(torch.nn.Conv2d(3, 5, 4, 2, 1), torch.nn.LeakyReLU(0.2)),
        *(torch.nn.Flatten(), torch.nn.LazyLinear(4), torch.nn.LeakyReLU(0.2), torch.nn.Linear(4, 1)),
    )
    discriminator = HoleDiscriminator(inner)
    pictures = torch.rand(2, 4, 32, 32)
    found = discriminator.features(pictures)
    assert [tuple(f.shape) for f in found] == [(2, 5, 16, 16), (2, 32, 32, 32), (2, 64, 16, 16), (2, 128, 8, 8)]
    torch.testing.assert_close(found[0], inner[:2](discriminator.merge(pictures)))
    assert not any(module._forward_hooks for module in discriminator.modules())


def test_patches_are_judged_in_the_hole_alone():
    discriminator = enliven(HoleDiscriminator(torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3 * 64 * 64, 1))))
    image, hole = torch.rand(1, 3, 64, 64), torch.zeros(1, 1, 64, 64)
    hole[..., 40:60, 40:60] = 1
    for top, judged in ((0, False), (44, True)):
        changed = image.clone()
        changed[..., top : top + 16, top : top + 16] += 1
        with torch.no_grad():
            old, new = (discriminator.in_hole(torch.cat([picture, hole], 1)) for picture in (image, changed))
        assert torch.equal(old, new) != judged
