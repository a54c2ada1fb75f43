import json
import signal
import socket
import subprocess
import sys
import urllib.request

import pytest

from ganfill import cli


def test_a_server_says_where_it_listens_and_ends_when_interrupted(model_path):
    words = [sys.executable, "-m", "ganfill", "app", f"models={model_path}", "port=0", "page=false", "device=cpu"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            said = server.stdout.readline()
            assert said.startswith("ganfill listens on http://127.0.0.1:"), server.communicate()
            address = said.removeprefix("ganfill listens on ").split(";")[0]
            with urllib.request.urlopen(f"{address}/v1/models", timeout=60) as answer:
                found = json.load(answer)["models"]
            assert [each["name"] for each in found] == ["model"]
            server.send_signal(signal.SIGINT)
            said, complaint = server.communicate(timeout=60)
        finally:
            server.kill()
    assert server.returncode == 0 and said == "ganfill listens no more\n" and complaint == ""


def test_a_port_that_is_taken(model_path, capsys):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert cli.run(["app", f"models={model_path}", f"port={port}"]) == 2
    said = capsys.readouterr().err
    assert f"host=127.0.0.1 port={port} cannot be used (Address already in use): choose another port" in said


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("port=70000", "port=70000 is no port"),
        ("host=192.0.2.1", "host=192.0.2.1 port=0 cannot be used"),
        ("megabytes=-1", "megabytes must be a number above 0, got -1"),
        ("models=none.safetensors", "model=none.safetensors: no such file"),
        ("device=abacus", "device=abacus is not a device"),
    ],
)
def test_settings_that_cannot_be_used(model_path, capsys, word, message):
    assert cli.run(["app", f"models={model_path}", "port=0", "device=cpu", word]) == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize("name", ["uvicorn", "gradio"])
def test_without_the_extra(monkeypatch, capsys, name):
    monkeypatch.setitem(sys.modules, name, None)
    assert cli.run(["app"]) == 2
    assert f"ganfill app needs {name}: pip install 'ganfill[app]'" in capsys.readouterr().err
