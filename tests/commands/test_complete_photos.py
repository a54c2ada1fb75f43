"""``ganfill complete`` on pictures as people have them."""

import json

import numpy as np
import pytest
from PIL import Image, ImageCms

from ganfill import cli

QUICK = ["search=amos2016", "search.steps=2", "search.precision=fp32", "device=cpu"]
PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


@pytest.fixture
def ganfill(model_path, tmp_path, monkeypatch, capsys, caplog):
    """Runs ``ganfill complete`` in an empty folder: words -> exit code and what it said."""
    monkeypatch.chdir(tmp_path)

    def run(*words):
        caplog.clear()
        code = cli.run(["complete", *QUICK, f"model={model_path}", *words])
        said = capsys.readouterr()
        return code, said.out + said.err + caplog.text

    return run


@pytest.fixture
def work(tmp_path):
    return tmp_path


def colours(*size):
    return np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)


def mask(path, size, *rectangles):
    hole = np.zeros(size, bool)
    for top, left, bottom, right in rectangles:
        hole[top:bottom, left:right] = True
    Image.fromarray(hole).save(path)
    return hole


def test_a_phones_photo_comes_out_upright_with_its_data(ganfill, work):
    exif = Image.Exif()
    exif[0x0112], exif[0x0110] = 6, "a phone"
    Image.fromarray(colours(70, 40)).save(work / "a.png", exif=exif, icc_profile=PROFILE)
    before = np.rot90(colours(70, 40), -1)
    hole = mask(work / "mask.png", (40, 70), (10, 10, 20, 30))
    assert ganfill("a.png", "mask=mask.png", "out=out")[0] == 0
    with Image.open(work / "out/a.png") as after:
        assert after.size == (70, 40) and dict(after.getexif()) == {0x0110: "a phone"}
        assert after.info["icc_profile"] == PROFILE
        assert np.array_equal(np.asarray(after)[~hole], before[~hole])


def test_transparency_that_is_no_hole_stays(ganfill, work):
    alpha = np.full((40, 40), 255, np.uint8)
    alpha[:, :10], alpha[20:30, 20:30] = 99, 0
    Image.fromarray(np.dstack([colours(40, 40), alpha])).save(work / "a.png")
    assert ganfill("a.png", "mask=alpha", "out=out")[0] == 0
    after = np.asarray(Image.open(work / "out/a.png"))
    assert np.array_equal(after[..., 3], np.where(alpha == 0, 255, alpha))
    assert np.array_equal(after[alpha > 0, :3], colours(40, 40)[alpha > 0])


def test_two_faces_of_the_user_and_a_hole_outside(ganfill, work):
    Image.fromarray(colours(60, 150)).save(work / "a.png")
    hole = mask(work / "mask.png", (60, 150), (20, 20, 30, 30), (20, 70, 40, 80), (5, 120, 25, 130))
    code, said = ganfill("a.png", "mask=mask.png", "align=box", "box=5,5,55,55;60,5,110,55", "out=out", "gif=true")
    assert code == 0 and "a.png: 200 missing pixels lie outside any face and are filled from their neighbours" in said
    assert "a.png: a weak fit, score" in said
    after = np.asarray(Image.open(work / "out/a.png"))
    assert (
        np.array_equal(after[~hole], colours(60, 150)[~hole]) and (after != colours(60, 150)).any(2)[hole].mean() > 0.9
    )
    with Image.open(work / "out/a_strip.png") as strip:
        assert strip.height > 2 * 192  # a row for each face
    with Image.open(work / "out/a.gif") as animation:
        assert animation.width == 2 * animation.height
    code, said = ganfill("a.png", "mask=mask.png", "align=box", "box=5,5,55,55", "out=out")
    assert code == 0 and "400 missing pixels lie outside" in said  # another box is another result


