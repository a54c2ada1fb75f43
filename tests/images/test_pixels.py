import torch

from ganfill.images.pixels import to_float, to_uint8


def test_every_level_survives_the_round_trip():
    levels = torch.arange(256, dtype=torch.uint8).reshape(1, 16, 16, 1).expand(-1, -1, -1, 3)
    images = to_float(levels)
    assert images.shape == (1, 3, 16, 16)
    assert images.min() == -1 and images.max() == 1
    assert torch.equal(to_uint8(images), levels)


def test_values_outside_the_range_are_clamped():
    assert to_uint8(torch.tensor([-3.0, 0.0, 3.0]).reshape(3, 1, 1)).flatten().tolist() == [0, 128, 255]


def test_a_batch_lies_in_channels_last_memory():
    assert to_float(torch.zeros(2, 4, 4, 3, dtype=torch.uint8)).is_contiguous(memory_format=torch.channels_last)
