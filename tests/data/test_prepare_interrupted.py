"""Runs of ``prepare`` that are cut off."""

import os
import signal
import subprocess
import sys
import time
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import pytest
from PIL import Image

from ganfill.data import decode_pool
from ganfill.data import prepare as module
from ganfill.data.prepare import prepare
from ganfill.data.store import ImageStore
from ganfill.errors import UserError


@pytest.fixture
def in_small_steps(monkeypatch):
    monkeypatch.setattr(module, "CHUNK", 2)
    monkeypatch.setattr(module, "_cores", lambda: 1)


@pytest.mark.parametrize("method", ["add", "_write", "finish", "discard"])
@pytest.mark.usefixtures("in_small_steps")
def test_an_interrupted_run_continues_to_the_same_bytes(folder, tmp_path, method, content, cut_off, settings):
    prepare([folder], tmp_path / "whole", **settings)
    steps = {"add": 6, "_write": 7}.get(method, 1)  # eleven files by two, and the line with the settings
    for after in range(steps):
        out = tmp_path / str(after)
        cut_off([folder], out, method, after)
        assert (out / ".partial").is_dir()
        prepare([folder], out, **settings)
        assert content(out) == content(tmp_path / "whole")


@pytest.mark.usefixtures("in_small_steps")
def test_a_run_interrupted_again_and_again_continues_to_the_same_bytes(folder, tmp_path, content, cut_off, settings):
    prepare([folder], tmp_path / "whole", **settings)
    for _ in range(5):
        cut_off([folder], tmp_path / "out", "add", 1)
    prepare([folder], tmp_path / "out", **settings)
    assert content(tmp_path / "out") == content(tmp_path / "whole")


@pytest.mark.parametrize("name", ["replace", "write_bytes"])
def test_a_run_cut_off_between_the_renames_continues_to_the_same_bytes(folder, tmp_path, name, content, settings):
    prepare([folder], tmp_path / "whole", **settings)
    real = getattr(Path, name)

    def cut(path, target, **options):
        if path.name == ".partial-index.json":
            raise KeyboardInterrupt
        return real(path, target, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Path, name, cut)
        with pytest.raises(KeyboardInterrupt):
            prepare([folder], tmp_path / "out", **settings)
    assert (tmp_path / "out" / "images.npy").exists() and not (tmp_path / "out" / "index.json").exists()
    with pytest.raises(UserError, match="unfinished"):
        ImageStore.open(tmp_path / "out")
    prepare([folder], tmp_path / "out", **settings)
    assert content(tmp_path / "out") == content(tmp_path / "whole")


@pytest.mark.usefixtures("in_small_steps")
def test_a_torn_last_line_is_done_again(folder, tmp_path, content, cut_off, settings):
    prepare([folder], tmp_path / "whole", **settings)
    cut_off([folder], tmp_path / "out", "add", 3)
    journal = tmp_path / "out" / ".partial" / "journal.jsonl"
    journal.write_bytes(journal.read_bytes()[:-20])
    prepare([folder], tmp_path / "out", **settings)
    assert content(tmp_path / "out") == content(tmp_path / "whole")


def end_worker(files, resolution, crop):
    """In place of a worker's task: what the system does if memory runs out."""
    if any(file.name == "00005.png" for _, file in files):
        os._exit(9)
    return real_work(files, resolution, crop)


real_work = decode_pool._work


def test_a_worker_that_is_ended_is_named_and_the_same_again_continues(folder, tmp_path, monkeypatch, content, settings):
    prepare([folder], tmp_path / "whole", **settings)
    monkeypatch.setattr(module, "CHUNK", 2)
    monkeypatch.setattr(module, "_cores", lambda: 2)
    with monkeypatch.context() as patch:
        patch.setattr(decode_pool, "_work", end_worker)
        with pytest.raises(
            UserError, match=r"a process that decodes pictures was ended .*: the same command continues"
        ):
            prepare([folder], tmp_path / "out", **settings)
    assert (tmp_path / "out/.partial").is_dir()
    prepare([folder], tmp_path / "out", **settings)
    assert content(tmp_path / "out") == content(tmp_path / "whole")


def test_a_pool_that_takes_no_more_tasks_is_explained_too(folder, tmp_path, monkeypatch, settings):
    def broken(*_):
        raise BrokenProcessPool

    monkeypatch.setattr(module, "CHUNK", 2)
    monkeypatch.setattr(module, "_cores", lambda: 2)
    monkeypatch.setattr(decode_pool.ProcessPoolExecutor, "submit", broken)
    with pytest.raises(UserError, match="the same command continues"):
        prepare([folder], tmp_path / "out", **settings)


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="there is no SIGKILL")
def test_a_killed_run_leaves_no_workers_and_continues_to_the_same_bytes(tmp_path, monkeypatch, save, content):
    source, out = tmp_path / "many", tmp_path / "out"
    for number in range(320):
        save(source / f"{number:05}.png", number)
    for number in range(200, 202):  # large ones far behind the beginning: the run lasts long enough to be killed
        Image.new("L", (3000, 3000), number).save(source / f"{number:05}.png", compress_level=1)
    words = ["prepare", f"source={source}", f"out={out}", "resolution=8", "limit=300"]
    with subprocess.Popen([sys.executable, "-m", "ganfill", *words], stderr=subprocess.PIPE) as process:
        journal = out / ".partial" / "journal.jsonl"
        while process.poll() is None and not (journal.exists() and journal.read_bytes().count(b"\n") > 1):
            time.sleep(0.001)
        process.kill()
        process.communicate(timeout=120)  # returns when the last worker has closed its end
    assert process.returncode == -signal.SIGKILL
    assert not (out / "index.json").exists() and (out / ".partial" / "images.npy").stat().st_size > 128
    monkeypatch.setattr(module, "_cores", lambda: 1)
    prepare([source], out, resolution=8, limit=300)
    prepare([source], tmp_path / "whole", resolution=8, limit=300)
    assert content(out) == content(tmp_path / "whole")
