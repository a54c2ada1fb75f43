"""A measured training is the one it would be without, and continues as one."""

import json
import logging

import pytest
import torch

from ganfill.training.callbacks.distances import Distances
from ganfill.training.run_directory import read_checkpoint


@pytest.fixture
def train(train_measured):
    return train_measured


def same_state(a, b):
    a, b = (torch.load(path, weights_only=True) for path in (a, b))
    assert a.keys() == b.keys() and a["state_dict"].keys() == b["state_dict"].keys()
    assert a["callbacks"] == b["callbacks"] == {}
    moments = [
        [
            value
            for optimizer in c["optimizer_states"]
            for state in optimizer["state"].values()
            for value in state.values()
        ]
        for c in (a, b)
    ]
    assert all(map(torch.equal, *moments))
    return all(torch.equal(value, b["state_dict"][name]) for name, value in a["state_dict"].items())


def test_the_training_is_the_same_with_and_without(tmp_path, train, words):
    train(tmp_path / "without", 0.256, every_kimg=None)
    train(tmp_path / "with", 0.256, words)
    assert same_state(tmp_path / "with/last.ckpt", tmp_path / "without/last.ckpt")


def test_continued_in_parts_equals_one_go_and_every_row_stands_once(tmp_path, train, words, table):
    train(tmp_path / "whole", 0.512, words)
    for kimg in (0.256, 0.384):
        train(tmp_path / "parts", kimg, words)
    # As a kill between two checkpoints leaves it: a row that will be measured again, and half a row.
    with (tmp_path / "parts/distances.csv").open("a") as file:
        file.write("0.448,1,0,0,0,0,0\n0.51")
    train(tmp_path / "parts", 0.512, words)
    assert table(tmp_path / "parts") == table(tmp_path / "whole") and len(table(tmp_path / "whole")) == 8
    best = [read_checkpoint(tmp_path / name / "best.ckpt")["images_seen"] for name in ("parts", "whole")]
    assert best[0] == best[1]
    assert same_state(tmp_path / "parts/best.ckpt", tmp_path / "whole/best.ckpt")


def test_best_is_the_lowest_of_the_first_network_also_after_a_resume(tmp_path, train, monkeypatch, words, table):
    figures = iter([5.0, 3.0, 4.0, 3.5, 3.0, 2.0, 9.0])

    def row(self, gan):
        return dict.fromkeys(self.table.columns, 1.0) | {"kimg": gan.images_seen / 1000, self.names[0]: next(figures)}

    monkeypatch.setattr(Distances, "_row", row)

    def best():
        return read_checkpoint(tmp_path / "out/best.ckpt")["images_seen"]

    train(tmp_path / "out", 0.128, words)
    assert best() == 128
    train(tmp_path / "out", 0.256, words)
    assert best() == 128
    train(tmp_path / "out", 0.448, words)
    assert best() == 384
    assert [row["fd_one"] for row in table(tmp_path / "out")] == ["5.0", "3.0", "4.0", "3.5", "3.0", "2.0", "9.0"]


def test_the_figures_of_a_training_that_was_over_are_read_from_its_files(tmp_path, train, words):
    train(tmp_path, 0.256, words)
    rows = (tmp_path / "distances.csv").read_text().splitlines()[1:]
    seen = read_checkpoint(tmp_path / "best.ckpt")["images_seen"]
    (value,) = [float(row.split(",")[2]) for row in rows if float(row.split(",")[0]) * 1000 == seen]
    best = Distances(tmp_path, 0.064, 0.256, features=words).figures["best_checkpoint"]
    assert (best["distance"], best["value"]) == ("fd_one", value)
    assert Distances(tmp_path, 0, 0.256, features=words).figures == {}  # it measures nothing
    assert Distances(tmp_path, 0.064, 0.256).figures == {}  # other features
    (tmp_path / "best.ckpt").unlink()
    assert Distances(tmp_path, 0.064, 0.256, features=words).figures == {}


def test_a_best_from_after_the_checkpoint_is_none(tmp_path, train, monkeypatch, words, table):
    """A training that lost its last.ckpt and was given an older one back."""
    figures = iter([5.0, 4.0, 3.0, 2.0, 6.0, 7.0, 4.5])

    def row(self, gan):
        return dict.fromkeys(self.table.columns, 1.0) | {"kimg": gan.images_seen / 1000, self.names[0]: next(figures)}

    monkeypatch.setattr(Distances, "_row", row)
    out = tmp_path / "out"

    def best():
        return read_checkpoint(out / "best.ckpt")["images_seen"]

    train(out, 0.128, words)
    older = (out / "last.ckpt").read_bytes()
    train(out, 0.256, words)
    assert best() == 256
    (out / "last.ckpt").write_bytes(older)
    train(out, 0.256, words)
    assert best() == 192 and [row["fd_one"] for row in table(out)] == ["5.0", "4.0", "6.0", "7.0"]
    train(out, 0.32, words)  # the 4.0 has no checkpoint any more
    assert best() == 320


def test_other_networks_or_numbers_begin_anew(tmp_path, train, words, caplog, table):
    out = tmp_path / "out"
    train(out, 0.128, words)
    floor = json.loads((out / "distances_floor.json").read_text())
    torch.save({"layer.weight": 3 * torch.eye(3)}, tmp_path / "one.pt")
    with caplog.at_level(logging.WARNING, "ganfill"):
        train(out, 0.256, words)
    assert [row["kimg"] for row in table(out)] == ["0.192", "0.256"]
    assert "distances.csv begins anew: the feature network one has changed; the rows so far are kept in" in caplog.text
    assert len((out / "distances.old.csv").read_text().splitlines()) == 3
    changed = json.loads((out / "distances_floor.json").read_text())
    assert changed["floor"]["fd_one"] == pytest.approx(9 * floor["floor"]["fd_one"], rel=1e-4)
    assert changed["floor"]["fd_two"] == floor["floor"]["fd_two"]


def test_the_reason_for_beginning_anew_is_true_and_nothing_is_lost(tmp_path, train, words, caplog, table):
    out = tmp_path / "out"
    (tmp_path / "out").mkdir()
    # As a kill at the very start leaves it: a table without rows, and no floor.
    (out / "distances.csv").write_text("kimg,seconds,fd_one,kd_one,fd_two,kd_two,diversity\n")
    reasons = [
        ({"words": words}, None),
        ({}, "it was measured by one, two, now by pyramid"),
        ({"n": 8}, "it was measured on 16 samples, now on 8"),
        ({"n": 8}, "distances_floor.json, which records how it was measured, is missing or damaged"),
    ]
    for round, (options, reason) in enumerate(reasons, 1):
        if reason and "missing" in reason:
            (out / "distances_floor.json").unlink()
        caplog.clear()
        with caplog.at_level(logging.WARNING, "ganfill"):
            train(out, 0.128 * round, **options)
        found = [record.message for record in caplog.records if "begins anew" in record.message]
        assert len(found) == (reason is not None) and all(f"begins anew: {reason};" in message for message in found)
        assert len(table(out)) == 2
    kept = {path.name: path.read_text() for path in out.glob("distances.old*.csv")}
    assert [*sorted(kept)] == ["distances.old.csv", "distances.old2.csv", "distances.old3.csv"]
    assert "\n0.128," in kept["distances.old.csv"] and "\n0.256," in kept["distances.old2.csv"]
