"""Masks as people have them."""

import time

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFilter, ImageOps

from ganfill.errors import UserError
from ganfill.images.mask_values import read
from ganfill.images.photo import Photo

HOLE = np.zeros((60, 80), bool)
HOLE[20:40, 30:60] = True


def two(marked, other, mode="RGB"):
    picture = Image.new(mode, (80, 60), other)
    ImageDraw.Draw(picture).rectangle([30, 20, 59, 39], marked)
    return picture


def soft(picture, radius=2):
    return picture.filter(ImageFilter.GaussianBlur(radius))


def painted(colour, ground, softly=False):
    """Paint on a transparent ground; soft edges change the transparency only."""
    picture = Image.new("RGB", (80, 60), ground)
    picture.paste(colour[:3], (0, 0, 80, 60), None if softly else Image.fromarray(HOLE))
    alpha = two(colour[3], 0, "L")
    picture.putalpha(soft(alpha) if softly else alpha)
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
    "black on transparent white": painted((0, 0, 0, 255), "white"),
    "black on transparent white, soft": painted((0, 0, 0, 255), "white", softly=True),
    "black on transparent white, a palette": painted((0, 0, 0, 255), "white").quantize(),
    "grey on transparent black": two((90, 255), (0, 0), "LA"),
    "red at 40 % on transparent white": painted((255, 0, 0, 102), "white"),
    "red at 40 % on transparent white, soft": painted((255, 0, 0, 102), "white", softly=True),
    "soft": soft(two(255, 0, "L")),
    "soft middle grey": soft(two(128, 0, "L")),
    "soft light grey": soft(two(200, 0, "L")),
    "soft dark grey on white": soft(two(255, 100, "L")),
    "soft in 16 bits": Image.fromarray(np.asarray(soft(two(255, 0, "L"))).astype(np.uint16) * 257),
    "soft 0 to 255 in 16 bits": Image.fromarray(np.asarray(soft(two(255, 0, "L"))).astype(np.uint16)),
    "red on transparent black": two((255, 0, 0, 255), (0, 0, 0, 0), "RGBA"),
}


@pytest.mark.parametrize("name", MASKS)
def test_an_unambiguous_mask_is_taken(name):
    different = read(Photo.of(MASKS[name]), "m.png") != HOLE
    assert different.sum() <= (12 if "soft" in name else 0)  # soft edges round the corners


@pytest.mark.parametrize("name", ["red on black", "red on white", "0 and 100", "soft middle grey"])
def test_a_mask_that_was_a_jpeg(name, tmp_path):
    MASKS[name].resize((800, 600), Image.Resampling.BICUBIC).save(tmp_path / "m.jpg", quality=90)
    found = read(Photo.read(tmp_path / "m.jpg"), "m.jpg")
    assert (found != np.kron(HOLE, np.ones((10, 10), bool))).mean() < 0.01


def test_thin_lines_are_marked():
    picture = Image.new("L", (640, 480))
    ImageDraw.Draw(picture).line([20, 20, 600, 400], 255, 6)
    lines = picture.resize((320, 240), Image.Resampling.BICUBIC)
    found = read(Photo.of(lines), "m.png")
    assert 0.01 < found.mean() < 0.02
    assert np.array_equal(read(Photo.of(ImageOps.invert(lines)), "m.png"), np.asarray(lines) < 128)


def photo(size=(60, 80)):
    waves = np.add.outer(np.sin(np.arange(size[0]) / 9), np.cos(np.arange(size[1]) / 7)) * 50 + 110
    return (waves + np.random.default_rng(0).normal(0, 9, size)).clip(0, 255).astype(np.uint8)


def with_hole(colour):
    picture = Image.fromarray(photo())
    ImageDraw.Draw(picture).rectangle([30, 20, 59, 39], colour)
    return picture


def erased(mode):
    picture = Image.fromarray(photo()).convert(mode)
    picture.putalpha(Image.fromarray(~HOLE).convert("L"))
    return picture


def labels(*levels):
    values = np.zeros((60, 80), np.uint8)
    for i, level in enumerate(levels):
        values[10:50, 20 * i + 5 : 20 * i + 15] = level
    return Image.fromarray(values)


GREYS = "is ambiguous, with more than two levels of grey: make missing pixels white"
TRANSPARENT = "has several colours beside transparent pixels: complete it with mask=alpha, or make missing pixels white"
AMBIGUOUS = {
    "three dark levels": (
        labels(1, 2),
        "has levels from 0 to 2, none lighter than middle grey: make missing pixels white",
    ),
    "labels": (labels(1, 255), GREYS),
    "labels that differ": (labels(60, 128, 255), GREYS),
    "labels in 16 bits": (Image.fromarray(np.asarray(labels(1, 255)).astype(np.uint16)), GREYS),
    "a grey photo": (Image.fromarray(photo()), GREYS),
    "a photo with a white hole": (with_hole(255), GREYS),
    "a photo with a black hole": (with_hole(0), GREYS),
    "a photo with an erased hole": (erased("RGB"), TRANSPARENT),
    "a grey photo with an erased hole": (erased("L"), TRANSPARENT),
    "a colour photo": (Image.fromarray(np.stack([photo(), photo()[::-1], photo()[:, ::-1]], 2)), "is ambiguous"),
}


@pytest.mark.parametrize(("mask", "message"), AMBIGUOUS.values(), ids=AMBIGUOUS)
def test_an_ambiguous_mask_is_named_with_its_remedy(mask, message):
    with pytest.raises(UserError, match=f"^m.png {message}"):
        read(Photo.of(mask), "m.png")


@pytest.mark.parametrize(("level", "missing"), [(0, False), (255, True)])
def test_nothing_and_everything(level, missing):
    assert (read(Photo.of(Image.new("L", (8, 6), level)), "m.png") == missing).all()


def test_a_mask_of_many_pixels_takes_linear_time():
    levels = np.random.default_rng(0).integers(0, 256, (2500, 2000, 1), dtype=np.uint8).repeat(3, 2)
    start = time.process_time()
    with pytest.raises(UserError, match="more than two levels"):
        read(Photo(levels), "m.png")
    assert time.process_time() - start < 1  # sorting the colours takes several times as long
