import hashlib
import os
import struct
import tracemalloc
import zipfile
from pathlib import Path

import pytest

from ganfill.data import archives
from ganfill.data.archives import Reader
from ganfill.data.sources import open_sources
from ganfill.data.splits import identify
from ganfill.errors import UserError
from ganfill.images.holes import HoleSource


def fill(folder, *names):
    """Files whose content is their name."""
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name, encoding="utf-8")
    return folder


def pack(path, *names):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in names:
            archive.writestr(name, name)
    return path


def test_folders_at_any_depth_and_zips_list_the_same_files_in_order(tmp_path):
    names = ["a/b/c/d/2.png", "a/1.png", "z.png", "B.png", "mit Lücke/ö ß.jpg"]
    folder, archive = open_sources([fill(tmp_path / "f", *names), pack(tmp_path / "z.zip", *names)], tmp_path / "out")
    assert list(folder.files) == list(archive.files) == sorted(names)
    assert folder.files["a/1.png"] == archive.files["a/1.png"] == len("a/1.png")
    assert (folder.name, folder.label, archive.name, archive.label) == ("f", "f", "z.zip", "z")


def test_hidden_files_and_folders_are_not_seen(tmp_path):
    names = ["1.png", ".2.png", ".git/3.png", "a/.b/4.png", "__MACOSX/._1.png"]
    folder, archive = open_sources(
        [fill(tmp_path / "f", *names[:4]), pack(tmp_path / "z.zip", *names)], tmp_path / "out"
    )
    assert list(folder.files) == list(archive.files) == ["1.png"]


def test_the_output_below_a_source_is_not_seen(tmp_path):
    fill(tmp_path, "1.png", "store/2.png", "store/deep/3.png", "other/4.png")
    (source,) = open_sources([tmp_path], tmp_path / "other" / ".." / "store")
    assert list(source.files) == ["1.png", "other/4.png"]


def test_links_are_followed_once_and_broken_ones_ignored(tmp_path):
    folder = fill(tmp_path / "f", "a/1.png")
    fill(tmp_path / "elsewhere", "2.png")
    (folder / "back").symlink_to(folder)
    (folder / "other").symlink_to(tmp_path / "elsewhere")
    (folder / "broken.png").symlink_to(tmp_path / "nothing")
    (source,) = open_sources([folder], tmp_path / "out")
    assert list(source.files) == ["a/1.png", "other/2.png"]


@pytest.mark.skipif(os.name != "posix", reason="pipes are files only on POSIX")
def test_a_named_pipe_is_no_file(tmp_path):
    os.mkfifo(fill(tmp_path, "1.png") / "2.png")
    (source,) = open_sources([tmp_path], tmp_path / "out")
    assert list(source.files) == ["1.png"]


def test_sources_of_one_name_get_labels_of_their_own(tmp_path):
    folders = [fill(tmp_path / place / "x", "1.png") for place in "abc"]
    other = fill(tmp_path / "x-2", "1.png")
    archive = pack(tmp_path / "x.zip", "1.png")
    sources = open_sources([folders[0], folders[1], other, archive, folders[2]], tmp_path / "out")
    assert [source.label for source in sources] == ["x", "x-2", "x-2-2", "x-3", "x-4"]


def test_the_digest_tells_whether_the_files_changed(tmp_path):
    folder, path = fill(tmp_path / "f", "1.png", "2.png"), pack(tmp_path / "z.zip", "1.png")

    def digests():
        return [source.digest for source in open_sources([folder, path], tmp_path / "out")]

    first = digests()
    assert digests() == first
    fill(folder, "3.png")
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("1.png", "2.png")  # as long, but another checksum
    assert not set(digests()) & set(first)


def test_what_is_no_source_is_refused(tmp_path):
    with pytest.raises(UserError, match=r"source=.*nowhere does not exist: give a folder"):
        open_sources([tmp_path / "nowhere"], tmp_path / "out")
    fill(tmp_path, "1.png")
    with pytest.raises(UserError, match=r"source=.*1\.png is neither a folder nor an intact zip file"):
        open_sources([tmp_path / "1.png"], tmp_path / "out")
    path = pack(tmp_path / "z.zip", "1.png")
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(UserError, match=r"source=.*z\.zip is neither"):
        open_sources([path], tmp_path / "out")


def test_the_reader_reads_folders_and_zips(tmp_path):
    names = ["a/ä ö.png", "2.png"]
    reader = Reader([fill(tmp_path / "f", *names), pack(tmp_path / "z.zip", *names)])
    for source in (0, 1):
        assert [reader.read(source, name).decode() for name in names] == names
    reader.close()
    assert reader.read(1, "2.png") == b"2.png"  # opened again
    reader.close()


