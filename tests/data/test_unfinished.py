import json

import numpy as np
import pytest

from ganfill.data.unfinished import Progress, Unfinished, refuse_others
from ganfill.errors import UserError

SETTINGS = {"format": "ganfill-images-1", "resolution": 4, "source": [{"name": "own", "digest": "a"}]}


def picture(number):
    return np.full((1, 4, 4, 3), number, np.uint8)


def fill(out, *numbers):
    """Adds pictures as entries of their own and leaves the store unfinished."""
    with Unfinished(out, SETTINGS, 4) as unfinished:
        for number in numbers:
            unfinished.add(picture(number), Progress(number + 1, [(number, f"sha{number}")], [], [(number, "grey")]))


def continued(out):
    with Unfinished(out, SETTINGS, 4) as unfinished:
        return unfinished.progress


def journal(out):
    return out / ".partial" / "journal.jsonl"


def test_what_was_added_is_there_again(tmp_path):
    fill(tmp_path / "out", 0, 1)
    fill(tmp_path / "out", 2)
    progress = continued(tmp_path / "out")
    assert progress.position == 3
    assert [number for number, _ in progress.pictures] == [number for number, _ in progress.converted] == [0, 1, 2]
    assert progress.skipped == []


def test_an_entry_may_hold_no_picture(tmp_path):
    with Unfinished(tmp_path, SETTINGS, 4) as unfinished:
        unfinished.add(np.empty((0, 4, 4, 3), np.uint8), Progress(5, [], [(3, "empty")], []))
    assert continued(tmp_path) == Progress(5, [], [[3, "empty"]], [])  # pyright: ignore[reportArgumentType]


def test_a_finished_array_is_an_ordinary_npy_file(tmp_path):
    fill(tmp_path, 0, 1)
    with Unfinished(tmp_path, SETTINGS, 4) as unfinished:
        unfinished.finish("the index")
    images = np.load(tmp_path / "images.npy")
    assert np.array_equal(images, np.concatenate([picture(0), picture(1)])) and images.dtype == np.uint8
    assert (tmp_path / "index.json").read_text() == "the index"
    assert {path.name for path in tmp_path.iterdir()} == {"images.npy", "index.json"}
    np.save(tmp_path / "again.npy", images)
    assert (tmp_path / "again.npy").read_bytes() == (tmp_path / "images.npy").read_bytes()


@pytest.mark.parametrize("cut", [1, 10, 40])
def test_a_torn_last_line_is_dropped_with_its_pictures(tmp_path, cut):
    fill(tmp_path, 0, 1)
    journal(tmp_path).write_bytes(journal(tmp_path).read_bytes()[:-cut])
    assert continued(tmp_path).position == 1
    assert (tmp_path / ".partial" / "images.npy").stat().st_size == 128 + 48
    fill(tmp_path, 1)
    assert continued(tmp_path).position == 2


def test_a_torn_first_line_begins_anew(tmp_path):
    fill(tmp_path, 0)
    journal(tmp_path).write_bytes(journal(tmp_path).read_bytes()[:9])
    assert continued(tmp_path).position == 0
    assert json.loads(journal(tmp_path).read_text()) == SETTINGS


@pytest.mark.parametrize(("cut", "left"), [(1, 1), (48, 1), (49, 0), (96, 0), (200, 0)])
def test_entries_whose_pictures_are_not_all_there_are_dropped(tmp_path, cut, left):
    fill(tmp_path, 0, 1)
    images = tmp_path / ".partial" / "images.npy"
    images.write_bytes(images.read_bytes()[:-cut])
    assert continued(tmp_path).position == left
    assert images.stat().st_size == 128 + left * 48


def test_pictures_without_an_entry_are_dropped(tmp_path):
    fill(tmp_path, 0)
    with (tmp_path / ".partial" / "images.npy").open("ab") as file:
        file.write(bytes(30))
    fill(tmp_path, 1)
    with Unfinished(tmp_path, SETTINGS, 4) as unfinished:
        unfinished.finish("")
    assert np.array_equal(np.load(tmp_path / "images.npy"), np.concatenate([picture(0), picture(1)]))


def test_another_configuration_is_refused_and_changes_nothing(tmp_path):
    fill(tmp_path, 0)
    before = journal(tmp_path).read_bytes()
    with pytest.raises(UserError, match=r"was prepared with another resolution: give another out or delete it"):
        Unfinished(tmp_path, SETTINGS | {"resolution": 8}, 8)
    assert journal(tmp_path).read_bytes() == before


def test_the_keys_that_differ_are_named(tmp_path):
    refuse_others(tmp_path, SETTINGS | {"more": 1}, SETTINGS)
    with pytest.raises(UserError, match=r"with another format, crop: ") as caught:
        refuse_others(tmp_path, SETTINGS, SETTINGS | {"format": "x", "crop": "none"})
    assert str(caught.value).startswith(str(tmp_path))
    with pytest.raises(UserError, match=r"another source \(other files in it\): "):
        refuse_others(tmp_path, SETTINGS, SETTINGS | {"source": [{"name": "own", "digest": "b"}]})
    with pytest.raises(UserError, match=r"another source: "):
        refuse_others(tmp_path, SETTINGS, SETTINGS | {"source": [{"name": "other", "digest": "a"}]})


def test_a_foreign_array_is_left_alone(tmp_path):
    (tmp_path / "images.npy").write_bytes(b"precious")
    with pytest.raises(UserError, match=r"images\.npy does not belong to an image store: give another out"):
        Unfinished(tmp_path, SETTINGS, 4)
    assert [path.name for path in tmp_path.iterdir()] == ["images.npy"]
    assert (tmp_path / "images.npy").read_bytes() == b"precious"


def test_a_foreign_array_beside_an_unfinished_store_is_left_alone(tmp_path):
    fill(tmp_path, 0)
    (tmp_path / "images.npy").write_bytes(b"precious")
    with pytest.raises(UserError, match="does not belong to an image store"):
        Unfinished(tmp_path, SETTINGS, 4)
    assert (tmp_path / "images.npy").read_bytes() == b"precious"


def test_a_file_in_the_way_is_no_directory(tmp_path):
    (tmp_path / "out").write_text("a file")
    with pytest.raises(UserError, match=r"out cannot be created \(.*\): give another out"):
        Unfinished(tmp_path / "out", SETTINGS, 4)
    assert (tmp_path / "out").read_text() == "a file"


def test_discarding_leaves_only_what_others_put_there(tmp_path):
    fill(tmp_path / "new", 0)
    Unfinished(tmp_path / "new", SETTINGS, 4).discard()
    assert not (tmp_path / "new").exists()
    fill(tmp_path, 0)
    (tmp_path / "notes.txt").touch()
    Unfinished(tmp_path, SETTINGS, 4).discard()
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


@pytest.mark.parametrize("line", [b"\0\0", b"[]", b"{}", b"7", b"[" * 100_000])
@pytest.mark.parametrize("number", [0, 1])
def test_a_damaged_line_says_what_to_delete(tmp_path, line, number):
    fill(tmp_path, 0)
    lines = journal(tmp_path).read_bytes().splitlines()
    lines[number] = line
    journal(tmp_path).write_bytes(b"\n".join(lines) + b"\n")
    if (line, number) == (b"{}", 1):
        return  # an entry of nothing is sound
    with pytest.raises(UserError, match=r"journal\.jsonl is damaged: delete .*\.partial|prepared with another"):
        continued(tmp_path)
