import json
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from ganfill.completion.pipeline import Filled
from ganfill.completion.result_folder import ResultFolder
from ganfill.errors import UserError
from ganfill.images.holes import HoleSource
from ganfill.images.photo import Photo
from ganfill.images.regions import Box, make_view

RECORD = ".record.jsonl"


def make(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (4, 4)).save(folder / name)


@pytest.fixture
def photo():
    return Photo(np.random.default_rng(0).integers(0, 256, (8, 12, 3), dtype=np.uint8))


def add(folder, job, photo, hole, filled):
    folder.begin(job)
    folder.finish(job, folder.write(job, photo, hole, filled))


def filled(photo, hole, answers=1, frames=0):
    pictures = [photo.pixels + i for i in range(answers)]
    small = [np.zeros((8, 8, 3), np.uint8)] * answers
    frame = [np.full((8, 8, 3), 9 * i, np.uint8) for i in range(frames)]
    views = [make_view(photo.pixels, hole, Box(0, 2, 8, 10), 8)]
    return Filled(pictures, views, [small], [0.123456, 0.2, 0.3][:answers], frame)


@pytest.fixture
def hole():
    hole = np.zeros((8, 12), bool)
    hole[2:5, 4:8] = True
    return hole


def test_what_is_done_is_known_until_something_changes(tmp_path, photo, hole):
    make(tmp_path, "a.png", "mask.png")
    source, results = HoleSource(str(tmp_path / "mask.png"), 8), tmp_path / "out"
    folder = ResultFolder(results, {"seed": 0}, False)
    job = folder.job("a", tmp_path / "a.png", source)
    assert not folder.has(job)
    add(folder, job, photo, hole, filled(photo, hole))
    folder.write_results()

    def done(settings, name="a"):
        again = ResultFolder(results, settings, False)
        return again.has(again.job(name, tmp_path / "a.png", source))

    assert done({"seed": 0}) and not done({"seed": 1}) and not done({"seed": 0}, "b")
    (results / "a_strip.png").unlink()
    assert not done({"seed": 0})
    Image.new("L", (4, 4)).save(results / "a_strip.png")
    assert done({"seed": 0})
    Image.new("L", (4, 4), 255).save(tmp_path / "mask.png")
    assert not done({"seed": 0})


def test_files_and_record_of_a_picture(tmp_path, photo, hole):
    make(tmp_path, "ä b.png")
    folder = ResultFolder(tmp_path / "out", {}, True)
    job = folder.job("ä b", tmp_path / "ä b.png", HoleSource("center", 8))
    add(folder, job, photo, hole, filled(photo, hole, answers=2, frames=3))
    folder.write_results()
    record = json.loads((tmp_path / "out/results.json").read_text("utf-8"))["ä b"]
    assert record == {
        "source": str(tmp_path / "ä b.png"),
        "missing": 0.125,
        "scores": [0.12346, 0.2],
        "holes": [],
        "files": ["ä b.png", "answers/ä b_1.png", "answers/ä b_2.png", "ä b_strip.png", "ä b.gif"],
        "digest": job.digest,
    }
    there = {str(path.relative_to(tmp_path / "out")) for path in (tmp_path / "out").rglob("*") if path.is_file()}
    assert there == {*record["files"], "results.json", RECORD}
    assert np.array_equal(Image.open(tmp_path / "out/ä b.png"), photo.pixels)
    assert np.array_equal(Image.open(tmp_path / "out/answers/ä b_2.png"), photo.pixels + 1)


def test_older_files_of_a_name_go(tmp_path, photo, hole):
    make(tmp_path, "a.png")
    folder = ResultFolder(tmp_path / "out", {}, False)
    job = folder.job("a", tmp_path / "a.png", HoleSource("center", 8))
    add(folder, job, photo, hole, filled(photo, hole, answers=3, frames=2))
    add(folder, job, photo, hole, filled(photo, hole))
    assert {path.name for path in (tmp_path / "out").rglob("*.*")} == {
        "a.png",
        "a_1.png",
        "a_strip.png",
        RECORD,
    }
    add(folder, job, photo, hole, Filled([photo.pixels]))
    assert {path.name for path in (tmp_path / "out").rglob("*.*")} == {"a.png", RECORD}


def test_a_strip_begins_with_the_original_only_if_it_is_known(tmp_path, photo, hole):
    make(tmp_path, "a.png")
    sizes = []
    for original in (True, False):
        folder = ResultFolder(tmp_path / str(original), {}, original)
        add(folder, folder.job("a", tmp_path / "a.png", HoleSource("center", 8)), photo, hole, filled(photo, hole))
        with Image.open(folder.path / "a_strip.png") as strip:
            sizes.append(strip.width)
    assert sizes[0] - sizes[1] == 200


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "[" * 100_000,
        "[]",
        "null",
        "\x00",
        '{"a": []}',
        '{"a": {"digest": "0"}}',
        '{"a": {"files": ["../a.png"]}}',
    ],
)
def test_a_damaged_list_of_results_is_made_anew(tmp_path, content):
    make(tmp_path, "a.png")
    (tmp_path / "out").mkdir()
    (tmp_path / "out/results.json").write_text(content)
    folder = ResultFolder(tmp_path / "out", {}, False)
    assert not folder.records
    assert not folder.has(folder.job("a", tmp_path / "a.png", HoleSource("center", 8)))


