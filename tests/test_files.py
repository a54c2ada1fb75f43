import pytest

from ganfill.files import identify, partial_path, walk, write_atomically


@pytest.mark.parametrize("content", ["Grüße\n", "Grüße\n".encode(), lambda path: path.write_bytes("Grüße\n".encode())])
def test_a_file_is_replaced_as_a_whole(tmp_path, content):
    (tmp_path / "a.txt").write_text("old")
    write_atomically(tmp_path / "a.txt", content)
    assert (tmp_path / "a.txt").read_bytes() == "Grüße\n".encode()
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_a_failed_write_keeps_the_old_file_and_leaves_nothing_behind(tmp_path, error):
    def fail(path):
        path.write_text("half")
        raise error

    (tmp_path / "a.txt").write_text("old")
    with pytest.raises(type(error)):
        write_atomically(tmp_path / "a.txt", fail)
    assert (tmp_path / "a.txt").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]


def test_text_that_no_encoding_holds_is_replaced(tmp_path):
    write_atomically(tmp_path / "a.txt", "a\udcff")
    assert (tmp_path / "a.txt").read_bytes() == b"a?"


def test_a_full_disk_is_named_and_leaves_nothing_behind(tmp_path):
    partial_path(tmp_path / "a.txt").symlink_to("/dev/full")
    with pytest.raises(OSError, match=r"No space left on device: '.*/a\.txt'"):
        write_atomically(tmp_path / "a.txt", "text")
    assert not [*tmp_path.iterdir()]


def test_a_name_as_long_as_the_file_system_takes(tmp_path):
    path = tmp_path / ("x" * 251 + ".txt")
    write_atomically(path, "text")
    assert [*tmp_path.iterdir()] == [path] and path.read_text() == "text"


def test_a_link_keeps_its_own_name(tmp_path):
    (tmp_path / "store").mkdir()
    (tmp_path / "store/SHA123.png").touch()
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos/mary.png").symlink_to(tmp_path / "store/SHA123.png")
    (tmp_path / "album").symlink_to(tmp_path / "photos")
    assert identify(tmp_path / "album/../album/mary.png") == tmp_path / "photos/mary.png"


def test_a_folder_is_walked_once_in_order(tmp_path):
    for name in ("b/2.png", "a/1.png", ".hidden/3.png", "a/.4.png", "out/5.png", "masks/6.png", "else/7.png"):
        (tmp_path / "f" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "f" / name).touch()
    folder = tmp_path / "f"
    (folder / "b/back").symlink_to(folder)
    (folder / "loop.png").symlink_to("loop.png")
    (folder / "link").symlink_to(folder / "else")
    (folder / "result").symlink_to(folder / "out")
    (tmp_path / "masks").symlink_to(folder / "masks")
    found = [str(path.relative_to(folder)) for path in walk(folder, [folder / "out", tmp_path / "masks", tmp_path])]
    assert found == ["loop.png", "a/1.png", "b/2.png", "else/7.png"]
