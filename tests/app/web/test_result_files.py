import io

import numpy as np
import pytest
from PIL import Image, ImageCms

from ganfill.app.web import html
from ganfill.app.web.result_files import surroundings, to_sentence, write
from ganfill.completion.pipeline import Filled
from ganfill.images.alignment import OTHERWISE, WHERE
from ganfill.images.photo import Photo

RANDOM = np.random.default_rng(0)


def picture():
    return RANDOM.integers(0, 256, (30, 20, 3), np.uint8)


@pytest.fixture
def photo():
    exif = Image.Exif()
    exif[271] = "a camera"
    exif[274] = 6
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    Image.fromarray(picture()).save(file := io.BytesIO(), "PNG", exif=exif, icc_profile=profile)
    return Photo.of(Image.open(file))


def test_downloads_keep_the_metadata_of_the_photo(photo, tmp_path):
    before = tmp_path / "shown.png"
    (tmp_path / "found").mkdir()
    pictures = [RANDOM.integers(0, 256, photo.pixels.shape, np.uint8) for _ in range(2)]
    filled = Filled(pictures, scores=[0.1234, 0.5], frames=[picture(), picture()], extras={"mean": picture()})
    found = write(photo, np.ones(photo.pixels.shape[:2], bool), filled, "me", before, tmp_path / "found")
    assert [answer.full.name for answer in found.answers] == ["me_completed_1.png", "me_completed_2.png"]
    assert [answer.caption for answer in found.answers] == ["0.123", "0.500"]
    for answer, wanted in zip(found.answers, pictures, strict=True):
        with Image.open(answer.full) as full, Image.open(answer.shown) as shown:
            assert (np.asarray(full) == wanted).all() and shown.size == (34 * full.width, 34 * full.height)
            assert full.getexif()[271] == "a camera" and 274 not in full.getexif() and full.info["icc_profile"]
    with Image.open(found.gif) as gif:
        assert gif.n_frames == 2
    assert [path.stem for path, _ in found.extras] == ["mean"] and found.before == before
    written = [found.gif, *(path for path, _ in found.extras)]
    written += [path for answer in found.answers for path in (answer.shown, answer.full)]
    assert sorted(written) == sorted((tmp_path / "found").iterdir())


def test_a_small_hole_is_shown_with_its_surroundings(photo, tmp_path):
    hole = np.zeros(photo.pixels.shape[:2], bool)
    hole[2:6, 10:14] = True
    found = write(photo, hole, Filled([255 - photo.pixels]), "me", tmp_path / "whole.png", tmp_path)
    with Image.open(found.before) as before, Image.open(found.answers[0].shown) as after:
        assert before.size == after.size and before.size[0] == before.size[1]
        assert (np.asarray(before) == 255 - np.asarray(after)).all()
        assert tuple(np.asarray(before)[0, 0]) == tuple(photo.pixels[0, 8])
    with Image.open(found.answers[0].full) as full:
        assert full.size == photo.pixels.shape[1::-1]
    hole[15:18, :3] = True
    assert surroundings(hole) == (slice(None), slice(None)) == surroundings(np.zeros_like(hole))


def test_answers_without_scores_and_frames(photo, tmp_path):
    found = write(photo, np.zeros(photo.pixels.shape[:2], bool), Filled([photo.pixels]), "me", tmp_path, tmp_path)
    assert [answer.full.name for answer in found.answers] == ["me_completed.png"]
    assert found.answers[0].caption is None and found.gif is None and found.extras == []


def test_remarks_are_sentences_and_mention_the_settings():
    for remedy in (WHERE, OTHERWISE):
        assert to_sentence(f"no face found; {remedy}") == "No face found; choose another place under Settings."
    assert to_sentence("is it a face?") == "Is it a face?"


def test_texts_are_escaped():
    assert "<b>" not in html.message("<b>.png cannot be read") + html.remarks(["<b>"])


@pytest.mark.parametrize(
    ("share", "waiting", "left", "words"),
    [(0, False, None, ">Starting …<"), (0, True, None, "Waiting"), (0.5, False, 12.3, "50%, about 12 s left")],
)
def test_progress_shows_the_state_of_the_search(share, waiting, left, words):
    shown = html.progress(share, picture(), waiting, left)
    assert words in shown and ("value='0.500'" in shown) == (share > 0) and "data:image/png" in shown
