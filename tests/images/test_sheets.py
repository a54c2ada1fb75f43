import numpy as np
import pytest
from PIL import Image

from ganfill.images.sheets import CAPTION, GAP, captioned, damaged, fit, grid, save, save_gif

RED, BLUE = (np.full((4, 6, 3), colour, np.uint8) for colour in ((255, 0, 0), (0, 0, 255)))


def test_a_hole_is_painted_grey_and_the_rest_stays():
    hole = np.zeros((4, 6), bool)
    hole[1:3, 2:4] = True
    picture = damaged(RED, hole)
    assert (picture[hole] == 128).all() and np.array_equal(picture[~hole], RED[~hole]) and picture.dtype == np.uint8
    assert (RED == (255, 0, 0)).all()


def test_small_pictures_grow_by_whole_pixels():
    fitted = fit(np.arange(36, dtype=np.uint8).reshape(3, 4, 3), 11)
    assert fitted.size == (8, 6)
    assert np.array_equal(np.asarray(fitted), np.arange(36, dtype=np.uint8).reshape(3, 4, 3).repeat(2, 0).repeat(2, 1))


@pytest.mark.parametrize(("size", "expected"), [((100, 50), (10, 20)), ((1, 900), (20, 1)), ((900, 1), (1, 20))])
def test_large_pictures_shrink_into_the_square(size, expected):
    assert fit(np.zeros((*size, 3), np.uint8), 20).size == expected


def test_a_strip_holds_its_pictures_in_order():
    sheet = np.asarray(grid([[RED, BLUE]], side=12))
    assert sheet.shape == (12 + 2 * GAP, 2 * 12 + 3 * GAP, 3)
    middle = GAP + 6
    assert sheet[middle, GAP + 6].tolist() == [255, 0, 0] and sheet[middle, 2 * GAP + 18].tolist() == [0, 0, 255]
    assert sheet[0, 0].tolist() == [255, 255, 255]


def test_captions_stand_above():
    plain, named = grid([[RED, BLUE]], side=60), grid([[RED, BLUE]], ["eins", "zwei"], side=60)
    assert named.height == plain.height + CAPTION
    head = np.asarray(named)[: CAPTION + GAP // 2]
    assert (head[:, : GAP + 60] < 200).any() and (head[:, 2 * GAP + 60 :] < 200).any()
    assert np.array_equal(np.asarray(named)[CAPTION + GAP :], np.asarray(plain)[GAP:])


def test_a_grid_of_rows_of_different_length():
    sheet = np.asarray(grid([[RED], [BLUE, RED]], side=12))
    assert sheet.shape == (2 * 12 + 3 * GAP, 2 * 12 + 3 * GAP, 3)
    assert (sheet[GAP : GAP + 12, 2 * GAP + 12 :] == 255).all()
    assert sheet[2 * GAP + 18, 2 * GAP + 18].tolist() == [255, 0, 0]
    assert grid([]).size == (GAP, GAP)


def test_files_are_whole_or_not_there(tmp_path):
    save(RED, tmp_path / "deep/er/a.png")
    assert np.array_equal(Image.open(tmp_path / "deep/er/a.png"), RED)
    with pytest.raises(ValueError, match="unknown file extension"):
        save(RED, tmp_path / "deep/er/a.nothing")
    assert [path.name for path in (tmp_path / "deep/er").iterdir()] == ["a.png"]


def test_an_animation_rests_on_its_last_frame(tmp_path):
    save_gif([RED, BLUE, RED], tmp_path / "a.gif", side=12, milliseconds=50)
    with Image.open(tmp_path / "a.gif") as animation:
        assert animation.n_frames == 3 and animation.size == (12, 8) and animation.info["loop"] == 0
        durations = []
        for i in range(3):
            animation.seek(i)
            durations.append(animation.info["duration"])
    assert durations == [50, 50, 1000]
    save_gif([RED], tmp_path / "one.gif")
    with Image.open(tmp_path / "one.gif") as still:
        assert still.size == (252, 168)


def test_rows_with_captions_of_their_own():
    sheet = captioned([("one", [RED, BLUE]), ("nothing " * 40, []), ("three", [BLUE])], side=12)
    row = CAPTION + 12 + 2 * GAP
    assert sheet.size == (8 * 12, GAP + 2 * row + CAPTION)
    picture = np.asarray(sheet)
    middles = [CAPTION + GAP + 6, row + 2 * CAPTION + GAP + 6]
    assert picture[middles, GAP + 6].tolist() == [[255, 0, 0], [0, 0, 255]]
    assert (picture[row : row + CAPTION] < 200).any() and (picture[:, -GAP // 2 :] == 255).all()
    assert captioned([]).size == (8 * 128, GAP)
