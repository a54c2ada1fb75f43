import hypothesis.strategies as st
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from PIL import Image, ImageCms

from ganfill.completion.blend import Feather, Paste, Poisson
from ganfill.completion.photo import Photo, choose_box, enlarge, finish, has_picture_suffix, look
from ganfill.errors import UserError

RNG = np.random.default_rng(0)
COLOURS = RNG.integers(0, 256, (12, 17, 3), dtype=np.uint8)


@st.composite
def damaged_photos(draw):
    """A photo of any shape and a hole in it, a rectangle anywhere."""
    height, width = draw(st.integers(1, 60)), draw(st.integers(1, 60))
    top, left = draw(st.integers(0, height - 1)), draw(st.integers(0, width - 1))
    bottom, right = draw(st.integers(top + 1, height)), draw(st.integers(left + 1, width))
    hole = np.zeros((height, width), bool)
    hole[top:bottom, left:right] = True
    return np.random.default_rng(draw(st.integers(0, 99))).integers(0, 256, (height, width, 3), dtype=np.uint8), hole


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
    turned = Image.fromarray(COLOURS).transpose(Image.Transpose.ROTATE_90)
    exif = Image.Exif()
    exif[0x0112] = 6
    assert np.array_equal(read(turned, tmp_path / "a.png", exif=exif).pixels, COLOURS)


def test_an_rgb_profile_is_kept_and_one_of_other_colours_is_not(tmp_path):
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    assert read(Image.fromarray(COLOURS), tmp_path / "a.png", icc_profile=profile).profile == profile
    assert read(Image.fromarray(COLOURS[..., 0]), tmp_path / "b.png", icc_profile=profile).profile is None


