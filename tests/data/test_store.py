import json
import os
from zipfile import ZipFile

import numpy as np
import pytest

from ganfill.data.store import FORMAT, ImageStore
from ganfill.errors import UserError


@pytest.fixture
def path(tmp_path):
    """A finished store of three pictures."""
    path = tmp_path / "store"
    path.mkdir()
    np.save(path / "images.npy", np.arange(3 * 8 * 8 * 3, dtype=np.uint8).reshape(3, 8, 8, 3))
    pictures = [{"id": f"own/{n}", "split": split} for n, split in enumerate(["test", "train", "test"])]
    (path / "index.json").write_text(json.dumps({"format": FORMAT, "resolution": 8, "pictures": pictures}))
    return path


def rewrite(path, **changes):
    index = json.loads((path / "index.json").read_text()) | changes
    (path / "index.json").write_text(json.dumps({key: value for key, value in index.items() if value is not None}))


def test_a_finished_store(path):
    store = ImageStore.open(path)
    assert (
        store.resolution == 8 and store.ids == ["own/0", "own/1", "own/2"] and store.splits == ["test", "train", "test"]
    )
    assert store.images.shape == (3, 8, 8, 3) and isinstance(store.images, np.memmap)
    assert not store.images.flags.writeable
    test, train = store.rows("test"), store.rows("train")
    assert test.tolist() == [0, 2] and train.tolist() == [1] and test.dtype == np.int64
    assert len(store.digest) == 64


def test_the_digest_is_that_of_the_index(path):
    before = ImageStore.open(path).digest
    assert ImageStore.open(path).digest == before
    rewrite(path, crop="none")
    assert ImageStore.open(path).digest != before


def test_a_missing_store_tells_where_ffhq_is_and_how_to_prepare_it(tmp_path):
    with pytest.raises(UserError) as caught:
        ImageStore.open(tmp_path / "faces")
    message = str(caught.value)
    assert message.startswith(f"{tmp_path / 'faces'} holds no prepared pictures")
    assert "https://github.com/NVlabs/ffhq-dataset" in message
    assert f"ganfill prepare source=FOLDER out={tmp_path / 'faces'}" in message
    (tmp_path / "faces").write_text("a file")
    with pytest.raises(UserError, match="holds no prepared pictures"):
        ImageStore.open(tmp_path / "faces")


def test_pictures_in_place_of_a_store_are_trained_on_or_prepared(tmp_path):
    (tmp_path / "inn/deep").mkdir(parents=True)
    (tmp_path / "inn/deep/a.JPG").touch()
    with ZipFile(tmp_path / "inn.zip", "w") as archive:
        archive.writestr("a.jpg", b"")
    for name in ("inn", "inn.zip"):
        path = tmp_path / name
        remedy = f"train with data={path}, or prepare them with ganfill prepare source={path} out={tmp_path}/inn_store"
        with pytest.raises(UserError, match=f"^{path} holds pictures that are not prepared: {remedy}$"):
            ImageStore.open(path)


def test_an_unfinished_store_is_to_be_continued(tmp_path):
    (tmp_path / ".partial").mkdir()
    with pytest.raises(UserError, match="unfinished image store: run the same ganfill prepare command again") as caught:
        ImageStore.open(tmp_path)
    assert str(tmp_path) in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"format": "ganfill-images-0"}, "its format is ganfill-images-0, not ganfill-images-1"),
        ({"format": None}, "'format' is missing"),
        ({"pictures": None}, "'pictures' is missing"),
        ({"pictures": []}, r"holds uint8 \(3, 8, 8, 3\), index.json says uint8 \(0, 8, 8, 3\)"),
        ({"resolution": 16}, r"index.json says uint8 \(3, 16, 16, 3\)"),
        ({"resolution": "large"}, "not a whole number"),
    ],
)
def test_a_foreign_or_damaged_index(path, changes, reason):
    rewrite(path, **changes)
    assert_refused(path, reason)


@pytest.mark.parametrize("content", [b"", b"[]", b'"text"', b"{", b"\xff\xfe"])
def test_an_index_that_is_none(path, content):
    (path / "index.json").write_bytes(content)
    assert_refused(path, "")


@pytest.mark.parametrize("length", [0, 3, 60, 128, 600])
def test_truncated_pictures(path, length):
    (path / "images.npy").write_bytes((path / "images.npy").read_bytes()[:length])
    assert_refused(path, "")


def test_pictures_that_are_missing_or_of_another_kind(path):
    np.save(path / "images.npy", np.zeros((3, 8, 8, 3), np.float32))
    assert_refused(path, "holds float32")
    np.save(path / "images.npy", np.array([{}]), allow_pickle=True)
    assert_refused(path, "")
    with (path / "images.npy").open("wb") as file:
        np.savez(file, np.zeros(3))
    assert_refused(path, "")
    (path / "images.npy").unlink()
    assert_refused(path, "No such file")


def assert_refused(path, reason):
    with pytest.raises(
        UserError, match=rf"is not an intact image store \(.*{reason}.*\): delete it and prepare it again"
    ) as caught:
        ImageStore.open(path)
    assert str(caught.value).startswith(str(path))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (
            {"pictures": [{"id": "a", "split": "test"}, {"id": "b"}, {"id": "c", "split": "test"}]},
            "split of picture 1 is None",
        ),
        ({"pictures": [{"id": "a", "split": float("nan")}]}, "split of picture 0 is nan, not train or test"),
        ({"pictures": [{"id": "a", "split": ["test"]}]}, "split of picture 0 is .'test'., not train or test"),
        ({"pictures": [{"split": "test"}]}, "picture 0 has no id"),
        ({"pictures": ["a", "b", "c"]}, "picture 0 has no id"),
        ({"pictures": "abc"}, "its pictures are str, not a list"),
        ({"pictures": {"a": 1}}, "its pictures are dict, not a list"),
        ({"resolution": float("inf")}, "its resolution is inf, not a whole number"),
        ({"resolution": 8.7}, "its resolution is 8.7, not a whole number"),
        ({"resolution": "8"}, "its resolution is '8', not a whole number"),
        ({"resolution": True}, "its resolution is True, not a whole number"),
        ({"format": [1]}, "its format is"),
    ],
)
def test_a_damaged_index_is_one_line(change, reason, path):
    rewrite(path, **change)
    with pytest.raises(UserError, match=reason) as caught:
        ImageStore.open(path)
    assert "\n" not in str(caught.value) and "prepare it again" in str(caught.value)


def test_an_index_that_is_no_index_is_one_line(path):
    for text in ("[" * 100_000, "[]", "3", '{"resolution": ' + "1" * 5000 + "}"):
        (path / "index.json").write_text(text)
        with pytest.raises(UserError, match="not an intact image store") as caught:
            ImageStore.open(path)
        assert "\n" not in str(caught.value)
    for name in ("images.npy", "index.json"):
        (path / name).unlink()
        os.mkfifo(path / name)
        with pytest.raises(UserError, match=r"not an intact image store|holds no prepared pictures"):
            ImageStore.open(path)
