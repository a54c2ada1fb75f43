import pytest

from ganfill.files import partial_path, write_atomically


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
