import os
import signal
import stat
import subprocess
import sys
import tempfile
import urllib.request

import pytest

pytest.importorskip("filelock", reason="the extra app is not installed")
from ganfill.app import upload_folder


@pytest.fixture
def temporary(tmp_path, monkeypatch):
    """Replaces the system's temporary folder."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)
    yield tmp_path
    tempfile.tempdir = None


@pytest.fixture
def start(model_path, temporary):
    """Starts servers with a page, at once."""
    pytest.importorskip("gradio", reason="the extra app is not installed")
    command = [sys.executable, "-m", "ganfill", "app", f"models={model_path}", "port=0", "device=cpu"]
    started = []

    def start(count):
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        started.extend(subprocess.Popen(command, **pipes) for _ in range(count))
        for server in started:
            output = server.stdout.readline()
            assert "listens on" in output, server.communicate()
            address = output.removeprefix("ganfill listens on ").split(";")[0]
            with urllib.request.urlopen(f"{address}/healthz", timeout=60) as answer:
                assert answer.status == 200
        return started

    yield start
    for server in started:
        server.kill()
        server.communicate()


def folders(temporary):
    return set(temporary.glob("ganfill-app-*"))


def test_a_folder_is_private_and_deleted_at_the_end(temporary):
    with upload_folder.temporary_folder() as pictures:
        (pictures / "me.png").write_bytes(b"x")
        (home,) = folders(temporary)
        assert pictures.parent == home.resolve() and stat.S_IMODE(home.stat().st_mode) == 0o700
        assert stat.S_IMODE(pictures.stat().st_mode) == 0o700
    assert not folders(temporary)
    with pytest.raises(KeyError), upload_folder.temporary_folder():
        raise KeyError
    assert not folders(temporary)


def test_only_abandoned_folders_are_deleted(temporary, tmp_path):
    (young := temporary / "ganfill-app-young").mkdir()
    (old := temporary / "ganfill-app-old").mkdir()
    os.utime(old, (0, 0))
    (elsewhere := tmp_path / "mine").mkdir()
    (link := temporary / "ganfill-app-link").symlink_to(elsewhere)
    (file := temporary / "ganfill-app-file").write_text("")
    with upload_folder.temporary_folder():
        assert young.exists() and not old.exists() and elsewhere.exists() and link.is_symlink() and file.exists()


def test_pictures_of_a_killed_server_are_deleted_and_those_of_a_running_one_are_not(temporary, start):
    killed, live = start(2)
    both = folders(temporary)
    killed.send_signal(signal.SIGKILL)
    killed.wait(20)
    assert len(both) == 2 and folders(temporary) == both
    with upload_folder.temporary_folder():
        (left,) = both & folders(temporary)
        assert any(left.rglob("*.png"))
    live.send_signal(signal.SIGTERM)
    _, errors = live.communicate(timeout=60)
    assert live.returncode == 128 + signal.SIGTERM and not folders(temporary)
    assert errors == "ganfill: ended by SIGTERM; the same command again continues\n"


def test_pictures_are_deleted_when_a_server_is_interrupted(temporary, start):
    (server,) = start(1)
    assert folders(temporary)
    server.send_signal(signal.SIGINT)
    output, errors = server.communicate(timeout=60)
    assert output == "ganfill has stopped\n" and errors == "" and server.returncode == 0 and not folders(temporary)
