import torch
from torch.nn.functional import avg_pool2d, pad

from ganfill.data.synthetic import draw_faces
from ganfill.images.pixels import to_float
from ganfill.metrics.distances import frechet
from ganfill.metrics.pyramid import pyramid, thumbnails


def faces(n, resolution=32, seed=0):
    return torch.from_numpy(draw_faces(n, resolution, torch.Generator().manual_seed(seed))).permute(0, 3, 1, 2)


def blurred(pictures):
    return avg_pool2d(pad(pictures.float(), (1, 1, 1, 1), "replicate"), 3, 1).round().to(torch.uint8)


def test_the_first_features_are_the_means_of_eight_by_eight_cells():
    images = to_float(faces(5).permute(0, 2, 3, 1))
    blocks = images.reshape(5, 3, 8, 4, 8, 4).mean((3, 5)).flatten(1)
    torch.testing.assert_close(thumbnails(images), blocks)
    torch.testing.assert_close(pyramid(faces(5))[:, :192], blocks)


def test_each_band_down_to_eight_pixels_adds_its_contrast():
    for resolution, bands in ((8, 0), (16, 1), (32, 2), (64, 3), (48, 3)):
        assert pyramid(faces(2, resolution)).shape == (2, 192 + 48 * bands)
    flat = torch.full((2, 3, 32, 32), 128, dtype=torch.uint8)
    grid = flat.clone()
    grid[:, :, ::2, ::2] = 255
    low, high = pyramid(flat)[:, 192:], pyramid(grid)[:, 192:]
    assert low.isfinite().all() and (high[:, :48] > low[:, :48] + 2).all()
    assert (high[:, 48:] < low[:, 48:] + 1).all()  # the finest band alone


def test_blurred_pictures_are_worse_than_sharp_ones_which_thumbnails_cannot_tell():
    real, sharp = faces(1000).split(500)

    def distance(features, pictures):
        return frechet(*(features(part).double().numpy() for part in (real, pictures)))

    def by_thumbnails(pictures):
        return thumbnails(pictures.float() / 127.5 - 1)

    assert distance(by_thumbnails, blurred(sharp)) < 1.2 * distance(by_thumbnails, sharp)
    assert distance(pyramid, blurred(sharp)) > 2 * distance(pyramid, sharp)


def test_noisy_pictures_and_copies_are_worse_too():
    real, other = faces(1000).split(500)
    noisy = (other + 8 * torch.randn(other.shape)).round().clamp(0, 255).to(torch.uint8)
    distances = [
        frechet(*(pyramid(part).double().numpy() for part in (real, pictures)))
        for pictures in (other, noisy, other[:50].repeat(10, 1, 1, 1))
    ]
    assert distances[1] > 2 * distances[0] and distances[2] > 2 * distances[0]
