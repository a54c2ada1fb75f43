import torch

from ganfill.adversarial.fade import Fade, enlarge, reduce

IMAGES = torch.rand(2, 3, 8, 8, generator=torch.Generator().manual_seed(0))


def test_details_come_in_linearly_with_the_images_seen():
    coarse = enlarge(reduce(IMAGES, 2), 2)
    fade = Fade(2, kimg=0.1)
    assert torch.equal(fade.at(0)(IMAGES), coarse)
    torch.testing.assert_close(fade.at(25)(IMAGES), 0.75 * coarse + 0.25 * IMAGES)
    assert fade.at(100)(IMAGES) is IMAGES and fade.at(10**6)(IMAGES) is IMAGES
    assert Fade(2, kimg=0).at(0)(IMAGES) is IMAGES


def test_at_first_only_means_of_squares_are_seen():
    """Noise whose mean is 0 in every square is invisible at the start, and so is its gradient."""
    noise = torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(1))
    noise = noise - reduce(noise, 4).repeat_interleave(4, 2).repeat_interleave(4, 3)
    torch.testing.assert_close(Fade(4, 1).at(0)(IMAGES + noise), Fade(4, 1).at(0)(IMAGES))
