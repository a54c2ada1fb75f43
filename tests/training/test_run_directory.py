import math
import shutil
from pathlib import Path

import pytest
import torch
import yaml

from ganfill.errors import UserError
from ganfill.runs.reader import read_run
from ganfill.training.export import from_run
from ganfill.training.run_directory import (
    CHECKPOINT_FIELDS,
    check_fits,
    check_resumable,
    init_run_dir,
    last_metrics,
    read_checkpoint,
)

CONFIG = {"kimg": 1, "loss": {"_target_": "a"}, "data": {"path": "x", "mirror": False}, "device": "auto"}


def test_free_keys_may_change_and_the_new_ones_are_kept(tmp_path):
    run, new = tmp_path / "run", {"kimg": 2, "device": "cpu", "data": {"path": "y", "mirror": False}}
    new |= {"sample_kimg": 5, "checkpoint_kimg": 5, "callbacks": {"samples": {"every_kimg": 5}}}
    init_run_dir(run, CONFIG)
    (run / "last.ckpt").touch()
    init_run_dir(run, CONFIG | new)
    assert yaml.safe_load((run / "config.yaml").read_text()) == CONFIG | new
    assert sorted(path.name for path in run.iterdir()) == ["config.yaml", "last.ckpt"]


def test_a_training_that_goes_on_is_neither_failed_nor_pruned(tmp_path):
    for name in ("failed.txt", "pruned.txt", "notes.txt"):
        (tmp_path / name).write_text("the loss became NaN")
    (tmp_path / "last.ckpt").touch()
    assert read_run(tmp_path, tmp_path).state == "failed: the loss became NaN"
    init_run_dir(tmp_path, CONFIG)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["config.yaml", "last.ckpt", "notes.txt"]
    assert read_run(tmp_path, tmp_path).state == "at 0 of 1 kimg"


def test_the_interval_of_metrics_may_not_change(tmp_path):
    init_run_dir(tmp_path, CONFIG | {"log_kimg": 1})
    (tmp_path / "last.ckpt").touch()
    with pytest.raises(UserError, match=r"log_kimg \(there 1, now 2\)"):
        init_run_dir(tmp_path, CONFIG | {"log_kimg": 2})


def test_other_keys_may_not_appear_or_vanish_either(tmp_path):
    init_run_dir(tmp_path, CONFIG)
    (tmp_path / "last.ckpt").touch()
    with pytest.raises(UserError, match=r"data\.mirror \(there False, now None\), gamma \(there None, now 3\)"):
        init_run_dir(tmp_path, CONFIG | {"gamma": 3, "data": {"path": "x"}})


def test_a_key_that_an_older_version_did_not_have_counts_with_its_old_meaning(tmp_path):
    init_run_dir(tmp_path, CONFIG)
    (tmp_path / "last.ckpt").touch()
    check_resumable(tmp_path, CONFIG | {"step": "alternating", "gan": {"step": "alternating"}, "fade_kimg": 100})
    with pytest.raises(UserError, match=r"fade_kimg \(there 100, now 10\)"):
        check_resumable(tmp_path, CONFIG | {"fade_kimg": 10})
    with pytest.raises(UserError, match=r"gan\.step \(there alternating, now joint\), step \("):
        check_resumable(tmp_path, CONFIG | {"step": "joint", "gan": {"step": "joint"}})


def test_comparing_writes_nothing(tmp_path):
    check_resumable(tmp_path / "run", CONFIG)
    assert not (tmp_path / "run").exists()
    init_run_dir(tmp_path, CONFIG)
    (tmp_path / "last.ckpt").touch()
    before = (tmp_path / "config.yaml").read_bytes()
    check_resumable(tmp_path, CONFIG | {"kimg": 2})
    with pytest.raises(UserError, match="gamma"):
        check_resumable(tmp_path, CONFIG | {"gamma": 3})
    assert (tmp_path / "config.yaml").read_bytes() == before


def test_a_configuration_that_cannot_be_read(tmp_path):
    (tmp_path / "last.ckpt").touch()
    for content in (b"a: [", b"\xff", b"a: \x00"):
        (tmp_path / "config.yaml").write_bytes(content)
        with pytest.raises(UserError, match=r"config\.yaml cannot be read .*: choose another out"):
            check_resumable(tmp_path, CONFIG)


def test_no_checkpoint_and_a_foreign_one(tmp_path):
    with pytest.raises(UserError, match="give the out directory of a training"):
        read_checkpoint(tmp_path / "last.ckpt")
    torch.save({"state_dict": {}}, tmp_path / "last.ckpt")
    with pytest.raises(UserError, match="not a readable checkpoint of ganfill"):
        read_checkpoint(tmp_path / "last.ckpt")


