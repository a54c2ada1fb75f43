import json
import resource

import pytest

from ganfill.completion.record import Record, write_record

ENTRY = {"files": ["a.png"], "digest": "0"}


def test_the_last_entry_of_a_name_counts(tmp_path):
    record = Record(tmp_path / "r.jsonl")
    assert not record and not record.path.exists()
    record["ä b"] = {"files": []}
    record["\udce9"] = ENTRY  # a name that is no UTF-8
    record["ä b"] = ENTRY | {"scores": [0.1, None]}
    for each in (record, Record(record.path)):
        assert list(each) == ["ä b", "\udce9"] and len(each) == 2 and "c" not in each
        assert each["ä b"] == ENTRY | {"scores": [0.1, None]} and each["\udce9"] == ENTRY
    assert [json.loads(line)[0] for line in record.path.read_text().splitlines()[1:]] == ["ä b", "\udce9", "ä b"]


def test_a_torn_line_spoils_no_other(tmp_path):
    record = Record(tmp_path / "r.jsonl")
    record["a"], record["b"] = ENTRY, ENTRY
    whole = record.path.read_bytes()
    for cut in range(len(whole)):
        record.path.write_bytes(whole[:cut])
        again = Record(record.path)
        assert len(again) == (cut > whole.rindex(b"\n") - 1)
        again["c"] = ENTRY
        assert "c" in Record(record.path) and len(Record(record.path)) == len(again)


@pytest.mark.parametrize(
    "line", [b"", b"{", b"[]", b"null", b"\x00", b'["a"]', b'["a", []]', b'["a", {"digest": "0"}]', b'[1, {"files": []}]',
             b'["a", {"files": ["../a.png"]}]', b'["a", {"files": ["/a.png"]}]', b'{"a": 1, "b": 2}', b"[" * 100_000]
)  # fmt: skip
def test_damaged_lines_are_passed_over(tmp_path, line):
    (tmp_path / "r.jsonl").write_bytes(line)
    record = Record(tmp_path / "r.jsonl")
    assert not record
    record["b"] = ENTRY
    assert dict(Record(record.path)) == {"b": ENTRY}


def test_a_full_disk_leaves_the_former_entry(tmp_path):
    record = Record(tmp_path / "r.jsonl")
    record["a"] = ENTRY
    size, limits = record.path.stat().st_size, resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size + 10, limits[1]))
    try:
        with pytest.raises(OSError, match=r"r\.jsonl"):
            record["a"] = {"files": ["b.png"]}
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert record.path.stat().st_size == size + 10  # a torn line
    assert record["a"] == Record(record.path)["a"] == ENTRY
    record["a"] = {"files": ["b.png"]}
    assert record["a"] == Record(record.path)["a"] == {"files": ["b.png"]}


def test_a_record_is_made_of_valid_entries(tmp_path):
    write_record(tmp_path / "r.jsonl", {"a": ENTRY, "b": {"files": ["../b.png"]}, "c": []}.items())
    assert dict(Record(tmp_path / "r.jsonl")) == {"a": ENTRY}
