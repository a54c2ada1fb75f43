import numpy as np
import pytest
from PIL import Image

from ganfill.errors import UserError
from ganfill.files import walk
from ganfill.images import holes
from ganfill.images.holes import HoleSource, grow, masks_beside, soften, to_hole
from ganfill.images.photo import Photo

PHOTO = Photo(np.zeros((20, 30, 3), np.uint8))


def mask(hole, scale=255):
    return Image.fromarray((hole * scale).astype(np.uint8))


@pytest.fixture
def hole():
    hole = np.zeros((20, 30), bool)
    hole[4:9, 10:17] = True
    return hole


@pytest.mark.parametrize("mode", ["L", "1", "RGB", "RGBA", "P", "CMYK", "LA"])
def test_a_white_pixel_is_a_missing_one_in_any_mode(hole, mode, tmp_path):
    suffix = "tif" if mode == "CMYK" else "png"
    mask(hole).convert(mode).save(tmp_path / f"mask.{suffix}")
    source = HoleSource(str(tmp_path / f"mask.{suffix}"), 8)
    assert source.label == "mask"
    assert np.array_equal(source(PHOTO, "any"), hole)


def test_a_soft_edge_is_split_in_the_middle_also_with_16_bits():
    grey = np.array([[0, 0, 0, 100, 127, 128, 255, 255, 255]] * 5, np.uint8)
    expected = [[False] * 5 + [True] * 4] * 5
    assert to_hole(Image.fromarray(grey), (5, 9)).tolist() == expected
    assert to_hole(Image.fromarray(grey.astype(np.uint16) * 257), (5, 9)).tolist() == expected


def test_a_masks_own_transparency_plays_no_part(hole):
    picture = mask(hole).convert("RGBA")
    picture.putalpha(0)
    assert np.array_equal(to_hole(picture, (20, 30)), hole)


def test_a_mask_is_turned_as_its_exif_says(hole):
    rotated = mask(hole).transpose(Image.Transpose.ROTATE_90)
    rotated.getexif()[0x0112] = 6
    assert np.array_equal(to_hole(rotated, (20, 30)), hole)


def test_a_folder_is_paired_by_stem_and_a_file_serves_all(hole, tmp_path):
    mask(hole).save(tmp_path / "a.png")
    mask(~hole).save(tmp_path / "b.bmp")
    (tmp_path / "a.json").write_text("{}")
    folder = HoleSource(str(tmp_path), 8)
    assert np.array_equal(folder(PHOTO, "a"), hole) and np.array_equal(folder(PHOTO, "b"), ~hole)
    assert folder.file_of("b") == tmp_path / "b.bmp"
    with pytest.raises(UserError, match=r"holds no mask for c: add .*c_mask\.png"):
        folder(PHOTO, "c")
    one = HoleSource(str(tmp_path / "a.png"), 8)
    assert one.file_of("b") == tmp_path / "a.png" and np.array_equal(one(PHOTO, "b"), hole)


def test_a_folder_of_masks_is_listed_once(hole, tmp_path, monkeypatch):
    for name in "abcd":
        mask(hole).save(tmp_path / f"{name}.png")
    listed = []
    monkeypatch.setattr(holes, "walk", lambda path: listed.append(path) or walk(path))
    source = HoleSource(str(tmp_path), 8)
    assert [source.file_of(name) for name in "abcd"] == [tmp_path / f"{name}.png" for name in "abcd"]
    assert listed == [tmp_path]


def test_invert_turns_every_source_round(hole, tmp_path):
    mask(hole).save(tmp_path / "a.png")
    for word in (str(tmp_path / "a.png"), "box"):
        plain, inverted = (HoleSource(word, 8, invert=invert) for invert in (False, True))
        assert np.array_equal(inverted(PHOTO, "x"), ~plain(PHOTO, "x"))
        assert inverted.file_of("x") == plain.file_of("x")


def test_alpha_is_missing_where_it_is_0_only():
    alpha = np.array([[0, 1, 255]], np.uint8)
    source = HoleSource("alpha", 8)
    assert source(Photo(np.zeros((1, 3, 3), np.uint8), alpha), "x").tolist() == [[True, False, False]]
    assert source.file_of("x") is None
    with pytest.raises(UserError, match="holiday has no alpha channel"):
        source(PHOTO, "holiday")


def test_a_mask_of_the_same_proportions_is_scaled(hole):
    doubled = np.kron(hole, np.ones((2, 2), bool))
    assert np.array_equal(to_hole(mask(doubled), (20, 30)), hole)
    assert np.array_equal(to_hole(mask(hole), (40, 60)), doubled)
    assert to_hole(mask(hole), (21, 31)).shape == (21, 31)


@pytest.mark.parametrize("size", [(30, 20), (20, 20), (20, 33), (1, 30)])
def test_wrong_proportions(hole, size, tmp_path):
    mask(hole).save(tmp_path / "a.png")
    photo = Photo(np.zeros((*size, 3), np.uint8))
    with pytest.raises(UserError, match=rf"a\.png is 30x20, but its picture {size[1]}x{size[0]}"):
        HoleSource(str(tmp_path / "a.png"), 8)(photo, "a")


