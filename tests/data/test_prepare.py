import json
import os
import zipfile

import numpy as np
import pytest
from PIL import Image

from ganfill.data import decode_pool
from ganfill.data import prepare as module
from ganfill.data.prepare import prepare
from ganfill.errors import UserError


def noise(seed, side=8):
    return np.random.default_rng(seed).integers(0, 256, (side, side, 3), np.uint8)


def pack(path, folder):
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted(folder.rglob("*.*")):
            archive.write(file, file.relative_to(folder))
    return path


def names(store):
    return [name.split("/")[-1] for name in store.ids]


def reasons(store):
    return {entry["file"]: entry["reason"] for entry in store.index["skipped"]}


def test_the_store_holds_the_pictures_in_order_and_says_what_it_did(folder, tmp_path, content):
    Image.fromarray(noise(99)).convert("L").save(folder / "grey ä ö.bmp")
    store = prepare([folder], tmp_path / "out", resolution=8, split="hash")
    numbers = [0, 1, 2, 3, 5, 6, 8, 60000, 60001]
    assert store.ids == [*(f"pictures/{number:05}" for number in numbers), "pictures/grey ä ö"]
    for row, number in enumerate(numbers):
        assert np.array_equal(store.images[row], noise(number))
    duplicate, text = "duplicate of pictures/00001", "not a picture"
    assert reasons(store) == {"pictures/00004.png": duplicate, "pictures/00007.png": text}
    assert store.index["converted"] == [{"file": "pictures/grey ä ö.bmp", "reason": "grey"}]
    settings = {key: store.index[key] for key in ("resolution", "filter", "crop", "split", "limit")}
    assert settings == {"resolution": 8, "filter": "lanczos", "crop": "center", "split": "hash", "limit": None}
    assert store.index["pictures"][0].keys() == {"id", "sha256", "split", "source"}
    content(tmp_path / "out")


def test_folders_and_zips_of_one_name_together(tmp_path, save):
    first = save(tmp_path / "a" / "faces" / "deep" / "down" / "1.png", 1).parents[2]
    archive = pack(tmp_path / "faces.zip", save(tmp_path / "b" / "Bild ß.png", 2).parent)
    third = save(tmp_path / "c" / "faces" / "1.png", 3).parent
    store = prepare([archive, third, first], tmp_path / "out", resolution=8)
    assert store.ids == ["faces/Bild ß", "faces-2/1", "faces-3/deep/down/1"]
    assert [picture["source"] for picture in store.index["pictures"]] == [0, 1, 2]
    assert [source["name"] for source in store.index["source"]] == ["faces.zip", "faces", "faces"]
    for row, seed in enumerate([2, 3, 1]):
        assert np.array_equal(store.images[row], noise(seed))


def test_a_folder_and_a_zip_of_it_give_the_same_pictures(folder, tmp_path, content):
    loose = prepare([folder], tmp_path / "loose", resolution=8, split="hash")
    packed = prepare([pack(tmp_path / "pictures.zip", folder)], tmp_path / "packed", resolution=8, split="hash")
    assert packed.ids == loose.ids and packed.splits == loose.splits
    assert content(tmp_path / "packed")[0] == content(tmp_path / "loose")[0]


def test_ids_are_unique_where_names_differ_only_in_their_suffix(tmp_path, save):
    for seed, name in enumerate(["x.png", "x.bmp", "x.png.bmp", "y.png"]):
        save(tmp_path / "own" / name, seed)
    store = prepare([tmp_path / "own"], tmp_path / "out", resolution=8)
    assert store.ids == ["own/x.bmp", "own/x.png", "own/x.png.bmp", "own/y"]


def test_limit_counts_training_pictures_in_the_order_of_sources(folder, tmp_path, save):
    other = save(tmp_path / "other" / "00009.png", 9).parent
    store = prepare([other, folder], tmp_path / "out", resolution=8, split="ffhq", limit=4)
    assert names(store) == ["00009", "00000", "00001", "00002", "60000", "60001"]
    assert store.splits == ["train"] * 4 + ["test"] * 2
    assert store.index["skipped"] == []  # the text and the duplicate come after the limit


def test_ffhq_leaves_out_and_lists_names_that_are_no_ids(folder, tmp_path, save):
    save(folder / "portrait.png", 50)
    store = prepare([folder], tmp_path / "out", resolution=8, split="ffhq")
    assert "portrait" not in names(store)
    assert reasons(store)["pictures/portrait.png"] == "its name is not an FFHQ id"
    assert [name for name, split in zip(names(store), store.splits, strict=True) if split == "test"] == [
        "60000",
        "60001",
    ]


def test_auto_splits_by_ids_where_all_names_are_ids(folder, tmp_path):
    store = prepare([folder], tmp_path / "out", resolution=8)
    assert len(store.rows("test")) == 2 and store.index["split"] == "auto"


def test_a_file_splits_and_its_content_is_remembered(folder, tmp_path):
    path = tmp_path / "split.json"
    path.write_text(json.dumps({"pictures": {"test_files": ["00002.png", "00008.png"]}}))
    store = prepare([folder], tmp_path / "out", resolution=8, split=str(path))
    assert [names(store)[row] for row in store.rows("test")] == ["00002", "00008"]
    path.write_text(json.dumps({"pictures": {"test_files": ["00002.png"]}}))
    with pytest.raises(UserError, match="another split"):
        prepare([folder], tmp_path / "out", resolution=8, split=str(path))


@pytest.mark.parametrize(("first", "second"), [("train", "test"), ("test", "train")])
def test_a_picture_never_trains_and_tests(tmp_path, first, second, save):
    numbers = {"train": "00000.png", "test": "60000.png"}
    sources = [save(tmp_path / split / numbers[split], 1).parent for split in (first, second)]
    store = prepare(sources, tmp_path / "out", resolution=8, split="ffhq")
    assert store.splits == [first]
    assert reasons(store) == {f"{second}/{numbers[second]}": f"duplicate of {store.ids[0]}"}


