import pytest
from PIL import Image

from ganfill.completion.find_pictures import find_pictures
from ganfill.errors import UserError
from ganfill.images.holes import HoleSource


def make(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (4, 4)).save(folder / name)


def test_folders_are_searched_at_any_depth_for_pictures_alone(tmp_path):
    make(tmp_path, "a.png", "sub/deeper/b.JPG", ".hidden/c.png", ".d.png")
    for name in ("notes.txt", "report.pdf", "data.json"):
        (tmp_path / name).touch()
    found = find_pictures([str(tmp_path)])
    assert found == {"a": tmp_path / "a.png", "b": tmp_path / "sub/deeper/b.JPG"}


def test_masks_and_results_are_left_out(tmp_path):
    make(tmp_path, "a.png", "mask.png", "masks/a.png", "out/a.png")
    others = [tmp_path / name for name in ("mask.png", "masks", "out")]
    assert find_pictures([str(tmp_path)], others) == {"a": tmp_path / "a.png"}
    named = [str(tmp_path / name) for name in ("a.png", "mask.png", "masks/a.png")]
    assert list(find_pictures(named, others).values()) == [tmp_path / "a.png", tmp_path / "masks/a.png"]
    with pytest.raises(UserError, match="no pictures there, apart from those of out= and mask="):
        find_pictures([str(tmp_path / "out")], others)


def test_a_picture_named_twice_is_one(tmp_path):
    make(tmp_path, "a.png")
    assert find_pictures([str(tmp_path), str(tmp_path / "a.png")]) == {"a": tmp_path / "a.png"}


@pytest.mark.parametrize(
    ("files", "names"),
    [
        (["x/a.png", "y/a.png", "b.png"], ["b", "x_a", "y_a"]),
        (["a.png", "a.jpg"], ["a.jpg", "a.png"]),
        (["A.png", "x/a.png"], ["A", "x_a"]),
        (["a.png", "a_strip.png"], ["a", "a_strip.png"]),
        (["a.png", "a_mean.png"], ["a", "a_mean.png"]),
    ],
)
def test_stems_that_clash_get_distinct_names(tmp_path, files, names):
    make(tmp_path, *files)
    found = find_pictures([str(tmp_path)])
    assert sorted(found) == names and len(set(found.values())) == len(files)


def test_even_names_made_to_clash_lose_no_picture(tmp_path):
    make(tmp_path, "a_x.png", "a/x.png", "b/x.png", "c/a_x.png")
    found = find_pictures([str(tmp_path)])
    assert len(set(found.values())) == 4
    make(tmp_path, "one/same.png", "two/same.png")
    found = find_pictures([str(tmp_path / "one"), str(tmp_path / "two")])
    assert set(found.values()) == {tmp_path / "one/same.png", tmp_path / "two/same.png"}


def test_a_place_that_is_not_there(tmp_path):
    with pytest.raises(UserError, match=r"images=.*nowhere: no such file or folder"):
        find_pictures([str(tmp_path / "nowhere")])
    with pytest.raises(UserError, match="no pictures there"):
        find_pictures([str(tmp_path)])


def test_a_link_is_a_picture_of_its_own_name(tmp_path):
    make(tmp_path, "store/SHA123.png", "photos/b.png")
    (tmp_path / "photos/mary.png").symlink_to(tmp_path / "store/SHA123.png")
    (tmp_path / "photos/c.png").symlink_to("b.png")
    (tmp_path / "photos/album").symlink_to(tmp_path / "store")
    found = find_pictures([str(tmp_path / "photos"), str(tmp_path / "photos/mary.png")])
    assert found == {
        "mary": tmp_path / "photos/mary.png",
        "b": tmp_path / "photos/b.png",
        "c": tmp_path / "photos/c.png",
        "SHA123": tmp_path / "store/SHA123.png",
    }
    source = HoleSource(str(tmp_path / "photos"), 4)
    assert source.file_of("mary") == tmp_path / "photos/mary.png" and source.label == "photos"


def test_a_link_that_leads_to_itself_stops_no_folder(tmp_path):
    make(tmp_path, "a.png")
    (tmp_path / "loop.png").symlink_to("loop.png")
    (tmp_path / "one").symlink_to("two")
    (tmp_path / "two").symlink_to("one")
    assert find_pictures([str(tmp_path)]) == {"a": tmp_path / "a.png"}
    with pytest.raises(UserError, match=r"loop\.png: no such file or folder"):
        find_pictures([str(tmp_path / "loop.png")])
