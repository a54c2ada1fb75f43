import logging

import pytest

from ganfill.training.callbacks.csv_table import CsvTable


@pytest.fixture
def path(tmp_path):
    return tmp_path / "metrics.csv"


def test_rows_beyond_the_checkpoint_and_half_rows_are_dropped(path):
    path.write_text("kimg,loss\n0.1,1\n0.2,2\n0.3,3\n0.")
    table = CsvTable(path, ("kimg", "loss"))
    assert table.resume(200) == [["0.1", "1"], ["0.2", "2"]]
    table.append([["0.3", "4"]])
    assert path.read_text().split() == ["kimg,loss", "0.1,1", "0.2,2", "0.3,4"]


def test_a_new_table_has_its_header(path):
    assert CsvTable(path, ("kimg", "loss")).resume(200) == []
    assert path.read_text().split() == ["kimg,loss"]


def test_rows_with_other_columns_are_kept_under_another_name_and_one_line_says_so(path, caplog):
    for columns, kept in (
        (("kimg", "a"), None),
        (("kimg", "b"), "metrics.old.csv"),
        (("kimg", "c"), "metrics.old2.csv"),
    ):
        before = path.read_bytes() if path.exists() else None
        caplog.clear()
        table = CsvTable(path, columns)
        with caplog.at_level(logging.WARNING, "ganfill"):
            assert table.resume(10**6) == []
        if kept:
            (message,) = (record.message for record in caplog.records)
            assert (
                message.endswith(f"the rows so far are kept in {kept}") and "begins anew: its columns were" in message
            )
            assert path.with_name(kept).read_bytes() == before
        table.append([[0.1, 7]])
    assert path.read_text().split() == ["kimg,c", "0.1,7"]


def test_a_header_without_rows_is_replaced_in_silence(path, caplog):
    path.write_text("kimg,other\n")
    assert CsvTable(path, ("kimg", "loss")).resume(0) == []
    assert not caplog.records and len([*path.parent.iterdir()]) == 1
