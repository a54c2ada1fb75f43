"""The parts of the reliability suite find what they look for."""

import csv
import json
import random
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from experiments.reliability import compare, malformed
from experiments.reliability.tally import Tally

ROOT = Path(__file__).resolve().parents[2]
KILLED = """
import sys
from pathlib import Path
from experiments.reliability.processes import run
from ganfill import cli


def write():
    for name in "abc":
        (out / name).write_text(name)
    (out / "a").rename(out / "d")
    (out.parent / "elsewhere").write_text("")
    (out / "b").read_text()
    print(text)
    sys.exit(0)


cli.main = write
for kill_at, text in ((0, "done"), (1, ""), (3, ""), (4, ""), (0, "Traceback (most recent call last)")):
    out = Path(sys.argv[1], f"{kill_at} {text}")
    out.mkdir()
    outcome = run([], out, kill_at)
    print(outcome.code, outcome.operations, sorted(path.name for path in out.iterdir()), outcome.problem)
"""


def test_a_process_is_killed_before_the_nth_change_of_a_file(tmp_path):
    command = [sys.executable, "-c", KILLED, str(tmp_path)]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.stdout.splitlines() == [
        "0 4 ['b', 'c', 'd'] None",
        "-9 1 [] exit code -9",
        "-9 3 ['a', 'b'] exit code -9",
        "-9 4 ['a', 'b', 'c'] exit code -9",
        "0 4 ['b', 'c', 'd'] traceback: Traceback (most recent call last)",
    ], result.stderr


@pytest.fixture
def pair(tmp_path):
    """Two directories with the same results, measured at other times."""
    for name, seconds in (("one", 1.5), ("two", 2.5)):
        path = tmp_path / name
        path.mkdir()
        (path / "a.json").write_text(json.dumps({"seconds": seconds, "psnr": 20.0}))
        (path / "a.csv").write_text(f"kimg,seconds\n1,{seconds}\n")
        (path / "a.png").write_bytes(b"png")
        (path / "summary.json").write_text(str(seconds))
        torch.save({"seconds": seconds, "state_dict": {"w": torch.ones(2)}}, path / "a.ckpt")
    return tmp_path / "one", tmp_path / "two"


def test_times_and_locks_are_no_difference(pair):
    for name in (".lock", ".a.csv.lock"):
        (pair[0] / name).touch()
    assert compare.differences(*pair) == []


def test_bits_are_a_difference(pair):
    one, two = pair
    (one / "a.json").write_text(json.dumps({"seconds": 1, "psnr": 20.1}))
    (one / "a.csv").write_text("kimg,seconds\n2,1\n")
    (one / "a.png").write_bytes(b"pnG")
    torch.save({"state_dict": {"w": torch.tensor([1.0, 1.0000001])}}, one / "a.ckpt")
    (one / ".partial-a.png").write_bytes(b"")
    (one / "summary.json").unlink()
    assert compare.differences(one, two) == [
        *("summary.json is missing", ".partial-a.png is left over"),
        *(f"a.{suffix} differs" for suffix in ("ckpt", "csv", "json", "png")),
    ]


def test_malformed_inputs_are_the_same_each_time_and_of_every_kind():
    inputs = [malformed.malformed(0, number) for number in range(200)]
    assert inputs == [malformed.malformed(0, number) for number in range(200)]
    assert {suffix for suffix, _ in inputs} == set(malformed.FORMATS)
    assert len({data for _, data in inputs}) > 150
    data = malformed.picture(random.Random(1))[1]
    assert all(isinstance(damage(data, random.Random(2)), bytes) for damage in malformed.DAMAGES)


def test_a_tally_counts_prints_and_records(tmp_path, capsys):
    tally = Tally("kills", "train")
    tally.add("one", None)
    tally.add("two", "last.ckpt differs")
    tally.finish({"out": str(tmp_path / "reliability.csv"), "seed": "3"})
    assert capsys.readouterr().out == "kills train: tried 2, survived 1, failed 1\n  two: last.ckpt differs\n"
    (row,) = csv.DictReader((tmp_path / "reliability.csv").read_text().splitlines())
    assert [row[name] for name in ("form", "case", "seed", "tried", "survived", "failed")] == [
        *("kills", "train", "3", "2", "1", "1"),
    ]