def test_a_missing_picture_or_folder_is_one_line(tmp_path):
    folder = ResultFolder(tmp_path / "out", {}, False)
    with pytest.raises(UserError, match=r"a\.png cannot be read \(No such file or directory\)"):
        folder.job("a", tmp_path / "a.png", HoleSource("center", 8))
    (tmp_path / "file").touch()
    for place in ("file", "file/below"):
        with pytest.raises(UserError, match=rf"out=.*{place} cannot be created \(.*\): choose another folder"):
            ResultFolder(tmp_path / place, {}, False)


def test_the_colour_profile_is_kept(tmp_path, photo, hole):
    make(tmp_path, "a.png")
    folder = ResultFolder(tmp_path / "out", {}, False)
    job = folder.job("a", tmp_path / "a.png", HoleSource("center", 8))
    add(folder, job, Photo(photo.pixels, None, b"some profile"), hole, filled(photo, hole))
    with Image.open(tmp_path / "out/a.png") as finished:
        assert finished.info["icc_profile"] == b"some profile"


def test_the_users_files_and_other_pictures_results_are_not_replaced(tmp_path, photo, hole):
    source = HoleSource("center", 8)
    make(tmp_path, "a.png", "x/b.png", "y/b.png", "out/c_strip.png", "c.png")
    with pytest.raises(UserError, match=r"the results of .*a\.png would replace .*a\.png: choose another out"):
        ResultFolder(tmp_path, {}, False).job("a", tmp_path / "a.png", source)
    folder = ResultFolder(tmp_path / "out", {}, False)
    with pytest.raises(UserError, match=r"would replace .*c_strip\.png"):
        folder.job("c", tmp_path / "c.png", source)
    add(folder, folder.job("b", tmp_path / "x/b.png", source), photo, hole, filled(photo, hole))
    assert folder.job("b", tmp_path / "x/b.png", source)
    with pytest.raises(UserError, match=r"would replace those of .*x/b\.png"):
        folder.job("b", tmp_path / "y/b.png", source)
    (tmp_path / "x/b.png").rename(tmp_path / "x/moved.png")
    assert folder.job("b", tmp_path / "y/b.png", source)


def test_the_users_answers_are_not_replaced(tmp_path, photo, hole):
    source = HoleSource("center", 8)
    make(tmp_path, "a.png", "out/answers/a_2.png")
    own = (tmp_path / "out/answers/a_2.png").read_bytes()
    assert ResultFolder(tmp_path / "out", {}, False, ("finished",), answers=2).job("a", tmp_path / "a.png", source)
    folder = ResultFolder(tmp_path / "out", {}, False)  # with one answer
    add(folder, folder.job("a", tmp_path / "a.png", source), photo, hole, filled(photo, hole))
    folder.begin(folder.job("a", tmp_path / "a.png", source))  # and is interrupted
    more = ResultFolder(tmp_path / "out", {}, False, answers=2)
    with pytest.raises(UserError, match=r"would replace .*answers/a_2\.png: choose another out"):
        more.job("a", tmp_path / "a.png", source)
    assert (tmp_path / "out/answers/a_2.png").read_bytes() == own
    make(tmp_path, "b.png", "out/answers/b_1.png", "out/answers/b.png")
    finished = ResultFolder(tmp_path / "out", {}, False, ("finished",))
    for _ in range(2):  # the second time after an interruption
        finished.begin(finished.job("b", tmp_path / "b.png", source))
    finished.finish(finished.job("b", tmp_path / "b.png", source), {"files": ["b.png"]})
    assert (tmp_path / "out/answers/b_1.png").exists()


