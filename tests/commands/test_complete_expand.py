import numpy as np
import pytest
from PIL import Image


@pytest.fixture
def photo(work):
    pixels = np.random.default_rng(0).integers(0, 256, (48, 64, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(work / "photo.png")
    return pixels


def read(path):
    return np.asarray(Image.open(path).convert("RGB"))


def test_a_picture_grows_and_keeps_its_pixels(ganfill, work, photo):
    code, said = ganfill("photo.png", "expand=left:25%,bottom:8", "out=wider", "answers=2")
    assert code == 0, said
    for name in ("photo.png", "answers/photo_2.png"):
        larger = read(work / "wider" / name)
        assert larger.shape == (56, 80, 3) and np.array_equal(larger[:48, 16:], photo)
        assert larger[:, :16].std() > 0 and larger[48:].any()
    assert "not completed" not in said and "outside any face" not in said


def test_it_goes_with_a_mask_and_changes_the_results(ganfill, work, photo):
    plain, wider = ["mask=center", "out=out"], ["mask=center", "expand=right:10", "out=out"]
    assert ganfill("photo.png", *plain)[0] == 0 and read(work / "out/photo.png").shape == (48, 64, 3)
    assert ganfill("photo.png", *wider)[0] == 0
    done = read(work / "out/photo.png")
    assert done.shape == (48, 74, 3)
    changed = (done[:, :64] != photo).any(2)
    assert changed[20:28, 28:36].mean() > 0.9 and not changed[:4].any()


def test_the_new_part_is_widened_and_softened_too(ganfill, work, photo):
    assert ganfill("photo.png", "expand=left:16", "mask_grow=8", "out=grown")[0] == 0
    assert ganfill("photo.png", "expand=left:16", "mask_grow=2", "mask_soften=6", "out=softened")[0] == 0
    grown, softened = read(work / "grown/photo.png"), read(work / "softened/photo.png")
    # The edge fades into the photo, and nothing of the black canvas of the new part returns.
    assert np.array_equal(grown[:, :18], softened[:, :18]) and not np.array_equal(grown[:, 18:24], softened[:, 18:24])
    assert (grown[:, 16:24] != photo[:, :8]).any(2).mean() > 0.9 and np.array_equal(softened[:, 24:], photo[:, 8:])


def test_a_folder_of_pictures_may_be_called_nothing(ganfill, work, photo):
    (work / "nothing").mkdir()
    (work / "photo.png").rename(work / "nothing/photo.png")
    assert ganfill("nothing", "expand=left:16", "out=out")[0] == 0 and (work / "out/photo.png").is_file()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "complete needs mask=... or expand=...; see ganfill complete --help"),
        (["expand=left"], "expand=left is not known at 'left': give each side once"),
        (["expand=left:5", "landmarks=yunet.onnx"], "expand=left:5 does not use landmarks=yunet.onnx: leave it out"),
        (["expand=left:1000"], "1 of 1 not completed"),
    ],
)
def test_a_mistake_is_told(ganfill, photo, words, message):
    code, said = ganfill("photo.png", *words)
    assert code == (1 if "1000" in str(words) else 2) and f"ganfill: {message}" in said
