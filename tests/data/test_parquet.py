import random

import pyarrow as pa
import pytest
from pyarrow import parquet

from ganfill.data.parquet import BATCH, Pictures
from ganfill.errors import UserError

STRUCT = pa.struct({"bytes": pa.binary(), "path": pa.string()})


def write(path, contents, names=None, group=40):
    names = names or [None] * len(contents)
    rows = [
        None if content is None else {"bytes": content, "path": name}
        for content, name in zip(contents, names, strict=True)
    ]
    parquet.write_table(
        pa.table({"image": pa.array(rows, STRUCT), "label": range(len(rows))}),
        path,
        row_group_size=group,
        compression="none",
        use_dictionary=False,
    )
    return path


@pytest.fixture
def contents():
    draws = random.Random(0)
    return [draws.randbytes(100 + row) for row in range(130)]


def test_rows_in_any_order(tmp_path, contents):
    pictures = Pictures(write(tmp_path / "a.parquet", contents))
    names = list(pictures.names())
    assert names == [f"{row:06}" for row in range(130)]
    assert [pictures.read(name) for name in names] == contents
    for row in (129, 0, 39, 40, 41, 17, 16, 15, 120):
        assert pictures.read(names[row]) == contents[row]
    pictures.close()


def test_rows_are_called_by_their_files_names_where_those_are_kept(tmp_path):
    names = ["00012.png", "deep/down/ä b.jpg", None, r"C:\me\1.png", ""]
    pictures = Pictures(write(tmp_path / "a.parquet", [b"0", b"1", b"2", b"3", b"4"], names))
    found = list(pictures.names())
    assert found == ["000000/00012.png", "000001/ä b.jpg", "000002", "000003/1.png", "000004"]
    assert [pictures.read(name) for name in found] == [b"0", b"1", b"2", b"3", b"4"]
    pictures.close()


@pytest.mark.parametrize("kind", [pa.binary(), pa.large_binary()])
def test_a_plain_column_of_contents_of_any_name(tmp_path, kind):
    table = pa.table({"id": [1, 2], "picture": pa.array([b"a", b"b"], kind)})
    parquet.write_table(table, tmp_path / "a.parquet")
    pictures = Pictures(tmp_path / "a.parquet")
    assert pictures.column == "picture" and [pictures.read(name) for name in pictures.names()] == [b"a", b"b"]
    pictures.close()


def test_the_column_image_among_several(tmp_path):
    table = pa.table({"mask": [b"m"], "image": [b"i"]})
    parquet.write_table(table, tmp_path / "a.parquet")
    pictures = Pictures(tmp_path / "a.parquet")
    assert pictures.read("000000") == b"i"
    pictures.close()


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"text": ["a"], "image": ["b"]}, r"has the columns text \(string\), image \(string\), and none of them holds"),
        ({"before": [b"a"], "after": [b"b"]}, r"before \(binary\), after \(binary\), and none of them is named image"),
        ({"image": [{"path": "a"}]}, "none of them holds file contents"),
    ],
)
def test_no_column_of_pictures_or_several(tmp_path, table, message):
    parquet.write_table(pa.table(table), tmp_path / "a.parquet")
    with pytest.raises(UserError, match=message):
        Pictures(tmp_path / "a.parquet")


@pytest.mark.parametrize("keep", [0, 3, 0.5, 0.99])
def test_a_file_that_is_cut_short_or_none(tmp_path, contents, keep):
    path = write(tmp_path / "a.parquet", contents)
    data = path.read_bytes()
    path.write_bytes(data[: int(keep * len(data)) if keep < 1 else keep])
    with pytest.raises(UserError, match=r"a\.parquet is a damaged parquet file \(.+\): delete it") as caught:
        Pictures(path)
    assert "\n" not in str(caught.value)


def test_rows_without_a_picture_and_damaged_ones(tmp_path, contents):
    contents[3] = None
    path = write(tmp_path / "a.parquet", contents)
    data = bytearray(path.read_bytes())
    place = data.index(contents[40]) - 30
    data[place : place + 30] = bytes(30)  # the head of the second group's page
    path.write_bytes(data)
    pictures = Pictures(path)
    with pytest.raises(OSError, match="no picture in this row"):
        pictures.read("000003")
    for row in (40, 79, 50):
        with pytest.raises(OSError, match=r"\S"):
            pictures.read(f"{row:06}")
    assert [pictures.read(f"{row:06}") for row in (39, 80, 129)] == [contents[row] for row in (39, 80, 129)]
    pictures.close()


def test_a_few_rows_are_in_memory_at_once(tmp_path):
    draws = random.Random(0)
    path = write(tmp_path / "a.parquet", [draws.randbytes(100_000) for _ in range(128)], group=32)
    before = pa.total_allocated_bytes()
    pictures, most = Pictures(path), 0
    for row in range(128):
        assert len(pictures.read(f"{row:06}")) == 100_000
        most = max(most, pa.total_allocated_bytes() - before)
    assert most < 2 * (32 + BATCH) * 100_000 < path.stat().st_size
    pictures.close()
    assert pa.total_allocated_bytes() - before < 100_000


def test_an_error_without_a_message_is_reported_by_its_type(tmp_path, contents, monkeypatch):
    def fail(*arguments, **keywords):
        raise pa.ArrowInvalid

    pictures = Pictures(write(tmp_path / "a.parquet", contents))
    monkeypatch.setattr(pictures._file, "iter_batches", fail)
    with pytest.raises(OSError, match="ArrowInvalid"):
        pictures.read("000000")
    with pytest.raises(UserError, match=r"damaged parquet file \(ArrowInvalid\)"):
        list(pictures.names())


def test_a_row_group_that_expands_as_no_pictures_do_is_not_read(tmp_path):
    column = pa.array([bytes(70 << 20)] * 3, pa.binary())
    parquet.write_table(pa.table({"image": column}), tmp_path / "a.parquet", compression="zstd")
    assert (tmp_path / "a.parquet").stat().st_size < 100_000
    before, pictures = pa.total_allocated_bytes(), Pictures(tmp_path / "a.parquet")
    del column
    for row in range(3):
        with pytest.raises(OSError, match="expands more than 100-fold"):
            pictures.read(f"{row:06}")
    assert pa.total_allocated_bytes() <= before
    pictures.close()