def test_a_run_cut_off_while_writing_is_not_done_and_may_write_again(tmp_path, photo, hole, monkeypatch):
    make(tmp_path, "a.png")
    source = HoleSource("center", 8)
    folder = ResultFolder(tmp_path / "out", {"seed": 0}, False)
    add(folder, folder.job("a", tmp_path / "a.png", source), photo, hole, filled(photo, hole))
    folder.write_results()
    later = ResultFolder(tmp_path / "out", {"seed": 1}, False)
    monkeypatch.setattr(later, "_strip", lambda *_: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        add(later, later.job("a", tmp_path / "a.png", source), photo, hole, filled(photo, hole, answers=2))
    for seed in (0, 1):
        again = ResultFolder(tmp_path / "out", {"seed": seed}, False)
        assert not again.has(again.job("a", tmp_path / "a.png", source))


def test_transparency_outside_the_hole_is_kept(tmp_path, photo, hole):
    make(tmp_path, "a.png")
    alpha = np.full((8, 12), 255, np.uint8)
    alpha[:4] = 9
    folder = ResultFolder(tmp_path / "out", {}, False)
    job = folder.job("a", tmp_path / "a.png", HoleSource("center", 8))
    add(folder, job, Photo(photo.pixels, alpha), hole, filled(photo, hole))
    finished = np.asarray(Image.open(tmp_path / "out/a.png"))
    assert np.array_equal(finished[..., 3], np.where(hole, 255, alpha))
    add(folder, job, Photo(photo.pixels, np.where(hole, 0, 255).astype(np.uint8)), hole, filled(photo, hole))
    assert np.asarray(Image.open(tmp_path / "out/a.png")).shape == (8, 12, 3)


def test_further_pictures_are_files_of_their_own(tmp_path, photo, hole):
    path = tmp_path / "a.png"
    Image.fromarray(photo.pixels).save(path)
    folder = ResultFolder(tmp_path / "out", {}, show_original=False)
    job = folder.job("a", path, HoleSource("center", 32))
    extras = {"mean": photo.pixels, "uncertainty": np.zeros_like(photo.pixels)}
    add(folder, job, photo, hole, Filled([photo.pixels], extras=extras))
    assert {"a_mean.png", "a_uncertainty.png"} <= set(folder.records["a"]["files"])
    deep = replace(photo, deep=np.full(hole.shape, 40_000, np.uint16), grey=True)
    for kind in (photo, deep):  # the uncertainty is no photo: it is 0 where pixels are known
        add(folder, job, kind, hole, Filled([photo.pixels], extras=extras))
        with Image.open(tmp_path / "out/a_uncertainty.png") as picture:
            assert not np.array(picture).any()


def test_only_the_outputs_asked_for_are_written(tmp_path, photo, hole):
    make(tmp_path, "a.png")
    for outputs, expected in {
        ("finished",): {"a.png"},
        ("strip",): {"a_strip.png"},
        ("finished", "answers"): {"a.png", "answers/a_1.png", "answers/a_2.png"},
    }.items():
        folder = ResultFolder(tmp_path / "out", {"outputs": outputs}, False, outputs, answers=2)
        job = folder.job("a", tmp_path / "a.png", HoleSource("center", 8))
        add(folder, job, photo, hole, filled(photo, hole, answers=2))
        files = {str(path.relative_to(folder.path)) for path in folder.path.rglob("*.png")}
        assert files == expected == set(folder.records["a"]["files"])


def test_results_of_earlier_versions_are_known(tmp_path, photo, hole):
    make(tmp_path, "a.png", "b.png")
    source = HoleSource("center", 8)
    folder = ResultFolder(tmp_path / "out", {}, False)
    add(folder, folder.job("a", tmp_path / "a.png", source), photo, hole, filled(photo, hole))
    folder.write_results()
    (folder.path / RECORD).unlink()
    before = (folder.path / "results.json").read_bytes()
    again = ResultFolder(tmp_path / "out", {}, False)
    assert again.has(again.job("a", tmp_path / "a.png", source))
    add(again, again.job("b", tmp_path / "b.png", source), photo, hole, filled(photo, hole))
    again.write_results()
    results = json.loads((folder.path / "results.json").read_text())
    assert list(results) == ["a", "b"] and results["a"] == json.loads(before)["a"]
    assert (folder.path / "results.json").read_bytes().startswith(before.removesuffix(b"\n}\n"))


def test_what_is_not_finished_is_no_result(tmp_path, photo, hole):
    make(tmp_path, "a.png", "b.png")
    folder = ResultFolder(tmp_path / "out", {}, False)
    folder.begin(folder.job("a", tmp_path / "a.png", HoleSource("center", 8)))
    folder.write_results()
    assert json.loads((folder.path / "results.json").read_text()) == {}
    add(folder, folder.job("b", tmp_path / "b.png", HoleSource("center", 8)), photo, hole, filled(photo, hole))
    folder.write_results()
    assert list(json.loads((folder.path / "results.json").read_text())) == ["b"]


def test_results_are_written_again_only_after_a_change(tmp_path, photo, hole):
    make(tmp_path, "a.png")
    folder = ResultFolder(tmp_path / "out", {}, False)
    folder.write_results()
    assert not (folder.path / "results.json").exists()
    add(folder, folder.job("a", tmp_path / "a.png", HoleSource("center", 8)), photo, hole, filled(photo, hole))
    folder.write_results()
    stamp = (folder.path / "results.json").stat().st_mtime_ns
    folder.write_results()
    assert (folder.path / "results.json").stat().st_mtime_ns == stamp
    (folder.path / "results.json").unlink()
    ResultFolder(tmp_path / "out", {}, False).write_results()
    assert (folder.path / "results.json").exists()
