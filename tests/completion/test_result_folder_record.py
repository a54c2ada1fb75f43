"""What a run knows of earlier results: what is done, and what it may replace."""

import json

import pytest
from PIL import Image

from ganfill.completion.pipeline import Filled
from ganfill.completion.result_folder import ResultFolder
from ganfill.errors import UserError
from ganfill.images.holes import HoleSource
from tests.completion.results import add, filled, make

RECORD = ".record.jsonl"


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
