import os

import pytest

from ganfill.text_files import parse_yaml, read_mapping, read_text

LEVELS = "\n".join(f"k{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 9))
MERGES = "\n".join(f"k{i}: &a{i} {{<<: [{', '.join([f'*a{i - 1}'] * 9)}]}}" for i in range(1, 9))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (f"k0: &a0 [x]\n{LEVELS}", "aliases written out"),
        (f"k0: &a0 {{x: y}}\n{MERGES}", "aliases written out"),
        ("a: &a [*a]", "aliases written out"),
        ("a: " + "[" * 60 + "]" * 60, "nested"),
        ("a: " + "[" * 10_000, "nested"),
        ("a: [1", "expected"),
        ("a: !!python/name:os.system x", "could not determine a constructor"),
        ("? [a]\n: 1", "unhashable"),
        ("a: " + "1" * 5000, "4300 digits"),
    ],
)
def test_yaml_is_bounded(text, reason):
    with pytest.raises(ValueError, match=reason) as caught:
        parse_yaml(text)
    assert "\n" not in str(caught.value)


def test_yaml_may_have_aliases():
    assert parse_yaml("a: &a {b: 1}\nc: {<<: *a, d: *a}\n") == {"a": {"b": 1}, "c": {"b": 1, "d": {"b": 1}}}


def test_dates_are_texts():
    assert parse_yaml("{a: 2024-01-02, b: 2024-13-45}") == {"a": "2024-01-02", "b": "2024-13-45"}


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        ("a.json", '{"a": 1' + "0" * 400 + "}", "beyond 1e"),
        ("a.json", '{"a": [1e308]}', "beyond 1e"),
        ("a.yaml", "a: 1.0e+200", "beyond 1e"),
        ("a.json", '{"a": ' + "[" * 60 + "]" * 60 + "}", "nested"),
        ("a.json", "[" * 100_000, "nested"),
        ("a.json", "[]", "no settings"),
        ("a.yaml", "1: 2", "no text"),
        ("a.yaml", "a: " + "b" * (1 << 18), "larger than 256 kB"),
    ],
)
def test_a_mapping_is_bounded(name, text, reason, tmp_path):
    (tmp_path / name).write_text(text)
    with pytest.raises(ValueError, match=reason):
        read_mapping(tmp_path / name)


def test_infinity_is_a_number_as_any_other(tmp_path):
    (tmp_path / "a.json").write_text('{"a": [Infinity, 1, 2.5, null, "b", true]}')
    assert read_mapping(tmp_path / "a.json") == {"a": [float("inf"), 1, 2.5, None, "b", True]}


def test_only_regular_files_are_read(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path, tmp_path / "pipe", "/dev/zero"):
        with pytest.raises(ValueError, match="no regular file"):
            read_text(tmp_path / path)
    (tmp_path / "text").write_bytes(b"a\xff")
    assert read_text(tmp_path / "text", errors="replace") == "a\ufffd"
