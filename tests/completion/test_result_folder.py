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
from tests.completion.results import add, filled, make

RECORD = ".record.jsonl"


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