def test_a_mask_on_its_side(hole):
    with pytest.raises(UserError, match=r"a mask of the same proportions, or turn it by 90 degrees$"):
        to_hole(mask(hole), (30, 20))


@pytest.mark.parametrize(
    ("word", "hint"),
    [
        ("centre", "did you mean center?"),
        ("freefrom", "did you mean freeform?"),
        ("aplha", "did you mean alpha?"),
        ("no/such/file.png", "use center, half, .*alpha, a mask file or a folder"),
    ],
)
def test_an_unknown_word_gets_a_hint(word, hint):
    with pytest.raises(UserError, match=rf"mask={word} is neither a kind of hole nor a file: {hint}"):
        HoleSource(word, 8)


def test_a_drawn_hole_covers_the_middle_square_in_blocks():
    source = HoleSource("random", 4, seed=3)
    hole = source(Photo(np.zeros((8, 20, 3), np.uint8)), "x")
    assert hole.shape == (8, 20) and not hole[:, :6].any() and not hole[:, 14:].any()
    blocks = hole[:, 6:14].reshape(4, 2, 4, 2).transpose(0, 2, 1, 3).reshape(16, 4)
    assert all(block.all() or not block.any() for block in blocks)
    assert blocks[:, 0].sum() == 13
    assert source.file_of("x") is None


def test_a_damaged_mask_is_named(tmp_path):
    (tmp_path / "m.png").write_bytes(b"no picture")
    with pytest.raises(UserError, match=r"m\.png cannot be read \(no picture in a format that ganfill reads\)"):
        HoleSource(str(tmp_path / "m.png"), 8)(PHOTO, "a")


def test_a_mask_beside_its_picture(hole, tmp_path):
    mask(~hole).save(tmp_path / "a.png")
    mask(hole).save(tmp_path / "a_mask.png")
    mask(hole).save(tmp_path / "b_mask.png")
    assert np.array_equal(HoleSource(str(tmp_path), 8)(PHOTO, "a"), hole)
    assert masks_beside(tmp_path) == [tmp_path / "a_mask.png"]


def test_masks_in_sub_folders_belong_to_pictures_in_folders_of_these_names(hole, tmp_path):
    for name in ("a/x.png", "b/x_mask.png", "y.png", "deep/b/y.png"):
        (tmp_path / "masks" / name).parent.mkdir(parents=True, exist_ok=True)
        mask(hole).save(tmp_path / "masks" / name)
    source = HoleSource(str(tmp_path / "masks"), 8)
    expected = {"a/x.jpg": "a/x.png", "b/x.jpg": "b/x_mask.png", "b/y.jpg": "y.png", "deep/b/y.jpg": "deep/b/y.png"}
    for picture, file in expected.items():
        assert source.file_of(tmp_path / "photos" / picture) == tmp_path / "masks" / file
    with pytest.raises(UserError, match="masks holds no mask for x: add"):
        source.file_of(tmp_path / "photos/c/x.jpg")
    assert masks_beside(tmp_path / "masks") == []
    mask(hole).save(tmp_path / "masks/b/x.jpg")
    assert masks_beside(tmp_path / "masks") == [tmp_path / "masks/b/x_mask.png"]


def test_two_masks_of_a_picture_are_named(hole, tmp_path):
    for name in ("x.png", "x.bmp", "y.png", "y_mask.png"):
        mask(hole).save(tmp_path / name)
    source = HoleSource(str(tmp_path), 8)
    with pytest.raises(UserError, match=r"x\.bmp and .*x\.png are both masks of x: keep one of them"):
        source.file_of("photos/x.jpg")
    assert source.file_of(tmp_path / "x.png") and source.file_of("y") == tmp_path / "y_mask.png"


def test_names_of_a_mac_and_capital_letters(hole, tmp_path):
    for name in ("caf\u00e9.png", "Upper_mask.png"):
        mask(hole).save(tmp_path / name)
    source = HoleSource(str(tmp_path), 8)
    assert source.file_of("cafe\u0301.jpg") == tmp_path / "caf\u00e9.png"
    with pytest.raises(UserError, match=r"no mask for upper, but .*Upper_mask\.png: write both with the same capital"):
        source.file_of("upper.jpg")


def test_a_hole_grows_in_every_direction(hole):
    grown = grow(hole, 2)
    assert grown[4:9, 8:19].all() and grown[2:11, 10:17].all() and not grown[2, 8] and grown.sum() < 11 * 9 + 1
    assert np.array_equal(grow(hole, 0), hole) and not grow(np.zeros((3, 4), bool), 5).any()


def test_a_softened_edge_fades_into_the_photo():
    hole = np.zeros((40, 40), bool)
    hole[10:30, 10:30] = True
    photo, picture = np.zeros((40, 40, 3), np.uint8), np.zeros((40, 40, 3), np.uint8)
    picture[hole] = 200
    wide = grow(hole, 4)
    picture[wide] = 200
    softened = soften(picture, photo, wide, 4)
    assert softened[20, :, 0].tolist()[4:12] == [0, 0, 50, 100, 150, 200, 200, 200]
    assert (softened[hole] == 200).all() and not softened[~wide].any()
    assert soften(picture, photo, hole, 0) is picture
