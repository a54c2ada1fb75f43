"""Masks as people have them."""

import time

import numpy as np
import pytest
from PIL import Image, ImageDraw

from ganfill.errors import UserError
from ganfill.images.mask_values import read
from ganfill.images.photo import Photo

HOLE = np.zeros((60, 80), bool)
HOLE[20:40, 30:60] = True


def two(marked, other, mode="RGB"):
    picture = Image.new(mode, (80, 60), other)
    ImageDraw.Draw(picture).rectangle([30, 20, 59, 39], marked)
    return picture


def palette(marked, other):
    picture = Image.new("P", (80, 60), 0)
    picture.putpalette([*other, *marked])
    ImageDraw.Draw(picture).rectangle([30, 20, 59, 39], 1)
    return picture


MASKS = {
    "red on black": two((255, 0, 0), (0, 0, 0)),
    "red on white": two((255, 0, 0), (255, 255, 255)),
    "blue on grey": two((0, 0, 255), (128, 128, 128)),
    "green on black": two((0, 255, 0), (0, 0, 0)),
    "0 and 1": two(1, 0, "L"),
    "0 and 100": two(100, 0, "L"),
    "0 and 1 in 16 bits": Image.fromarray(HOLE.astype(np.uint16)),
    "0 and 255 in 16 bits": Image.fromarray(HOLE.astype(np.uint16) * 255),
    "0 and 1 in 32 bits": Image.fromarray(HOLE.astype(np.int32)),
    "two dark colours": palette((90, 20, 90), (10, 10, 40)),
    "a palette of red and black": palette((200, 0, 0), (0, 0, 0)),
    "one bit": Image.fromarray(HOLE),
    "white on transparent white": two((255, 255, 255, 255), (255, 255, 255, 0), "RGBA"),
    "red on transparent black": two((255, 0, 0, 255), (0, 0, 0, 0), "RGBA"),
}


@pytest.mark.parametrize("mask", MASKS.values(), ids=MASKS)
def test_an_unambiguous_mask_is_taken(mask):
    assert np.array_equal(read(Photo.of(mask), "m.png"), HOLE)


@pytest.mark.parametrize("name", ["red on black", "red on white", "0 and 100"])
def test_a_mask_that_was_a_jpeg(name, tmp_path):
    MASKS[name].resize((800, 600), Image.Resampling.BICUBIC).save(tmp_path / "m.jpg", quality=90)
    if name == "0 and 100":
        with pytest.raises(UserError, match="none lighter than middle grey"):
            read(Photo.read(tmp_path / "m.jpg"), "m.jpg")
        return
    found = read(Photo.read(tmp_path / "m.jpg"), "m.jpg")
    assert (found != np.kron(HOLE, np.ones((10, 10), bool))).mean() < 0.01


def test_an_ambiguous_mask_is_named_with_its_remedy():
    levels = Image.fromarray((np.arange(4800).reshape(60, 80) % 3).astype(np.uint8))
    with pytest.raises(UserError, match=r"m.png has levels from 0 to 2, none lighter .*: make missing pixels white"):
        read(Photo.of(levels), "m.png")
    photo = np.random.default_rng(0).integers(0, 256, (60, 80, 3), dtype=np.uint8)
    with pytest.raises(UserError, match=r"m.png is ambiguous, .*: make missing pixels white"):
        read(Photo.of(Image.fromarray(photo)), "m.png")


@pytest.mark.parametrize(("level", "missing"), [(0, False), (255, True)])
def test_nothing_and_everything(level, missing):
    assert (read(Photo.of(Image.new("L", (8, 6), level)), "m.png") == missing).all()


def test_a_mask_of_many_pixels_takes_linear_time():
    levels = np.random.default_rng(0).integers(0, 256, (2500, 2000, 1), dtype=np.uint8).repeat(3, 2)
    start = time.process_time()
    assert np.array_equal(read(Photo(levels), "m.png"), levels[..., 0] > 127)
    assert time.process_time() - start < 1  # sorting the colours takes several times as long