def test_pictures_that_differ_in_one_bit_are_no_duplicates(tmp_path, save):
    pixels = noise(0)
    save(tmp_path / "own" / "a.png", 0)
    pixels[3, 4, 1] ^= 1
    Image.fromarray(pixels).save(tmp_path / "own" / "b.png")
    assert len(prepare([tmp_path / "own"], tmp_path / "out", resolution=8).ids) == 2


def test_members_of_a_zip_that_cannot_be_read_are_skipped(folder, tmp_path):
    path = pack(tmp_path / "z.zip", folder)
    data = bytearray(path.read_bytes())
    for number, header in (("00001", b"PK\x03\x04"), ("00001", b"PK\x01\x02")):  # marked as encrypted
        name = data.index(f"{number}.png".encode(), data.index(b"PK\x01\x02") if header[2] == 1 else 0)
        data[data.rindex(header, 0, name) + (6 if header[2] == 3 else 8)] |= 1
    data[data.index(b"00002.png") + 40] ^= 0xFF
    path.write_bytes(data)
    found = reasons(prepare([path], tmp_path / "out", resolution=8, split="test"))
    assert found["z/00001.png"].startswith("unreadable: ") and "encrypted" in found["z/00001.png"]
    assert found["z/00002.png"].startswith("unreadable: Bad CRC-32")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read_is_skipped(folder, tmp_path):
    (folder / "00002.png").chmod(0)
    store = prepare([folder], tmp_path / "out", resolution=8)
    assert reasons(store)["pictures/00002.png"] == "unreadable: Permission denied"


def test_a_crop_box_skips_smaller_pictures(tmp_path, save):
    save(tmp_path / "own" / "small.png", 0)
    Image.fromarray(noise(1, 20)).save(tmp_path / "own" / "large.png")
    store = prepare([tmp_path / "own"], tmp_path / "out", resolution=8, crop=[2, 10, 10, 18])
    assert np.array_equal(store.images[0], noise(1, 20)[10:18, 2:10])
    assert reasons(store) == {"own/small.png": "smaller than the box: 8x8"}
    assert store.index["crop"] == [2, 10, 10, 18]


def test_nothing_left_counts_the_reasons_and_leaves_nothing(tmp_path):
    for name, data in {"a.txt": b"text", "b.txt": b"more text", "c.png": b""}.items():
        (tmp_path / name).write_bytes(data)
    with pytest.raises(UserError, match=r"contains no usable picture \(2 not a picture, 1 empty\): give other sources"):
        prepare([tmp_path], tmp_path / "out")
    assert not (tmp_path / "out").exists()
    (tmp_path / "nothing").mkdir()
    with pytest.raises(UserError, match=r"contains no usable picture \(there are no files\)"):
        prepare([tmp_path / "nothing"], tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "wrong", [{"resolution": 3}, {"resolution": 4096}, {"limit": 0}, {"crop": "0,0,9,8"}, {"split": "x"}]
)
def test_wrong_settings_are_refused_before_anything_is_written(folder, tmp_path, wrong):
    with pytest.raises(UserError, match=next(iter(wrong))):
        prepare([folder], tmp_path / "out", **wrong)
    assert not (tmp_path / "out").exists()


def test_the_same_again_opens_the_finished_store(folder, tmp_path, monkeypatch, content):
    first = prepare([folder], tmp_path / "out", resolution=8)
    before = content(tmp_path / "out")
    monkeypatch.setattr(module, "Unfinished", None)  # would fail if it was used
    assert prepare([folder], tmp_path / "out", resolution=8).digest == first.digest
    assert content(tmp_path / "out") == before


@pytest.mark.parametrize("finished", [True, False])
def test_another_configuration_is_refused(folder, tmp_path, finished, save, cut_off, settings):
    if finished:
        prepare([folder], tmp_path / "out", **settings)
    else:
        cut_off([folder], tmp_path / "out", "add", 0)
    with pytest.raises(UserError, match=r"out was prepared with another resolution, crop, limit: give another out"):
        prepare([folder], tmp_path / "out", resolution=16, crop="none", split="ffhq")
    save(folder / "00009.png", 9)
    with pytest.raises(UserError, match=r"another source \(other files in it\)"):
        prepare([folder], tmp_path / "out", **settings)
    (folder / "00009.png").unlink()
    assert len(prepare([folder], tmp_path / "out", **settings).ids) == 8


def test_a_foreign_array_is_not_overwritten(folder, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "images.npy").write_bytes(b"precious")
    with pytest.raises(UserError, match=r"images\.npy does not belong to an image store"):
        prepare([folder], tmp_path / "out", resolution=8)
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["images.npy"]
    assert (tmp_path / "out" / "images.npy").read_bytes() == b"precious"


def test_worker_processes_give_the_same_bytes(folder, tmp_path, monkeypatch, content):
    sources = [folder, pack(tmp_path / "z.zip", folder)]
    prepare(sources, tmp_path / "alone", resolution=8, limit=3)
    started = []
    pool = decode_pool.ProcessPoolExecutor
    monkeypatch.setattr(decode_pool, "ProcessPoolExecutor", lambda *words: started.append(words[0]) or pool(*words))
    monkeypatch.setattr(module, "CHUNK", 2)
    monkeypatch.setattr(module, "_cores", lambda: 2)
    prepare(sources, tmp_path / "shared", resolution=8, limit=3)
    assert started == [2]
    assert content(tmp_path / "shared") == content(tmp_path / "alone")
