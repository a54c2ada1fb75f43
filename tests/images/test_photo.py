import struct

import cv2
import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings
from PIL import Image, ImageCms

from ganfill.errors import UserError
from ganfill.images.photo import Photo, enlarge, in_mode_of

RNG = np.random.default_rng(0)
COLOURS = RNG.integers(0, 256, (12, 17, 3), dtype=np.uint8)


def read(picture, path, **options):
    picture.save(path, **options)
    return Photo.read(path)


def test_rgb_and_grey(tmp_path):
    assert np.array_equal(read(Image.fromarray(COLOURS), tmp_path / "a.png").pixels, COLOURS)
    grey = read(Image.fromarray(COLOURS[..., 0]), tmp_path / "b.png")
    assert np.array_equal(grey.pixels, COLOURS[..., :1].repeat(3, 2)) and grey.alpha is None


def test_a_palette_gives_its_colours_and_its_transparent_one_alpha_0(tmp_path):
    picture = Image.new("P", (3, 1))
    picture.putpalette([10, 20, 30, 200, 100, 50])
    picture.putpixel((1, 0), 1)
    photo = read(picture, tmp_path / "a.png")
    assert photo.pixels.tolist() == [[[10, 20, 30], [200, 100, 50], [10, 20, 30]]] and photo.alpha is None
    photo = read(picture, tmp_path / "b.png", transparency=1)
    assert photo.alpha.tolist() == [[255, 0, 255]]


def test_16_bits_are_scaled_not_clipped(tmp_path):
    photo = read(Image.fromarray(np.array([[0, 257, 25700, 65535]], np.uint16)), tmp_path / "a.png")
    assert photo.pixels[0, :, 0].tolist() == [0, 1, 100, 255]


def test_cmyk(tmp_path):
    photo = read(Image.new("CMYK", (2, 2), (255, 0, 0, 0)), tmp_path / "a.tif")
    assert photo.pixels[0, 0].tolist() == [0, 255, 255] and photo.profile is None


def test_alpha_is_kept_apart_from_the_colours_below_it(tmp_path):
    alpha = RNG.integers(0, 256, (12, 17), dtype=np.uint8)
    photo = read(Image.fromarray(np.dstack([COLOURS, alpha])), tmp_path / "a.png")
    assert np.array_equal(photo.pixels, COLOURS) and np.array_equal(photo.alpha, alpha)


def test_exif_turns_upright(tmp_path):
    rotated = Image.fromarray(COLOURS).transpose(Image.Transpose.ROTATE_90)
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x010F] = "a maker"
    photo = read(rotated, tmp_path / "a.jpg", exif=exif, quality=100, subsampling=0)
    assert abs(photo.pixels.astype(int) - COLOURS).mean() < 8
    kept = Image.Exif()
    kept.load(photo.exif)
    assert dict(kept) == {0x010F: "a maker"}
    assert read(rotated, tmp_path / "b.jpg").exif is None


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "I;16"])
def test_an_uncompressed_tiff_on_its_side_is_turned_upright(mode, tmp_path):
    values = RNG.integers(0, 65536, (12, 17), dtype=np.uint16)
    upright = Image.fromarray(values if mode == "I;16" else COLOURS)
    upright = upright if mode == "I;16" else upright.convert(mode)
    exif = Image.Exif()
    exif[0x0112] = 6
    rotated = upright.transpose(Image.Transpose.ROTATE_90)
    photo = read(rotated, tmp_path / "a.tif", exif=exif)
    assert np.array_equal(photo.pixels, Photo.of(upright).pixels)
    assert mode != "I;16" or np.array_equal(photo.deep, values)


def test_an_rgb_profile_is_kept_and_one_of_other_colours_is_not(tmp_path):
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    assert read(Image.fromarray(COLOURS), tmp_path / "a.png", icc_profile=profile).profile == profile
    assert read(Image.fromarray(COLOURS[..., 0]), tmp_path / "b.png", icc_profile=profile).profile is None