def test_an_animation_gives_its_first_frame(tmp_path):
    frames = [Image.new("RGB", (4, 4), colour) for colour in ("red", "blue")]
    photo = read(frames[0], tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    assert (photo.pixels == (255, 0, 0)).all()


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
    with pytest.raises(UserError, match="no picture that Pillow knows"):
        Photo.read(tmp_path / "a.png")
    with pytest.raises(UserError, match=r"b\.png cannot be read"):
        Photo.read(tmp_path / "b.png")


def test_suffixes_of_pictures(tmp_path):
    assert all(has_picture_suffix(tmp_path / name) for name in ("a.png", "a.JPG", "a.tif", "b.webp"))
    assert not any(has_picture_suffix(tmp_path / name) for name in ("a.txt", "a.pdf", "a", "a.json"))


@pytest.mark.parametrize(
    ("size", "hole", "box"),
    [
        ((20, 20), (3, 3, 5, 5), (0, 0, 20, 20)),
        ((20, 30), (3, 9, 5, 11), (0, 5, 20, 25)),
        ((20, 30), (3, 0, 5, 2), (0, 0, 20, 20)),
        ((20, 30), (3, 28, 5, 30), (0, 10, 20, 30)),
        ((30, 20), (26, 3, 28, 5), (8, 0, 28, 20)),
        ((20, 50), (3, 2, 5, 48), (0, 0, 20, 50)),
        ((20, 50), (0, 10, 20, 30), (0, 10, 20, 30)),
    ],
)
def test_the_box_slides_as_far_as_the_hole_needs(size, hole, box):
    missing = np.zeros(size, bool)
    missing[hole[0] : hole[2], hole[1] : hole[3]] = True
    assert choose_box(missing) == box


@given(damaged_photos())
@settings(deadline=None, max_examples=60)
def test_the_box_lies_in_the_photo_and_holds_the_hole(damaged):
    _, hole = damaged
    top, left, bottom, right = choose_box(hole)
    assert 0 <= top < bottom <= len(hole) and 0 <= left < right <= hole.shape[1]
    assert hole[top:bottom, left:right].sum() == hole.sum()
    assert bottom - top == right - left == min(hole.shape) or (bottom, right) == hole.shape


@given(damaged_photos(), st.sampled_from([4, 8, 16]))
@settings(deadline=None, max_examples=60)
def test_nothing_of_the_hole_reaches_the_model(damaged, resolution):
    photo, hole = damaged
    view = look(photo, hole, resolution)
    other = np.where(hole[..., None], 255 - photo, photo)
    assert torch.equal(view.image, look(other, hole, resolution).image)
    assert view.image.shape == (3, resolution, resolution) and view.hole.shape == (1, resolution, resolution)
    assert view.hole.any() and not view.image[:, view.hole[0]].any()
    assert view.image.abs().max() <= 1 and view.image.isfinite().all()


@given(damaged_photos())
@settings(deadline=None, max_examples=40)
def test_known_small_pixels_are_means_of_known_large_ones(damaged):
    photo, hole = damaged
    photo = np.where(hole[..., None], photo, np.uint8(200))
    view = look(photo, hole, 8)
    assert (view.image[:, ~view.hole[0]] - (200 / 127.5 - 1)).abs().lt(1e-5).all()


def test_a_small_pixel_is_known_only_if_all_of_its_pixels_are():
    hole = np.zeros((16, 16), bool)
    hole[5, 9] = True
    assert look(np.zeros((16, 16, 3), np.uint8), hole, 4).hole[0].nonzero().tolist() == [[1, 2]]


def test_a_photo_of_the_models_size_is_seen_as_it_is():
    photo = RNG.integers(0, 256, (16, 16, 3), dtype=np.uint8)
    hole = np.zeros((16, 16), bool)
    hole[2:5, 7:9] = True
    view = look(photo, hole, 16)
    wanted = np.where(hole[..., None], 127.5, photo) / 127.5 - 1
    np.testing.assert_allclose(view.image.permute(1, 2, 0), wanted, atol=1e-6)
    assert np.array_equal(view.hole[0], hole)


def test_scaling_down_averages():
    photo = RNG.integers(0, 256, (8, 8, 3), dtype=np.uint8)
    hole = np.zeros((8, 8), bool)
    hole[0, 0] = True
    small = look(photo, hole, 4).image.permute(1, 2, 0)
    means = photo.reshape(4, 2, 4, 2, 3).mean((1, 3)) / 127.5 - 1
    np.testing.assert_allclose(small[1:], means[1:], atol=1e-6)


@pytest.mark.parametrize("blend", [Paste(), Feather(), Poisson()], ids=lambda blend: type(blend).__name__)
@given(damaged_photos())
@settings(deadline=None, max_examples=25)
def test_known_pixels_of_a_photo_of_any_size_stay_bit_for_bit(blend, damaged):
    photo, hole = damaged
    before = photo.copy()
    answer = torch.rand(3, 8, 8, generator=torch.Generator().manual_seed(0)) * 2 - 1
    finished = finish(answer, photo, hole, choose_box(hole), blend)
    assert finished.shape == photo.shape and finished.dtype == np.uint8
    assert np.array_equal(finished[~hole], photo[~hole]) and np.array_equal(photo, before)


def test_an_answer_of_the_right_size_is_pasted_as_it_is():
    answer = torch.rand(3, 8, 8, generator=torch.Generator().manual_seed(0)) * 2 - 1
    finished = finish(answer, np.zeros((8, 8, 3), np.uint8), np.ones((8, 8), bool), (0, 0, 8, 8), Paste())
    np.testing.assert_allclose(finished, (answer.permute(1, 2, 0) + 1) * 127.5, atol=0.51)


def test_an_answer_is_scaled_into_its_box():
    answer = torch.zeros(3, 4, 4)
    answer[:, :, 2:] = 1
    hole = np.zeros((16, 24), bool)
    hole[:, 6:18] = True
    finished = finish(answer, np.zeros((16, 24, 3), np.uint8), hole, (0, 4, 16, 20), Paste())
    assert not finished[:, :6].any() and not finished[:, 18:].any()
    assert abs(int(finished[8, 7, 0]) - 128) < 12 and finished[8, 16, 0] > 240


@pytest.mark.parametrize("blend", [Feather(1e9), Poisson()], ids=lambda blend: type(blend).__name__)
def test_a_hole_at_the_boxs_edge_meets_the_photo_beyond_it(blend):
    photo, hole = np.full((8, 24, 3), 90, np.uint8), np.zeros((8, 24), bool)
    hole[:, 8:16] = True  # the box is all hole, with known pixels left and right of it
    assert choose_box(hole) == (0, 8, 8, 16)
    finished = finish(torch.full((3, 4, 4), 0.5), photo, hole, (0, 8, 8, 16), blend)
    assert (finished == 90).all()


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
