from io import BytesIO

import numpy as np
import pytest
from PIL import Image, ImageCms

from ganfill.data.decode import Unusable, decode, parse_crop
from ganfill.errors import UserError

RED, GREEN, BLUE, WHITE = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)


def noise(height, width, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def encode(picture, form="PNG", **options):
    file = BytesIO()
    (Image.fromarray(picture) if isinstance(picture, np.ndarray) else picture).save(file, form, **options)
    return file.getvalue()


def colour(data, **options):
    """The one colour of the decoded picture, and the remark."""
    pixels, remark = decode(data, 8, "center", **options)
    assert (pixels == pixels[0, 0]).all()
    return tuple(pixels[0, 0].tolist()), remark


def test_a_picture_that_is_rgb_and_of_the_right_size_keeps_every_bit():
    picture = noise(16, 16)
    pixels, remark = decode(encode(picture), 16, "center")
    assert pixels.dtype == np.uint8 and np.array_equal(pixels, picture)
    assert remark == ""


def test_scaling_down_averages_and_a_small_picture_is_enlarged_with_a_remark():
    stripes = np.zeros((32, 32, 3), np.uint8)
    stripes[:, ::2] = 255
    pixels, remark = decode(encode(stripes), 8, "center")
    assert pixels.shape == (8, 8, 3) and np.abs(pixels.astype(int) - 127).max() < 12
    assert remark == ""
    pixels, remark = decode(encode(noise(4, 4)), 8, "center")
    assert pixels.shape == (8, 8, 3) and remark == "enlarged"


def thirds():
    """Red, green and blue squares of 8 pixels beside each other."""
    return np.repeat(np.array([[RED, GREEN, BLUE]], np.uint8), 8, axis=0).repeat(8, axis=1)


def test_crop_center_takes_the_middle_square():
    assert colour(encode(thirds())) == (GREEN, "")
    assert colour(encode(thirds().transpose(1, 0, 2))) == (GREEN, "")


def test_crop_none_squeezes_the_whole_picture():
    pixels, _ = decode(encode(thirds()), 9, "none")
    assert np.abs(pixels[4, [0, 4, 8]].astype(int) - [RED, GREEN, BLUE]).max() < 3


def test_crop_box_takes_those_pixels_and_refuses_a_picture_without_them():
    picture = noise(20, 30)
    pixels, _ = decode(encode(picture), 8, parse_crop("21,11,29,19"))
    assert np.array_equal(pixels, picture[11:19, 21:29])
    with pytest.raises(Unusable, match="smaller than the box: 30x20"):
        decode(encode(picture), 8, parse_crop([16, 6, 31, 21]))


def test_crops_are_words_or_square_boxes():
    assert parse_crop("center") == "center" and parse_crop("none") == "none"
    assert parse_crop("20,40,160,180") == parse_crop([20, 40, 160, 180]) == (20.0, 40.0, 160.0, 180.0)
    assert parse_crop("0.1,0.2,0.4,0.5") == (0.1, 0.2, 0.4, 0.5)  # binary fractions: the sides differ in the last digit


@pytest.mark.parametrize("word", ["0,0,10,11", "5,5,5,5", "-1,0,9,10", "9,9,0,0", "nan,0,10,10"])
def test_a_box_that_is_not_square_is_refused(word):
    with pytest.raises(UserError, match=f"crop={word} is not a square box"):
        parse_crop(word)


@pytest.mark.parametrize("word", ["centre", "1,2,3", "a,b,c,d", [1, 2, 3], ""])
def test_other_crops_are_refused_with_the_ones_there_are(word):
    with pytest.raises(UserError, match="use center, none or a box"):
        parse_crop(word)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied(orientation):
    upright = Image.fromarray(noise(8, 8))
    undo = [None, Image.Transpose.FLIP_LEFT_RIGHT, Image.Transpose.ROTATE_180, Image.Transpose.FLIP_TOP_BOTTOM]
    undo += [
        Image.Transpose.TRANSPOSE,
        Image.Transpose.ROTATE_90,
        Image.Transpose.TRANSVERSE,
        Image.Transpose.ROTATE_270,
    ]
    lying = upright if orientation == 1 else upright.transpose(undo[orientation - 1])
    exif = Image.Exif()
    exif[0x0112] = orientation
    pixels, remark = decode(encode(lying, exif=exif), 8, "center")
    assert np.array_equal(pixels, np.asarray(upright))
    assert remark == ("" if orientation == 1 else "turned upright")


def test_exif_orientation_zero_turns_nothing():
    exif = Image.Exif()
    exif[0x0112] = 0
    assert decode(encode(noise(8, 8), exif=exif), 8, "center")[1] == ""


def test_grey_and_black_and_white():
    assert colour(encode(Image.new("L", (8, 8), 77))) == ((77, 77, 77), "grey")
    assert colour(encode(Image.new("1", (8, 8), 1))) == (WHITE, "black and white")


@pytest.mark.parametrize("form", ["PNG", "TIFF"])
def test_16_bit_grey_is_scaled_not_clipped(form):
    levels = np.full((8, 8), 257 * 90, np.uint16)
    assert colour(encode(Image.fromarray(levels), form)) == ((90, 90, 90), "16-bit grey")


def test_floating_point_pixels_are_unusable():
    with pytest.raises(Unusable, match="floating-point pixels"):
        decode(encode(Image.new("F", (8, 8), 0.5), "TIFF"), 8, "center")


def test_palette():
    assert colour(encode(Image.new("RGB", (8, 8), GREEN).quantize(4))) == (GREEN, "palette")


def test_cmyk():
    assert colour(encode(Image.new("CMYK", (8, 8), (0, 255, 255, 0)), "TIFF")) == (RED, "CMYK")


@pytest.mark.parametrize(
    ("picture", "expected"),
    [
        (Image.new("RGBA", (8, 8), (0, 0, 0, 0)), (WHITE, "alpha flattened on white")),
        (Image.new("RGBA", (8, 8), (255, 0, 0, 51)), ((255, 204, 204), "alpha flattened on white")),
        (Image.new("RGBA", (8, 8), (255, 0, 0, 255)), (RED, "")),
        (Image.new("LA", (8, 8), (0, 51)), ((204, 204, 204), "grey, alpha flattened on white")),
    ],
)
def test_transparency_is_flattened_on_white(picture, expected):
    assert colour(encode(picture)) == expected


def test_a_transparent_colour_of_a_palette_and_of_rgb_become_white():
    palette = Image.new("P", (8, 8), 1)
    palette.putpalette([*RED, *GREEN])
    assert colour(encode(palette, "GIF", transparency=1)) == (WHITE, "palette, alpha flattened on white")
    picture = Image.new("RGB", (8, 8), BLUE)
    assert colour(encode(picture, transparency=BLUE)) == (WHITE, "alpha flattened on white")


def swapped_profile():
    """A profile like sRGB whose first channel is green and whose second is red."""
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    profile = profile.replace("sRGB".encode("utf-16-be"), "GRsB".encode("utf-16-be"))
    return profile.replace(b"rXYZ", b"swap", 1).replace(b"gXYZ", b"rXYZ", 1).replace(b"swap", b"gXYZ", 1)


def test_a_colour_profile_is_converted_to_srgb():
    data = encode(Image.new("RGB", (8, 8), RED), icc_profile=swapped_profile())
    pixels, remark = decode(data, 8, "center")
    assert np.abs(pixels.astype(int) - GREEN).max() < 4
    assert remark == "colour profile to sRGB"


def test_transparency_and_a_profile_together():
    picture = Image.new("RGBA", (8, 8), (255, 0, 0, 51))
    pixels, remark = decode(encode(picture, icc_profile=swapped_profile()), 8, "center")
    assert np.abs(pixels.astype(int) - (204, 255, 204)).max() < 4
    assert remark == "colour profile to sRGB, alpha flattened on white"


def test_a_profile_that_is_srgb_changes_nothing_and_a_damaged_one_is_ignored():
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    picture = noise(8, 8)
    pixels, remark = decode(encode(picture, icc_profile=srgb), 8, "center")
    assert np.array_equal(pixels, picture) and remark == ""
    pixels, remark = decode(encode(picture, icc_profile=b"no profile"), 8, "center")
    assert np.array_equal(pixels, picture) and remark == "unusable colour profile ignored"


def test_an_animation_gives_its_first_frame():
    frames = [Image.new("RGB", (8, 8), shade) for shade in (RED, GREEN, BLUE)]
    data = encode(frames[0], "GIF", save_all=True, append_images=frames[1:])
    assert colour(data) == (RED, "first frame of several, palette")


@pytest.mark.parametrize("form", ["PNG", "JPEG"])
@pytest.mark.parametrize("share", [0.3, 0.7, 0.9])
def test_a_truncated_picture_is_unusable(form, share):
    data = encode(noise(40, 40), form)
    with pytest.raises(Unusable, match="damaged: "):
        decode(data[: int(len(data) * share)], 8, "center")


def test_files_that_are_no_pictures_are_unusable():
    with pytest.raises(Unusable, match=r"^empty$"):
        decode(b"", 8, "center")
    with pytest.raises(Unusable, match=r"^not a picture$"):
        decode("Grüße, kein Bild".encode(), 8, "center")


@pytest.mark.parametrize("side", [11, 20])
def test_a_decompression_bomb_is_unusable(monkeypatch, side):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)  # Pillow warns above it and refuses above twice as much
    with pytest.raises(Unusable, match="too large: Image size"):
        decode(encode(noise(side, side)), 8, "center")
    assert decode(encode(noise(10, 10)), 8, "center")[0].shape == (8, 8, 3)
