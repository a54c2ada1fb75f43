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
def space(tmp_path, monkeypatch):
    """The system's temporary folder."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)
    yield tmp_path
    tempfile.tempdir = None


@pytest.fixture
def start(model_path, space):
    """Starts a server with a page."""
    pytest.importorskip("gradio", reason="the extra app is not installed")
    started = []

    def start():
        words = [sys.executable, "-m", "ganfill", "app", f"models={model_path}", "port=0", "device=cpu"]
        started.append(subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True))
        said = started[-1].stdout.readline()
        assert "listens on" in said, started[-1].communicate()
        address = said.removeprefix("ganfill listens on ").split(";")[0]
        with urllib.request.urlopen(f"{address}/healthz", timeout=60) as answer:
            assert answer.status == 200
        return started[-1]

    yield start
    for server in started:
        server.kill()
        server.communicate()


def folders(space):
    return set(space.glob("ganfill-app-*"))


def test_a_folder_is_for_its_user_alone_and_goes_at_every_end(space):
    with upload_folder.folder() as pictures:
        (pictures / "me.png").write_bytes(b"x")
        (home,) = folders(space)
        assert pictures.parent == home.resolve() and stat.S_IMODE(home.stat().st_mode) == 0o700
        assert stat.S_IMODE(pictures.stat().st_mode) == 0o700
    assert not folders(space)
    with pytest.raises(KeyError), upload_folder.folder():
        raise KeyError
    assert not folders(space)


def test_what_is_not_a_dead_server_is_kept(space, tmp_path):
    (young := space / "ganfill-app-young").mkdir()
    (old := space / "ganfill-app-old").mkdir()
    os.utime(old, (0, 0))
    (elsewhere := tmp_path / "mine").mkdir()
    (link := space / "ganfill-app-link").symlink_to(elsewhere)
    (file := space / "ganfill-app-file").write_text("")
    with upload_folder.folder():
        assert young.exists() and not old.exists() and elsewhere.exists() and link.is_symlink() and file.exists()


def test_a_killed_servers_pictures_are_removed_and_a_live_ones_are_not(space, start):
    killed = start()
    (left,) = folders(space)
    live = start()
    (lives,) = folders(space) - {left}
    killed.send_signal(signal.SIGKILL)
    killed.wait(20)
    assert left.exists()
    with upload_folder.folder():
        assert not left.exists() and lives.exists() and any(lives.rglob("*.png"))
    live.send_signal(signal.SIGTERM)
    _, complaint = live.communicate(timeout=60)
    assert live.returncode == 128 + signal.SIGTERM and complaint == "" and not folders(space)


def test_pictures_go_when_a_server_is_interrupted(space, start):
    server = start()
    assert folders(space)
    server.send_signal(signal.SIGINT)
    said, complaint = server.communicate(timeout=60)
    assert said == "ganfill listens no more\n" and complaint == "" and server.returncode == 0 and not folders(space)
