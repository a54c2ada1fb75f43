import io
import json
import zipfile

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from ganfill import cli
from ganfill.data import decode_pool
from ganfill.data import prepare as module
from ganfill.data.prepare import prepare
from ganfill.errors import UserError
from tests.pictures import encoded, photo

STRUCT = pa.struct({"bytes": pa.binary(), "path": pa.string()})
FACES = "hf://datasets/ada/faces"


def png(seed):
    return encoded(photo((8, 8), seed))


def shard(contents, names=None, column="image"):
    rows = [
        {"bytes": content, "path": name}
        for content, name in zip(contents, names or [None] * len(contents), strict=True)
    ]
    file = io.BytesIO()
    parquet.write_table(pa.table({column: pa.array(rows, STRUCT)}), file, row_group_size=4)
    return file.getvalue()


def packed(**members):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return file.getvalue()


@pytest.fixture
def shards(hub):
    """Two shards of ten pictures each, and what else is in such a repository."""
    files = {
        f"data/train-0000{n}-of-00002.parquet": shard([png(seed) for seed in range(10 * n, 10 * n + 10)])
        for n in range(2)
    }
    hub.add("datasets/ada/faces", files | {"README.md": b"text", "banner.png": png(99), ".gitattributes": b""})


def pixels(seed):
    return np.random.default_rng(seed).integers(0, 256, (8, 8, 3), np.uint8)


@pytest.mark.usefixtures("shards")
def test_parquet_files_become_a_store(hub, tmp_path):
    store = prepare([FACES], tmp_path / "out", resolution=8)
    names = [f"faces/data/train-0000{row // 10}-of-00002.parquet/{row % 10:06}" for row in range(20)]
    assert store.ids == names
    assert all(np.array_equal(store.images[row], pixels(row)) for row in range(20))
    assert store.index["source"][0]["name"] == "ada/faces" and store.index["source"][0]["label"] == "faces"
    assert not hub.asked("GET", "banner.png") and len(hub.asked("GET", ".parquet")) == 2
    assert set(store.splits) == {"train", "test"} and prepare([FACES], tmp_path / "out", resolution=8).ids == names
    assert len(hub.asked("GET", ".parquet")) == 2


