import io
import struct
import subprocess

import numpy as np
import pytest
from PIL import Image, TiffImagePlugin, UnidentifiedImageError

from ganfill.data.decode import Unusable, decode
from ganfill.errors import UserError
from ganfill.images.formats import count_frames, explain_refusal, formats, open_picture, suffixes
from ganfill.images.photo import Photo

PICTURE = Image.fromarray(np.random.default_rng(0).integers(0, 256, (8, 8, 3), np.uint8))
POSTSCRIPT = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n%%EndComments\nshowpage\n"


def test_postscript_is_handed_to_no_other_program_whatever_its_name(tmp_path, monkeypatch):
    monkeypatch.setattr(subprocess, "check_call", lambda *words, **options: pytest.fail("Ghostscript was called"))
    (tmp_path / "holiday.png").write_bytes(POSTSCRIPT)
    with pytest.raises(UserError, match="no picture in a format that ganfill reads"):
        Photo.read(tmp_path / "holiday.png")
    with pytest.raises(Unusable, match="not a picture"):
        decode(POSTSCRIPT, 8, "center")


@pytest.mark.parametrize("name", ["EPS", "FLI", "ICNS", "PSD", "WMF"])
def test_formats_of_no_photos_are_left_out(name):
    assert name in Image.OPEN or (Image.init() and name in Image.OPEN)
    assert name not in formats() and not {".eps", ".ps", ".pdf", ".wmf", ".txt", ""} & suffixes()


@pytest.mark.parametrize("name", ["a.png", "a.JPG", "a.tif", "b.webp", "a.bmp", "a.gif", "a.jp2", "a.ppm"])
def test_formats_of_photos_are_read(name, tmp_path):
    PICTURE.save(tmp_path / name)
    assert (tmp_path / name).suffix.lower() in suffixes() and Photo.read(tmp_path / name).pixels.shape == (8, 8, 3)


def test_a_file_of_several_pictures_by_a_camera(tmp_path):
    PICTURE.save(tmp_path / "a.mpo", save_all=True, append_images=[PICTURE])
    assert ".mpo" in suffixes() and Photo.read(tmp_path / "a.mpo").pixels.shape == (8, 8, 3)


def test_the_preview_of_a_camera_raw_file_is_no_photo():
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    tags[254] = 1
    PICTURE.save(file := io.BytesIO(), "TIFF", tiffinfo=tags)
    with pytest.raises(UnidentifiedImageError):
        open_picture(file)
    assert explain_refusal("IMG_1.DNG") == "camera raw: develop it to a PNG or JPEG file"


def test_heic_is_read_with_its_package(tmp_path):
    pytest.importorskip("pillow_heif", reason="the extra heif is not installed")
    assert "HEIF" in formats() and ".heic" in suffixes()
    PICTURE.save(tmp_path / "a.heic")
    assert Photo.read(tmp_path / "a.heic").pixels.shape == (8, 8, 3)


def test_heic_without_its_package_says_what_is_missing(monkeypatch):
    monkeypatch.setattr("ganfill.images.formats.formats", lambda: ("PNG",))
    assert explain_refusal("IMG_1.HEIC") == "HEIC needs pillow-heif: pip install 'ganfill[heif]'"


@pytest.mark.parametrize(
    ("kinds", "count"),
    [
        ((0x030000, 0), 1),  # a photo with a depth or gain map, as phones write it
        ((0x030000, 0x010001, 0x010002), 1),  # with previews for screens
        ((0x020002, 0x020002), 2),  # a stereo pair
        ((0x020001, 0x020001, 0x020001, 0), 3),  # a panorama with a map
    ],
)
def test_views_of_an_mpo_are_counted_and_its_previews_and_maps_are_not(kinds, count):
    file = io.BytesIO()
    PICTURE.save(file, "MPO", save_all=True, append_images=[PICTURE] * (len(kinds) - 1))
    data = bytearray(file.getvalue())
    with Image.open(file) as picture:
        first = data.index(struct.pack("<LL", 0x030000, picture.mpinfo[0xB002][0]["Size"]))
    for number, kind in enumerate(kinds):
        data[first + 16 * number : first + 16 * number + 4] = struct.pack("<L", kind)
    with open_picture(io.BytesIO(data)) as picture:
        assert picture.format == "MPO" and picture.n_frames == len(kinds) and count_frames(picture) == count


@pytest.mark.parametrize(
    ("suffix", "n"), [(".gif", 1), (".gif", 3), (".gif", 9), (".tif", 1), (".tif", 3), (".tif", 9)]
)
def test_frames_are_counted_up_to_a_limit_and_the_first_is_read(suffix, n, tmp_path, monkeypatch):
    monkeypatch.setattr("ganfill.images.formats.MOST_FRAMES", 5)
    others = [PICTURE.point(lambda value, k=k: value // (k + 2)) for k in range(n - 1)]
    PICTURE.save(tmp_path / f"a{suffix}", save_all=True, append_images=others)
    first = Photo.read(tmp_path / f"a{suffix}")
    assert first.frames == min(n, 5)
    with Image.open(tmp_path / f"a{suffix}") as picture:
        assert np.array_equal(first.pixels, np.asarray(picture.convert("RGB")))


def test_a_million_frames_are_not_counted():
    frame = b"!\xf9\x04\0\0\0\0\0,\0\0\0\0\x01\0\x01\0\0\x02\x02D\x01\0"
    content = b"GIF89a\x01\0\x01\0\x80\0\0\0\0\0\xff\xff\xff" + frame * 20_000 + b";"
    assert count_frames(open_picture(io.BytesIO(content))) == 1000
