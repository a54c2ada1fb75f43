import pytest
import torch
import yaml

from ganfill.errors import UserError
from ganfill.training.run_directory import check_resumable, init_run_dir, last_metrics, read_checkpoint

CONFIG = {"kimg": 1, "loss": {"_target_": "a"}, "data": {"path": "x", "mirror": False}, "device": "auto"}


def test_free_keys_may_change_and_the_new_ones_are_kept(tmp_path):
    init_run_dir(tmp_path / "run", CONFIG)
    init_run_dir(tmp_path / "run", CONFIG | {"kimg": 2, "device": "cpu", "data": {"path": "y", "mirror": False}})
    assert yaml.safe_load((tmp_path / "run/config.yaml").read_text())["kimg"] == 2
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["config.yaml"]


def test_other_keys_may_not_appear_or_vanish_either(tmp_path):
    init_run_dir(tmp_path, CONFIG)
    (tmp_path / "last.ckpt").touch()
    with pytest.raises(UserError, match=r"data\.mirror \(there False, now None\), gamma \(there None, now 3\)"):
        init_run_dir(tmp_path, CONFIG | {"gamma": 3, "data": {"path": "x"}})


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
