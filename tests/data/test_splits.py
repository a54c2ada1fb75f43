import json
from pathlib import Path

import pytest

from ganfill.data.sources import Source
from ganfill.data.splits import by_ffhq_id, by_hash, choose_rules, identify
from ganfill.errors import UserError


def source(path, *names):
    return Source(Path(path), Path(path).name, Path(path).name.removesuffix(".zip"), dict.fromkeys(names, 1), "")


def splits(split, *sources):
    rules = choose_rules(split, sources)
    return [[rule(name) for name in source.files] for rule, source in zip(rules, sources, strict=True)]


def test_ffhq_ids_below_60000_train():
    names = ["00000/00000.png", "59000/59999.png", "60000/60000.png", "69999.jpg"]
    assert [by_ffhq_id(name) for name in names] == ["train", "train", "test", "test"]
    assert [by_ffhq_id(name) for name in ["LICENSE.txt", "face_00001.png", "٣.png", "²²²²².png"]] == [None] * 4


def test_the_hash_tests_a_tenth_and_sees_only_the_path_without_suffix():
    found = [by_hash(f"folder/{number}.png") for number in range(2000)]
    assert 150 < found.count("test") < 250 and set(found) == {"train", "test"}
    assert found == [by_hash(f"folder/{number}.jpeg") for number in range(2000)]
    assert found != [by_hash(f"other/{number}.png") for number in range(2000)]


def test_the_hash_never_changes():
    assert [number for number in range(40) if by_hash(f"{number}.png") == "test"] == [18, 29]
    assert by_hash("\udcff.png") in ("train", "test")  # a name that is not UTF-8


def test_auto_chooses_for_each_source():
    ffhq = source("thumbnails", "00000/00001.png", "60000/60001.png", "README.txt")
    own = source("own", "00001.png", "1234.png")
    empty = source("empty", "README.txt")
    assert choose_rules("auto", [ffhq, own, empty]) == [by_ffhq_id, by_hash, by_hash]
    assert splits("auto", ffhq) == [["train", "test", None]]


def test_named_splits_hold_for_all_sources():
    first, second = source("a", "00001.png", "60001.png"), source("b", "x.png")
    assert splits("test", first, second) == [["test", "test"], ["test"]]
    assert splits("ffhq", first, second) == [["train", "test"], [None]]
    assert choose_rules("hash", [first, second]) == [by_hash, by_hash]


def test_a_file_names_the_test_pictures_by_path_or_name(tmp_path, caplog):
    path = tmp_path / "split.json"
    path.write_text(json.dumps({"faces.zip": {"test_files": ["a/1.png", "2.png"]}, "own": {"test_files": []}}))
    faces, own = source("x/faces.zip", "a/1.png", "b/1.png", "c/2.png"), source("own", "a/1.png")
    assert splits(str(path), faces, own) == [["test", "train", "test"], ["train"]]
    assert not caplog.records


def test_a_zip_may_be_named_without_its_suffix(tmp_path):
    path = tmp_path / "split.json"
    path.write_text(json.dumps({"faces": {"test_files": ["1.png"]}}))
    assert splits(str(path), source("faces.zip", "1.png", "2.png")) == [["test", "train"]]


def test_a_name_that_is_not_there_warns(tmp_path, caplog):
    path = tmp_path / "split.json"
    path.write_text(json.dumps({"own": {"test_files": ["1.png", "9.png", "8.png"]}}))
    assert splits(str(path), source("own", "1.png", "2.png")) == [["test", "train"]]
    assert "names 2 test files that are not in own, such as 8.png" in caplog.text


def test_a_file_that_does_not_name_a_source_is_refused(tmp_path):
    path = tmp_path / "split.json"
    path.write_text(json.dumps({"other": {"test_files": []}}))
    with pytest.raises(UserError, match=r"split\.json does not name own, only other: add it"):
        choose_rules(str(path), [source("own", "1.png")])


@pytest.mark.parametrize(
    "text", ["", "[]", "[" * 100_000, '{"own": []}', '{"own": {}}', '{"own": {"test_files": "1.png"}}', "\xff"]
)
def test_a_file_of_another_form_is_refused(tmp_path, text):
    path = tmp_path / "split.json"
    path.write_text(text, encoding="latin-1")
    with pytest.raises(UserError, match=r"split\.json does not have the form .*test_files.*: correct it"):
        choose_rules(str(path), [source("own", "1.png")])


@pytest.mark.parametrize("choose", [identify, lambda split: choose_rules(split, [source("own", "1.png")])])
def test_other_words_are_refused(tmp_path, choose):
    for word in ("ffhg", str(tmp_path)):
        with pytest.raises(UserError, match=r"is not known: use auto, ffhq, hash, test or an existing JSON file"):
            choose(word)


def test_an_index_remembers_the_name_or_the_content_of_the_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("hash").write_text("{}")
    Path("split.json").write_text("{}")
    assert identify("hash") == "hash"
    assert identify("./hash") == identify("split.json") != "split.json"
    assert identify("./hash").startswith("sha256:")