def test_a_photo_without_a_face_is_reported(ganfill, work):
    Image.fromarray(colours(64, 100)).save(work / "a.png")
    mask(work / "mask.png", (64, 100), (20, 20, 30, 30))
    code, said = ganfill("a.png", "mask=mask.png", "out=out")
    assert code == 0 and "no face found" in said
    code, said = ganfill("a.png", "mask=mask.png", "out=out", "align=center")
    assert code == 0 and "no face found" not in said


def test_masks_beside_the_pictures(ganfill, work):
    (work / "in").mkdir()
    for name in ("a", "b"):
        Image.fromarray(colours(40, 50)).save(work / f"in/{name}.png")
    hole = mask(work / "in/a_mask.png", (40, 50), (10, 10, 20, 30))
    code, said = ganfill("in", "mask=in", "out=out")
    assert code == 1 and "b.png has no mask beside it: add" in said and "b_mask.png" in said
    after = np.asarray(Image.open(work / "out/a.png"))
    assert np.array_equal(after[~hole], colours(40, 50)[~hole]) and not (work / "out/a_mask.png").exists()


def test_masks_among_named_pictures(ganfill, work):
    for name in ("g/a.png", "g/sub/b.png", "g/c_mask.png"):  # the last is the mask of no picture
        (work / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(colours(40, 50)).save(work / name)
    for name in ("g/a_mask.png", "g/sub/b_mask.png", "g/c_mask_mask.png"):
        mask(work / name, (40, 50), (10, 10, 20, 30))
    named = ["a.png", "a_mask.png", "c_mask.png", "c_mask_mask.png", "sub/b.png", "sub/b_mask.png"]
    code, said = ganfill(*(f"g/{name}" for name in named), "mask=g", "out=out", "outputs=finished")
    assert code == 0 and "is the mask of" not in said
    assert {path.name for path in (work / "out").glob("*.png")} == {"a.png", "b.png", "c_mask.png"}
    code, said = ganfill("g/a.png", "g/a_mask.png", "mask=g/a_mask.png", "out=one", "outputs=finished")
    assert code == 0 and {path.name for path in (work / "one").glob("*.png")} == {"a.png"}


def test_sub_folders_masks_and_earlier_results(ganfill, work):
    for name in ("in/a/x.png", "in/b/x.png"):
        (work / name).parent.mkdir(parents=True)
        Image.fromarray(colours(40, 50)).save(work / name)
    mask(work / "in/a/x_mask.png", (40, 50), (10, 10, 20, 30))
    mask(work / "in/b/x_mask.png", (40, 50), (20, 10, 30, 30))
    assert ganfill("in", "mask=in", "out=in/res")[0] == 0
    assert {path.name for path in (work / "in/res").glob("*.png")} == {
        f"{n}_x{e}.png" for n in "ab" for e in ("", "_strip")
    }
    code, said = ganfill("in", "mask=in/a/x_mask.png", "out=out", "outputs=finished")
    assert code == 0 and "passed over in/res: earlier results of ganfill" in said and "is the mask of" not in said
    assert {path.name for path in (work / "out").glob("*.png")} == {"a_x.png", "b_x.png", "x_mask.png"}
    (work / "masks").mkdir()
    mask(work / "masks/x.png", (40, 50), (10, 10, 20, 30))
    code, said = ganfill("in/a/x.png,in/b/x.png", "mask=masks", "out=both", "outputs=finished")
    assert code == 0 and f"masks/x.png is the mask of 2 pictures: {work}/in/a/x.png, {work}/in/b/x.png" in said


def test_a_mask_is_widened_and_softened(ganfill, work):
    Image.fromarray(colours(40, 50)).save(work / "a.png")
    mask(work / "m.png", (40, 50), (15, 15, 25, 30))
    changed = {}
    for words in (["out=plain"], ["mask.grow=3", "out=grown"], ["mask_soften=3", "out=softened"]):
        assert ganfill("a.png", "mask=m.png", *words)[0] == 0
        out = words[-1].removeprefix("out=")
        changed[out] = (np.asarray(Image.open(work / out / "a.png")) != colours(40, 50)).any(2)
    assert not changed["plain"][12:15].any() and changed["grown"][12:15, 15:30].mean() > 0.9
    assert changed["softened"][12:15, 15:30].any() and not changed["softened"][:12].any()
    code, said = ganfill("a.png", "mask=m.png", "mask.grow=-1")
    assert code == 2 and "ganfill: mask_grow must be a number from 0 or null, got -1" in said


def test_paint_that_has_bled_is_completed_too(ganfill, work):
    hole = mask(work / "m.png", (60, 60), (20, 20, 40, 40))
    pixels = colours(60, 60) // 4
    pixels[hole] = (255, 0, 0)
    Image.fromarray(pixels).save(work / "a.jpg", quality=95)
    before = np.asarray(Image.open(work / "a.jpg"))
    changed = []
    for words in ([], ["mask.grow=0"]):
        code, said = ganfill("a.jpg", "mask=m.png", "out=out", *words)
        assert code == 0 and ("pixels around it are completed too; mask_grow=0 keeps them" in said) == (not words)
        changed.append((np.asarray(Image.open(work / "out/a.png")) != before).any(2))
    assert (changed[0] & ~hole).sum() > 100 and not (changed[1] & ~hole).any()


def test_what_was_found_is_said(ganfill, work):
    Image.fromarray(colours(60, 150)).save(work / "a.png")
    mask(work / "mask.png", (60, 150), (20, 20, 40, 40), (5, 120, 25, 130))
    words = ["a.png", "mask=mask.png", "align=box", "box=5,5,55,55", "out=out"]
    code, said = ganfill(*words)
    assert code == 0 and "a.png: hole 1 of 2, 20x20 at 20,20: model in region 5,5,55,55, score 0." in said
    assert "a.png: hole 2 of 2, 10x20 at 120,5: neighbours" in said
    first, second = json.loads((work / "out/results.json").read_text())["a"]["holes"]
    assert first["squares"][0]["left"] == 5 and first["squares"][0]["score"] > 0 and first["method"] == "model"
    assert second == {
        "left": 120, "top": 5, "right": 130, "bottom": 25, "pixels": 200, "method": "neighbours", "squares": []
    }  # fmt: skip


def test_everything_missing_is_said(ganfill, work):
    Image.fromarray(colours(32, 32)).save(work / "a.png")
    Image.new("L", (32, 32), 255).save(work / "m.png")
    code, said = ganfill("a.png", "mask=m.png", "out=out")
    assert code == 0 and "a.png: everything is missing" in said


@pytest.mark.parametrize("mode", ["L", "LA", "I;16"])
def test_a_grey_photo_stays_grey(ganfill, work, mode):
    levels = np.random.default_rng(0).integers(0, 65536, (40, 50), dtype=np.uint16)
    picture = (
        Image.fromarray(levels) if mode == "I;16" else Image.fromarray((levels >> 8).astype(np.uint8)).convert(mode)
    )
    if mode == "LA":
        picture.putalpha(200)
    picture.save(work / "a.png")
    hole = mask(work / "m.png", (40, 50), (10, 10, 30, 30))
    assert ganfill("a.png", "mask=m.png", "out=out")[0] == 0
    with Image.open(work / "out/a.png") as after:
        assert after.mode == mode
        assert np.array_equal(np.asarray(after)[~hole], np.asarray(picture)[~hole])


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["align=middle"], "align=middle is not known: use face, center, none or box"),
        (["align=box"], "align=box needs box=left,top,right,bottom"),
        (["box=1,2,3,4"], "align=face does not use box=1,2,3,4: give align=box"),
        (["align=box", "box=12"], "box=12 is not a square: give left,top,right,bottom"),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2(ganfill, work, words, message):
    Image.fromarray(colours(20, 20)).save(work / "a.png")
    code, said = ganfill("a.png", "mask=center", *words)
    assert code == 2 and f"ganfill: {message}" in said
