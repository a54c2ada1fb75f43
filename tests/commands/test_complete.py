import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.commands.complete_files import figures, names, picture, results


def test_a_photo_named_by_its_path_alone(ganfill, work):
    before = picture(work / "my photo, 1.png", (40, 50))
    code, said = ganfill("my photo, 1.png", "mask=center", "out=filled")
    assert code == 0 and said.startswith("filled\n")
    name = "my photo, 1"
    expected = [f"answers/{name}_1.png", f"{name}.png", f"{name}_strip.png", "results.json", "summary.json"]
    assert names(work / "filled") == sorted(expected)
    after = np.asarray(Image.open(work / f"filled/{name}.png"))
    changed = (after != before).any(2)
    assert changed[10:30, 15:35].mean() > 0.9
    changed[10:30, 15:35] = False
    assert not changed.any()
    assert results(work / "filled")[name]["missing"] == 0.2


@pytest.mark.parametrize("blend", ["paste", "feather", "poisson"])
def test_known_pixels_of_every_file_are_the_photos(ganfill, work, blend):
    sizes = {"landscape": (40, 70), "portrait": (90, 40), "small": (20, 17)}
    photos = {name: picture(work / f"in/{name}.png", size) for name, size in sizes.items()}
    holes = {}
    for name, size in sizes.items():
        holes[name] = np.zeros(size, bool)
        holes[name][5:12, size[1] // 2 :] = True
        (work / "masks").mkdir(exist_ok=True)
        Image.fromarray(holes[name]).save(work / f"masks/{name}.png")
    assert ganfill("images=in", "mask=masks", "out=out", f"blend={blend}", "answers=2")[0] == 0
    for name, before in photos.items():
        for file in (f"{name}.png", f"answers/{name}_1.png", f"answers/{name}_2.png"):
            after = np.asarray(Image.open(work / "out" / file))
            assert np.array_equal(after[~holes[name]], before[~holes[name]])
            assert not np.array_equal(after[holes[name]], before[holes[name]])


def test_bad_files_are_listed_and_the_good_ones_done(ganfill, work):
    picture(work / "in/good.png")
    picture(work / "in/cut.png")
    (work / "in/cut.png").write_bytes((work / "in/cut.png").read_bytes()[:300])
    (work / "in/text.png").write_text("hello")
    code, said = ganfill("in", "mask=center", "out=out")
    assert code == 1 and "2 of 3 not completed" in said and "cut.png cannot be read" in said
    assert "text.png cannot be read (no picture in a format that ganfill reads)" in said
    assert list(results(work / "out")) == ["good"] and (work / "out/good.png").is_file()
    summary = figures(work / "out")
    assert summary["completed"] == 1 and set(summary["failed"]) == {"out/cut", "out/text"}


def test_a_picture_without_its_mask_is_listed(ganfill, work):
    picture(work / "in/a.png")
    picture(work / "in/b.png")
    (work / "masks").mkdir()
    Image.new("L", (32, 32), 255).save(work / "masks/a.png")
    code, said = ganfill("in", "mask=masks", "out=out")
    assert code == 1 and "masks holds no mask for b" in said and list(results(work / "out")) == ["a"]


def test_a_folder_called_like_a_kind_of_hole_is_no_folder_of_masks(ganfill, work):
    for name in ("a", "b"):
        picture(work / f"in/{name}.png")
    (work / "center").mkdir()
    code, said = ganfill("in", "mask=center", "out=out", "outputs=finished")
    assert code == 0 and "is the mask of" not in said


def test_stems_that_clash(ganfill, work):
    picture(work / "in/x/a.png", seed=0)
    picture(work / "in/y/a.png", seed=1)
    picture(work / "in/b.png", seed=2)
    picture(work / "in/b_strip.png", seed=3)
    assert ganfill("in", "mask=center", "out=out")[0] == 0
    assert set(results(work / "out")) == {"x_a", "y_a", "b", "b_strip.png"}
    files = [file for record in results(work / "out").values() for file in record["files"]]
    assert len(set(files)) == len(files) == 12


def test_answers_and_animation(ganfill, work):
    picture(work / "a.png")
    assert ganfill("a.png", "mask=freeform", "out=out", "answers=3", "gif=true", "search.steps=12")[0] == 0
    assert names(work / "out") == [
        "a.gif",
        "a.png",
        "a_strip.png",
        "answers/a_1.png",
        "answers/a_2.png",
        "answers/a_3.png",
        "results.json",
        "summary.json",
    ]
    record = results(work / "out")["a"]
    assert len(record["scores"]) == 3 and record["scores"] == sorted(record["scores"])
    assert (work / "out/answers/a_1.png").read_bytes() == (work / "out/a.png").read_bytes()
    with Image.open(work / "out/a.gif") as animation:
        assert animation.format == "GIF" and animation.n_frames > 5


def test_only_the_outputs_asked_for_are_written(ganfill, work):
    picture(work / "a.png")
    assert ganfill("a.png", "mask=center", "out=out", "outputs=finished")[0] == 0
    assert names(work / "out") == ["a.png", "results.json", "summary.json"]
    assert ganfill("a.png", "mask=center", "out=out", "outputs=strip,finished")[0] == 0
    assert names(work / "out") == ["a.png", "a_strip.png", "results.json", "summary.json"]
    assert ganfill("a.png", "mask=center", "out=out", "outputs=[finished,strip]")[0] == 0
    assert figures(work / "out")["skipped"] == 1


def test_several_masks_make_a_folder_each(ganfill, work):
    picture(work / "a.png")
    Image.new("L", (32, 32), 255).save(work / "all.png")
    assert ganfill("images=a.png", "mask=left,box,all.png", "out=out")[0] == 0
    missing = {label: results(work / "out" / label)["a"]["missing"] for label in ("left", "box", "all")}
    assert missing["left"] == 0.5 and 0 < missing["box"] < 0.5 and missing["all"] == 1
    assert figures(work / "out")["completed"] == 3 and not (work / "out/results.json").exists()
    widths = {}
    for label in ("left", "all"):
        with Image.open(work / "out" / label / "a_strip.png") as strip:
            widths[label] = strip.width
    assert widths["left"] == widths["all"] + 200  # the original is shown where the hole is made up


def test_inverted_mask_and_transparency(ganfill, work):
    before = picture(work / "a.png")
    mask = np.zeros((32, 32), bool)
    mask[:20] = True
    Image.fromarray(mask).save(work / "mask.png")
    assert ganfill("a.png", "mask=mask.png", "invert=true", "out=one")[0] == 0
    assert np.array_equal(np.asarray(Image.open(work / "one/a.png"))[:20], before[:20])
    Image.fromarray(np.dstack([before, mask * np.uint8(255)])).save(work / "b.png")
    assert ganfill("b.png", "mask=alpha", "out=two")[0] == 0
    assert np.array_equal(np.asarray(Image.open(work / "two/b.png"))[:20], before[:20])
    assert results(work / "two")["b"]["missing"] == 0.375


def test_a_picture_with_nothing_missing_stays(ganfill, work, caplog):
    before = picture(work / "a.png")
    Image.new("L", (32, 32)).save(work / "mask.png")
    assert ganfill("a.png", "mask=mask.png", "out=out", "gif=true")[0] == 0
    assert "a.png: nothing is missing" in caplog.text
    assert np.array_equal(Image.open(work / "out/a.png"), before)
    assert results(work / "out")["a"]["files"] == ["a.png"]


def test_results_inside_the_pictures_are_no_pictures(ganfill, work):
    picture(work / "in/a.png")
    for _ in range(2):
        assert ganfill("in", "mask=center", "out=in/filled")[0] == 0
    assert list(results(work / "in/filled")) == ["a"] and figures(work / "in/filled")["skipped"] == 1


def test_a_folder_with_a_number_for_a_name(ganfill, work):
    picture(work / "2024/a.png")
    assert ganfill("images=2024", "mask=center", "out=out")[0] == 0
    assert list(results(work / "out")) == ["a"]


def test_the_summary_tells_what_was_done_with_what(ganfill, work, model_path):
    picture(work / "a.png")
    assert ganfill("a.png", "mask=center", "out=out")[0] == 0
    summary = json.loads((work / "out/summary.json").read_text("utf-8"))
    assert summary["command"] == "complete" and summary["seconds"] > 0
    assert summary["figures"] == {"completed": 1, "skipped": 0, "failed": {}, "converted": {}, "passed_over": {}}
    assert summary["config"]["search"]["steps"] == 2 and summary["config"]["model"] == str(model_path)


def test_what_cannot_be_written_is_listed_and_the_rest_done(ganfill, work):
    picture(work / "in/good.png")
    picture(work / f"in/{'long' * 62}.png")
    code, said = ganfill("in", "mask=center", "out=out")
    assert code == 1 and "its results cannot be written (File name too long)" in said
    assert results(work / "out")["good"]["digest"] and figures(work / "out")["completed"] == 1


def test_every_file_is_counted(ganfill, work, caplog):
    picture(work / "in/a.png")
    first = Image.new("RGB", (40, 40))
    first.save(work / "in/b.gif", save_all=True, append_images=[Image.new("RGB", (40, 40), c) for c in ("red", "blue")])
    first.save(work / "in/c.tif", save_all=True, append_images=[first])
    first.save(work / "in/d.mpo", save_all=True, append_images=[first])
    for name in ("e.dng", "f.jxl", "g.txt", "h.txt"):
        (work / "in" / name).touch()
    (work / "in/i.png").symlink_to("nowhere.png")
    assert ganfill("in", "mask=center", "out=out")[0] == 0
    counted = figures(work / "out")
    assert counted["completed"] == 4
    assert sorted(counted["converted"].values()) == [
        "first of 2 pictures",
        "first of 3 pictures",
    ]
    assert sorted(Path(name).name for name in counted["passed_over"]) == ["e.dng", "f.jxl", "g.txt", "h.txt", "i.png"]
    assert "passed over 2 files .txt: no picture in a format that ganfill reads" in caplog.messages
    assert "passed over 1 files .dng: camera raw: develop it to a PNG or JPEG file" in caplog.messages
    assert any("the file holds 3 pictures, and the first is completed" in message for message in caplog.messages)


def test_a_name_that_is_no_utf_8(ganfill, work):
    try:
        picture(work / "in" / os.fsdecode(b"caf\xe9.png"))
    except OSError:
        pytest.skip("this file system takes no such name")
    assert ganfill("in", "mask=random", "out=out")[0] == 0
    assert (work / "out" / os.fsdecode(b"caf\xe9.png")).is_file()


def test_false_may_be_written_large(ganfill, work):
    picture(work / "a.png")
    Image.new("L", (32, 32), 255).save(work / "mask.png")
    assert ganfill("a.png", "mask=mask.png", "invert=False", "out=out")[0] == 0
    assert results(work / "out")["a"]["missing"] == 1


def test_the_command_imports_no_lightning():
    check = (
        "import sys, ganfill.commands.complete; print({'pytorch_lightning', 'lightning', 'wandb'} & set(sys.modules))"
    )
    finished = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True)
    assert finished.stdout.strip() == "set()", finished.stderr