@pytest.mark.usefixtures("shards")
def test_without_a_network_from_the_cache_and_interrupted_and_with_workers_to_the_same_bytes(
    tmp_path, monkeypatch, offline
):
    prepare([FACES], tmp_path / "whole", resolution=8)
    offline()
    monkeypatch.setattr(module, "CHUNK", 3)
    monkeypatch.setattr(module, "_cores", lambda: 1)
    real, calls = decode_pool.decode_files, []

    def interrupted(*arguments):
        calls.append(arguments)
        if len(calls) == 5:
            raise KeyboardInterrupt
        return real(*arguments)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(decode_pool, "decode_files", interrupted)
        with pytest.raises(KeyboardInterrupt):
            prepare([FACES], tmp_path / "again", resolution=8)
    prepare([FACES], tmp_path / "again", resolution=8)
    monkeypatch.setattr(module, "_cores", lambda: 2)
    prepare([FACES], tmp_path / "shared", resolution=8)
    for name in ("images.npy", "index.json"):
        assert (tmp_path / "again" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
        assert (tmp_path / "shared" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


def test_names_that_the_files_had_split_like_those_of_files(hub, tmp_path):
    names = ["00003.png", "60001.png", "00004.png"]
    hub.add("datasets/ada/faces", {"a.parquet": shard([png(seed) for seed in range(3)], names)})
    store = prepare([FACES], tmp_path / "out", resolution=8)
    assert store.ids == ["faces/a.parquet/000000/00003", "faces/a.parquet/000001/60001", "faces/a.parquet/000002/00004"]
    assert store.splits == ["train", "test", "train"]


def test_pictures_and_zips_below_a_folder_and_at_a_revision(hub, tmp_path):
    files = {
        "front/a.PNG": png(0),
        "front/b.zip": packed(**{"deep/c.png": png(1), "d.png": png(2), ".hidden.png": png(3)}),
        "front/labels.csv": b"a,b",
        "front/[x] ä.png": png(5),
        "side/e.png": png(4),
    }
    hub.add("datasets/ada/faces", {"README.md": b""})
    hub.add("datasets/ada/faces", files, "v2")
    store = prepare([f"{FACES}@v2/front"], tmp_path / "out", resolution=8, split="test")
    assert store.ids == [f"faces/front/{name}" for name in ("[x] ä", "a", "b.zip/d", "b.zip/deep/c")]
    assert [next(n for n in range(6) if np.array_equal(pixels(n), image)) for image in store.images] == [5, 0, 2, 1]
    single = prepare([f"{FACES}@v2/front/b.zip"], tmp_path / "single", resolution=8, split="test")
    assert single.ids == ["faces/front/b.zip/d", "faces/front/b.zip/deep/c"]
    assert not hub.asked("GET", "e.png") and not hub.asked("GET", "labels.csv")


def test_pictures_that_are_damaged_or_missing_are_skipped_with_the_reason(hub, tmp_path):
    hub.add("datasets/ada/faces", {"a.parquet": shard([png(0), png(1)[:90], None, b"", b"text"])})
    store = prepare([FACES], tmp_path / "out", resolution=8)
    reasons = {entry["file"][-1]: entry["reason"] for entry in store.index["skipped"]}
    assert len(store.ids) == 1 and list(reasons) == ["1", "2", "3", "4"]
    assert reasons["1"].startswith("damaged: ") and reasons["2"] == "unreadable: there is no picture in this row"
    assert (reasons["3"], reasons["4"]) == ("empty", "not a picture")


def test_other_files_in_it_are_noticed(hub, tmp_path):
    hub.add("datasets/ada/faces", {"a.parquet": shard([png(0), png(1)])})
    prepare([FACES], tmp_path / "out", resolution=8)
    hub.add("datasets/ada/faces", {"a.parquet": shard([png(0), png(2)])})
    with pytest.raises(UserError, match=r"another source \(other files in it\)"):
        prepare([FACES], tmp_path / "out", resolution=8)


@pytest.mark.parametrize(
    ("files", "name", "message"),
    [
        ({}, "hf://datasets/ada/none", r"ada/none: it does not exist or is private"),
        ({}, "hf://ada/faces", r"hf://ada/faces is a model, not a dataset: write hf://datasets/OWNER/NAME"),
        ({"a.csv": b"", "b/c.csv": b""}, f"{FACES}/d", r"faces/d: there is no d in it, but a\.csv, b$"),
        (
            {"a.csv": b"", "LIES": b""},
            FACES,
            r"holds no parquet files, pictures or zips of pictures, only \.csv, no suffix",
        ),
        (
            {"a.parquet": b"PAR1 and no more"},
            FACES,
            r"a\.parquet is a damaged parquet file \(.+\): delete it and fetch",
        ),
        ({"a.parquet": shard([b"a"], column="x")[:-9]}, FACES, r"a\.parquet is a damaged parquet file"),
        ({"a.zip": b"PK and no more"}, FACES, r"a\.zip is a damaged zip file \(.+\): leave it out"),
        (
            {"a.parquet": shard([b"text", b""])},
            FACES,
            r"source=.*ada/faces contains no usable picture \(1 not a picture, 1 empty\)",
        ),
    ],
)
def test_what_goes_wrong_is_one_line(hub, tmp_path, capsys, files, name, message):
    hub.add("datasets/ada/faces", files)
    with pytest.raises(UserError, match=message) as caught:
        prepare([name], tmp_path / "out", resolution=8)
    assert "\n" not in str(caught.value) and not (tmp_path / "out").exists()


def test_a_parquet_file_without_pictures_names_its_columns(hub, tmp_path):
    file = io.BytesIO()
    parquet.write_table(pa.table({"text": ["a"]}), file)
    hub.add("datasets/ada/faces", {"a.parquet": file.getvalue()})
    with pytest.raises(
        UserError, match=r"a\.parquet has the columns text \(string\), and none of them holds file contents"
    ):
        prepare([FACES], tmp_path / "out")


@pytest.mark.usefixtures("shards")
def test_without_pyarrow_nothing_is_fetched(hub, tmp_path, monkeypatch):
    monkeypatch.setattr("ganfill.errors.find_spec", lambda name: None if name == "pyarrow" else name)
    with pytest.raises(UserError, match=r"source=.*ada/faces needs pyarrow: pip install 'ganfill\[hub\]'"):
        prepare([FACES], tmp_path / "out")
    assert not hub.asked("GET", ".parquet")


@pytest.mark.usefixtures("shards")
def test_the_command_takes_such_a_name_without_a_key_and_beside_a_folder(tmp_path):
    (tmp_path / "own").mkdir()
    (tmp_path / "own/1.png").write_bytes(png(50))
    assert cli.run(["prepare", FACES, str(tmp_path / "own"), f"out={tmp_path / 'out'}", "resolution=8"]) == 0
    index = json.loads((tmp_path / "out/index.json").read_text())
    assert [source["label"] for source in index["source"]] == ["faces", "own"] and len(index["pictures"]) == 21
    assert cli.run(["prepare", f"source={FACES}/data", f"out={tmp_path / 'two'}", "resolution=8"]) == 0