def test_an_animation_gives_its_first_frame(tmp_path):
    frames = [Image.new("RGB", (4, 4), colour) for colour in ("red", "blue")]
    photo = read(frames[0], tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    assert (photo.pixels == (255, 0, 0)).all()


@pytest.mark.parametrize("suffix", ["gif", "tif", "png", "webp"])
@pytest.mark.parametrize("shown", [0, 1, 2])
def test_the_first_frame_of_an_open_picture_is_taken_and_another_one_stays_shown(suffix, shown, tmp_path):
    frames = [Image.new("RGB", (4, 4), colour) for colour in ("red", "blue", "lime")]
    options = {"lossless": True} if suffix == "webp" else {}
    frames[0].save(tmp_path / f"a.{suffix}", save_all=True, append_images=frames[1:], **options)
    with Image.open(tmp_path / f"a.{suffix}") as picture:
        picture.seek(shown)
        photo = Photo.of(picture)
        assert (photo.pixels == (255, 0, 0)).all() and photo.frames == 3 and picture.tell() == shown
        assert np.array_equal(picture.convert("RGB"), frames[shown])


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.gif", "a.webp", "a.tif", "a.bmp", "a.qoi"])
def test_a_truncated_file_is_one_clear_line(name, tmp_path):
    path = tmp_path / name
    Image.fromarray(COLOURS).save(path)
    content = path.read_bytes()
    for share in (0, 0.02, 0.3, 0.7):
        path.write_bytes(content[: int(share * len(content))])
        with pytest.raises(UserError, match=rf"{path.name} cannot be read \(.*\): replace it or leave it out"):
            Photo.read(path)


def test_a_foreign_or_missing_file(tmp_path):
    (tmp_path / "a.png").write_text("hello")
    with pytest.raises(UserError, match="no picture in a format that ganfill reads"):
        Photo.read(tmp_path / "a.png")
    with pytest.raises(UserError, match=r"b\.png cannot be read"):
        Photo.read(tmp_path / "b.png")


@given(st.integers(1, 20), st.integers(1, 20), st.integers(1, 5))
@settings(deadline=None, max_examples=30)
def test_enlarging_by_whole_numbers_repeats_and_can_be_undone(height, width, factor):
    hole = np.random.default_rng(height * width).random((height, width)) < 0.5
    large = enlarge(hole, factor * height, factor * width)
    assert np.array_equal(large, np.kron(hole, np.ones((factor, factor), bool)))
    assert np.array_equal(enlarge(large, height, width), hole)


def test_floating_point_and_giant_pictures_are_refused_in_one_line(tmp_path, monkeypatch):
    Image.fromarray(np.zeros((4, 4), np.float32)).save(tmp_path / "float.tiff")
    with pytest.raises(UserError, match=r"float\.tiff cannot be read \(floating-point pixels"):
        Photo.read(tmp_path / "float.tiff")
    Image.new("RGB", (40, 40)).save(tmp_path / "giant.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    with pytest.raises(UserError, match=r"giant\.png cannot be read \(.*decompression bomb"):
        Photo.read(tmp_path / "giant.png")


def test_a_hole_in_a_transparent_ground_stays_transparent():
    pixels = np.full((12, 12, 4), 255, np.uint8)
    pixels[:, 6:, 3], pixels[:2, :, 3] = 0, 100
    photo, hole = Photo.of(Image.fromarray(pixels)), np.zeros((12, 12), bool)
    hole[4:8, 1:11] = True
    alpha = in_mode_of(photo, photo.pixels, hole)[..., 3]
    assert alpha[6, 1] > 200 and alpha[6, 10] < 50 and (np.diff(alpha[6, 1:11].astype(int)) <= 0).all()
    assert np.array_equal(alpha[~hole], pixels[..., 3][~hole])
    assert np.array_equal(in_mode_of(photo, photo.pixels, np.zeros_like(hole))[..., 3], pixels[..., 3])
    hole |= pixels[..., 3] == 0
    assert (in_mode_of(photo, photo.pixels, hole)[..., 3][hole] == 255).all()


HOLE = np.zeros((4, 6), bool)
HOLE[1:3, 2:4] = True


def finished(picture):
    """The photo of a file, finished with another level in its hole, as a picture."""
    read = Photo.of(picture)
    return Image.fromarray(in_mode_of(read, np.where(HOLE[..., None], np.uint8(7), read.pixels), HOLE))


@pytest.mark.parametrize(
    ("mode", "result"),
    [
        ("1", "L"),
        ("L", "L"),
        ("LA", "LA"),
        ("P", "RGB"),
        ("PA", "RGBA"),
        ("RGB", "RGB"),
        ("RGBA", "RGBA"),
        ("CMYK", "RGB"),
    ],
)
def test_grey_stays_grey_and_colour_colour(mode, result):
    levels = np.random.default_rng(0).integers(0, 256, (4, 6, 4), dtype=np.uint8)
    picture = Image.fromarray(levels).convert(mode)
    if mode in ("P", "PA"):
        picture = Image.fromarray(levels[..., :3]).convert("P").convert(mode)
    if mode == "PA":
        picture.putalpha(Image.fromarray(levels[..., 3]))
    after = finished(picture)
    assert after.mode == result
    known = np.asarray(picture.convert(result))[~HOLE], np.asarray(after)[~HOLE]
    assert np.array_equal(*known)
    assert (np.asarray(after.convert("L"))[HOLE] == 7).all()


@pytest.mark.parametrize("mode", ["I;16", "I;16B", "I"])
def test_16_bits_stay_outside_the_hole(mode, tmp_path):
    values = np.random.default_rng(0).integers(0, 65536, (4, 6), dtype=np.uint16)
    picture = Image.fromarray(values)
    if mode == "I":
        picture = Image.fromarray(values.astype(np.int32))
    elif mode == "I;16B":
        picture = Image.frombytes("I;16B", (6, 4), values.astype(">u2").tobytes())
    after = finished(picture)
    assert after.mode == "I;16" and np.array_equal(np.asarray(after)[~HOLE], values[~HOLE])
    assert (np.asarray(after)[HOLE] == 7 * 257).all()
    after.save(tmp_path / "a.png")
    with Image.open(tmp_path / "a.png") as again:
        assert np.array_equal(np.asarray(again), np.asarray(after))


def test_what_is_lost_is_said(tmp_path):
    assert Photo.of(Image.new("CMYK", (3, 2))).lost == "its CMYK colours are converted to RGB"
    colours = np.random.default_rng(0).integers(0, 65536, (4, 6, 3), dtype=np.uint16)
    cv2.imwrite(str(tmp_path / "deep.png"), colours)
    assert Photo.read(tmp_path / "deep.png").lost == "its 16 bits a colour are reduced to 8"
    cv2.imwrite(str(tmp_path / "grey.png"), colours[..., 0])
    pixels = np.array([0xF800, 0x07E0, 0x001F, 0], "<u2").tobytes()
    sizes = struct.pack("<IiiHHIIiiII", 40, 4, -1, 1, 16, 3, len(pixels), 0, 0, 0, 0)
    masks = struct.pack("<III", 0xF800, 0x07E0, 0x001F)
    (tmp_path / "small.bmp").write_bytes(
        b"BM" + struct.pack("<IHHI", 66 + len(pixels), 0, 0, 66) + sizes + masks + pixels
    )
    small = Photo.read(tmp_path / "small.bmp")
    assert small.lost == "" and small.pixels[0].tolist() == [[255, 0, 0], [0, 255, 0], [0, 0, 255], [0, 0, 0]]
    read = Photo.read(tmp_path / "grey.png")
    assert read.lost == "" and np.array_equal(read.deep, colours[..., 0])
    assert Photo.of(Image.new("RGB", (3, 2))).lost == Photo.of(Image.new("P", (3, 2))).lost == ""


def test_levels_beyond_16_bits_are_refused():
    with pytest.raises(ValueError, match="pixels outside 0 to 65535: save it with 8 or 16 bits"):
        Photo.of(Image.fromarray(np.full((2, 3), 70_000, np.int32)))


@pytest.mark.parametrize(("name", "most"), [("a.ppm", 65535), ("a.ppm", 1023), ("a.jp2", 65535)])
def test_deep_colours_of_other_formats_are_named(name, most, tmp_path):
    values = np.arange(64 * 64 * 3).reshape(64, 64, 3) % (most + 1)
    bits = most.bit_length()
    for depth, kind in ((bits, np.uint16), (8, np.uint8)):
        if name == "a.jp2":
            (tmp_path / name).write_bytes(cv2.imencode(".jp2", values.astype(kind))[1].tobytes())
        else:
            head = f"P6 64 64 {most if depth > 8 else 255}\n".encode()
            (tmp_path / name).write_bytes(head + values.astype(np.dtype(kind).newbyteorder(">")).tobytes())
        lost = f"its {bits} bits a colour are reduced to 8" if depth > 8 else ""
        photo = Photo.read(tmp_path / name)
        assert photo.lost == lost and photo.pixels.shape == (64, 64, 3)
