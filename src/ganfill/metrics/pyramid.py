"""Built-in features of pictures: layout, colour and local contrast, without a trained network."""

import torch
from torch.nn.functional import adaptive_avg_pool2d, avg_pool2d, interpolate

THUMBNAIL = 8  # pixels a side
CELLS = 4  # a side, in which contrast is measured
LEVEL = 1 / 127.5


def pyramid(pictures: torch.Tensor) -> torch.Tensor:
    """Returns features of pictures uint8 (N, 3, H, W): layout and colour, and contrast at each scale.

    The first 192 are the picture itself at 8 x 8 pixels, in [-1, 1]. They cannot tell a blurred picture from a sharp one.
    So each band of a Laplacian pyramid (Burt and Adelson 1983), down to 8 pixels, adds 48: half the log2 of its root mean
    square in each of 4 x 4 cells and 3 channels, with one level added to keep flat cells finite. Half, so that all bands
    together vary about as much as the thumbnails. They measure sharpness, noise and grid artifacts, but know nothing of
    faces: features of a network trained on pictures are better.

    Returns:
        float32 (N, 192 + 48 * bands).
    """
    images = pictures.float() * LEVEL - 1
    features = [thumbnails(images)]
    while min(images.shape[2:]) > THUMBNAIL:
        smaller = avg_pool2d(images, 2, ceil_mode=True)
        band = images - interpolate(smaller, images.shape[2:], mode="bilinear", align_corners=False)
        contrast = adaptive_avg_pool2d(band.square(), CELLS).sqrt()
        features.append((contrast + LEVEL).log2().flatten(1) / 2)
        images = smaller
    return torch.cat(features, 1)


def thumbnails(images: torch.Tensor) -> torch.Tensor:
    """Returns the means of float pictures (N, 3, H, W) over 8 x 8 cells, (N, 192)."""
    return adaptive_avg_pool2d(images, THUMBNAIL).flatten(1)