def damage(path, offset, value):
    content = bytearray(path.read_bytes())
    content[offset] = value
    path.write_bytes(content)


def test_damaged_and_encrypted_members_raise_os_errors_with_the_reason(tmp_path):
    with zipfile.ZipFile(tmp_path / "damaged.zip", "w") as archive:
        archive.writestr("1.png", b"content")
    damage(tmp_path / "damaged.zip", 30 + len("1.png"), 0)
    encrypted = pack(tmp_path / "encrypted.zip", "1.png")
    directory = encrypted.read_bytes().index(b"PK\x01\x02")
    damage(encrypted, 6, 1)
    damage(encrypted, directory + 8, 1)
    deflated = pack(tmp_path / "deflated.zip", "1.png")
    damage(deflated, 30 + len("1.png"), 0xFF)
    reader = Reader([tmp_path / "damaged.zip", encrypted, deflated, tmp_path])
    for source, reason in enumerate(
        ["Bad CRC-32", "encrypted, password required", "invalid block type", "No such file"]
    ):
        with pytest.raises(OSError, match=reason):
            reader.read(source, "1.png")
    reader.close()


def test_names_that_are_not_utf8_have_a_digest(tmp_path):
    name = os.fsdecode(b"\xff.png")
    try:
        Path(tmp_path, name).write_bytes(b"")
    except OSError:
        pytest.skip("this file system takes only UTF-8")
    (source,) = open_sources([tmp_path], tmp_path / "out")
    assert list(source.files) == [name]
    assert source.digest == hashlib.sha256(b"\xff.png\t0\t0\n").hexdigest()


def test_a_file_too_large_for_any_picture_is_not_read(tmp_path, monkeypatch):
    monkeypatch.setattr(archives, "LARGEST", 3)
    reader = Reader([fill(tmp_path / "f", "1.png", "big.png"), pack(tmp_path / "z.zip", "big.png")])
    for source in (0, 1):
        with pytest.raises(OSError, match="larger than"):
            reader.read(source, "big.png")
    reader.close()


def test_a_source_that_is_a_link_has_its_own_name(tmp_path):
    fill(tmp_path / "SHA123", "1.png")
    (tmp_path / "faces").symlink_to(tmp_path / "SHA123")
    (source,) = open_sources([tmp_path / "faces"], tmp_path / "out")
    assert (source.name, source.label) == ("faces", "faces")


def test_a_store_may_lie_above_its_source(tmp_path):
    fill(tmp_path / "data/photos", "1.png")
    (source,) = open_sources([tmp_path / "data/photos"], tmp_path / "data")
    assert list(source.files) == ["1.png"]


@pytest.mark.parametrize("compression", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_zip_that_declares_a_small_size_is_not_expanded(tmp_path, compression):
    with zipfile.ZipFile(tmp_path / "a.zip", "w", compression) as archive:
        archive.writestr("a.png", bytes(1 << 26))
    data = (tmp_path / "a.zip").read_bytes()
    (tmp_path / "a.zip").write_bytes(data.replace(struct.pack("<I", 1 << 26), struct.pack("<I", 100)))
    reader = Reader([tmp_path / "a.zip"])
    tracemalloc.start()
    with pytest.raises(OSError, match=r"CRC|another method than deflate"):
        reader.read(0, "a.png")
    assert tracemalloc.get_traced_memory()[1] < 1 << 24
    tracemalloc.stop()
    reader.close()


def test_names_that_a_zip_holds_twice_are_reported(tmp_path, caplog):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("a.png", "1")
        archive.writestr("b.png", "2")
        with pytest.warns(UserWarning, match="Duplicate name"):
            archive.writestr("a.png", "33")
    (source,) = open_sources([tmp_path / "a.zip"], tmp_path / "out")
    assert source.files == {"a.png": 2, "b.png": 1}
    assert "a.zip holds 1 names twice, such as a.png; the last file is used" in caplog.text


@pytest.mark.skipif(os.name != "posix", reason="pipes are files only on POSIX")
def test_devices_and_pipes_are_no_sources(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path in ("/dev/zero", tmp_path / "pipe"):
        with pytest.raises(UserError, match="is neither a folder nor a regular file"):
            open_sources([path], tmp_path / "out")
        with pytest.raises(UserError, match="is neither a kind of hole nor a file"):
            HoleSource(str(path), 8)
        with pytest.raises(UserError, match="is not known: use auto"):
            identify(str(path))
