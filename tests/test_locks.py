import errno
import os
import subprocess
import sys

import pytest
from filelock import FileLock

from ganfill import locks
from ganfill.data.archives import ARCHIVES
from ganfill.errors import UserError
from ganfill.images.formats import HEIF, suffixes

HOLDER = """
import sys, time
from pathlib import Path
from ganfill.locks import hold_directory

with hold_directory(Path(sys.argv[1])):
    print("holds", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def holder(tmp_path):
    """Another process that holds the directory ``out``."""
    with subprocess.Popen([sys.executable, "-c", HOLDER, tmp_path / "out"], stdout=subprocess.PIPE) as process:
        assert process.stdout and process.stdout.readline()
        yield process
        process.kill()


def test_the_second_process_is_told_who_is_at_work(tmp_path, holder):
    name = rf"out is in use by process {holder.pid} on {os.uname().nodename} \(-c .*out\) since 20"
    with pytest.raises(locks.InUse, match=name), locks.hold_directory(tmp_path / "out"):
        pytest.fail("it was held twice")


def test_a_lock_of_a_killed_process_does_not_block(tmp_path, holder):
    holder.kill()
    holder.wait()
    assert (tmp_path / "out" / locks.LOCK).exists()
    with locks.hold_directory(tmp_path / "out"):
        pass


def test_who_waits_goes_on_when_the_other_ends(tmp_path, holder, caplog):
    def warn(*words):
        holder.kill()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(locks.log, "warning", warn)
        with locks.hold_directory(tmp_path / "out", wait=True):
            assert holder.wait()


def test_a_process_may_hold_a_directory_twice(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with locks.hold_directory(tmp_path / "out"):
        with locks.hold_directory(tmp_path.__class__("out")):
            pass
        assert (tmp_path / "out" / locks.LOCK).exists()
        (tmp_path / "out/a").touch()
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["a"]


def test_a_directory_that_stays_empty_is_deleted_if_it_was_not_there(tmp_path):
    (tmp_path / "old").mkdir()
    with locks.hold_directory(tmp_path / "old"), locks.hold_directory(tmp_path / "new"):
        pass
    assert [path.name for path in tmp_path.iterdir()] == ["old"]
    assert not [*(tmp_path / "old").iterdir()]


def test_a_file_is_held_by_its_name(tmp_path):
    with locks.hold_file(tmp_path / "deep/a.onnx"), locks.hold_file(tmp_path / "deep/b.onnx"):
        pass
    with FileLock(tmp_path / "deep/.c.onnx.lock"), pytest.raises(locks.InUse, match=r"c\.onnx is in use by another"):
        locks.hold_file(tmp_path / "deep/c.onnx").__enter__()
    assert not [path for path in (tmp_path / "deep").iterdir() if path.name != ".c.onnx.lock"]


def test_every_format_that_is_read_is_known_as_a_file():
    assert {*suffixes(), *HEIF, *ARCHIVES} <= {*locks.FILES}


@pytest.mark.parametrize("name", ["result.png", "result.bmp", "store.npy", "store.zip", "last.ckpt", "report.HTML"])
def test_a_folder_does_not_get_the_name_of_a_file(tmp_path, name):
    with pytest.raises(UserError, match="is the name of a file, and the results are a folder: give out="):
        locks.hold_directory(tmp_path / name).__enter__()
    assert not [*tmp_path.iterdir()]
    (tmp_path / name).mkdir()
    with locks.hold_directory(tmp_path / name):
        pass


def test_a_file_in_its_place_is_a_mistake(tmp_path):
    (tmp_path / "out").touch()
    with pytest.raises(UserError, match=r"out=.*out cannot be created \(File exists\)"):
        locks.hold_directory(tmp_path / "out").__enter__()


def test_without_locks_in_the_file_system_work_goes_on_with_a_warning(tmp_path, monkeypatch, caplog):
    def acquire(self, timeout=None):
        raise OSError(errno.ENOSYS, "Function not implemented")

    monkeypatch.setattr(FileLock, "acquire", acquire)
    with locks.hold_directory(tmp_path / "out"):
        (tmp_path / "out/a").touch()
    assert "this file system cannot lock files" in caplog.text