def test_a_checkpoint_runs_no_code(tmp_path):
    class Payload:
        def __reduce__(self):
            return (open, (str(tmp_path / "written"), "w"))

    torch.save({"images_seen": 1, "ganfill": {}, "state_dict": {}, "payload": Payload()}, tmp_path / "last.ckpt")
    with pytest.raises(UserError, match="not a readable checkpoint"):
        read_checkpoint(tmp_path / "last.ckpt")
    assert not (tmp_path / "written").exists()


def test_the_last_row_of_metrics(tmp_path):
    assert last_metrics(tmp_path / "metrics.csv", 1) == {}
    (tmp_path / "metrics.csv").write_text("kimg,loss_d\n")
    assert last_metrics(tmp_path / "metrics.csv", 1) == {}
    (tmp_path / "metrics.csv").write_text("kimg,loss_d\n1.0,2\n2.0,0.5\n")
    assert last_metrics(tmp_path / "metrics.csv", 2) == {"kimg": 2.0, "loss_d": 0.5}
    assert last_metrics(tmp_path / "metrics.csv", 1.9) == {"kimg": 1.0, "loss_d": 2.0}


@pytest.fixture
def checkpoint(tmp_path):
    """A checkpoint of an earlier version: its file and its content."""
    shutil.copy(Path(__file__).parents[1] / "compatibility/run/last.ckpt", tmp_path / "last.ckpt")
    return tmp_path / "last.ckpt", torch.load(tmp_path / "last.ckpt", weights_only=True)


@pytest.mark.parametrize("name", CHECKPOINT_FIELDS)
def test_a_checkpoint_without_one_of_its_keys(checkpoint, name):
    path, content = checkpoint
    (content["ganfill"] if "." in name else content).pop(name.rpartition(".")[2])
    torch.save(content, path)
    with pytest.raises(UserError, match=rf"not a readable checkpoint of ganfill \({name} is missing\)"):
        read_checkpoint(path)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("images_seen", value) for value in ("x", math.nan, 10**30, -1, 3.5, True, None)),
        *(("seconds", value) for value in ("x", math.nan, math.inf, -1.0)),
        ("epoch", -1),
        ("global_step", 2.5),
        ("state_dict", []),
        ("state_dict", {"a": 1}),
        ("ganfill", None),
        ("ganfill.pictures", "many"),
        ("ganfill.data_digest", 5),
        ("fade", {"factor": 2}),
    ],
)
def test_a_checkpoint_with_a_field_out_of_range(checkpoint, name, value):
    path, content = checkpoint
    (content["ganfill"] if "." in name else content)[name.rpartition(".")[2]] = value
    torch.save(content, path)
    with pytest.raises(UserError, match="not a readable checkpoint of ganfill") as caught:
        read_checkpoint(path)
    assert "\n" not in str(caught.value)
    with pytest.raises(UserError, match="not a readable checkpoint of ganfill"):
        from_run(path.parent, "last")


def test_a_checkpoint_that_is_no_mapping(tmp_path):
    torch.save([1], tmp_path / "last.ckpt")
    with pytest.raises(UserError, match=r"not a readable checkpoint of ganfill \(it holds list\)"):
        read_checkpoint(tmp_path / "last.ckpt")


def test_damaged_rows_of_metrics_are_passed_over(tmp_path):
    (tmp_path / "metrics.csv").write_text("kimg,loss_d,loss_g\nx,1,1\n1,nan,2\n2,3")
    assert last_metrics(tmp_path / "metrics.csv", 5) == {"kimg": 1.0, "loss_g": 2.0}


def test_one_flipped_bit_of_a_checkpoint_is_noticed(checkpoint):
    path, content = checkpoint
    data = bytearray(path.read_bytes())
    weight = max(content["state_dict"].values(), key=torch.numel)
    data[data.index(weight.numpy().tobytes()) + 100] ^= 1
    path.write_bytes(data)
    with pytest.raises(UserError, match="not a readable checkpoint of ganfill"):
        read_checkpoint(path)


def test_weights_of_another_network(checkpoint):
    path, content = checkpoint
    name, weight = next((name, weight) for name, weight in content["state_dict"].items() if weight.ndim)
    check_fits(content["state_dict"], dict(content["state_dict"]), path)
    for other in ({}, {name: weight[:1]}, {"further": weight}):
        with pytest.raises(UserError, match=r"last\.ckpt does not fit this configuration \("):
            check_fits({name: weight}, other, path)
