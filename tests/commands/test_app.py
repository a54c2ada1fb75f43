import http.client
import json
import signal
import socket
import subprocess
import sys
import urllib.request
from contextlib import closing

import pytest

from ganfill import cli


def test_a_server_prints_its_url_and_stops_when_interrupted(model_path):
    command = [sys.executable, "-m", "ganfill", "app", f"models={model_path}", "port=0", "page=false", "device=cpu"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            output = server.stdout.readline()
            assert output.startswith("ganfill listens on http://127.0.0.1:"), server.communicate()
            address = output.removeprefix("ganfill listens on ").split(";")[0]
            with urllib.request.urlopen(f"{address}/v1/models", timeout=60) as answer:
                found = json.load(answer)["models"]
            assert [model["name"] for model in found] == ["model"]
            server.send_signal(signal.SIGINT)
            output, errors = server.communicate(timeout=60)
        finally:
            server.kill()
    assert server.returncode == 0 and output == "ganfill has stopped\n" and errors == ""


def test_a_server_on_all_addresses_answers_to_its_names_only(model_path):
    words = [f"models={model_path}", "port=0", "page=false", "device=cpu", "host=0.0.0.0", "hosts=photos.example,::1"]
    with subprocess.Popen(
        [sys.executable, "-m", "ganfill", "app", *words], stdout=subprocess.PIPE, text=True
    ) as server:
        try:
            assert server.stdout is not None
            output = server.stdout.readline()
            assert output.startswith("ganfill listens on http://photos.example:")
            port = int(output.split(";")[0].rpartition(":")[2])
            found = {}
            for name in ("photos.example", "[::1]", "0.0.0.0", "127.0.0.1", "localhost"):
                connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
                with closing(connection):
                    connection.request("GET", "/healthz", headers={"Host": f"{name}:{port}"})
                    found[name] = connection.getresponse().status
            assert found == {"photos.example": 200, "[::1]": 200, "0.0.0.0": 421, "127.0.0.1": 421, "localhost": 421}
            server.send_signal(signal.SIGTERM)
            assert server.wait(60) == 128 + signal.SIGTERM
        finally:
            server.kill()


def test_a_port_that_is_in_use(model_path, capsys):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        assert cli.run(["app", f"models={model_path}", f"port={port}"]) == 2
    output = capsys.readouterr().err
    assert f"host=127.0.0.1 port={port} cannot be used (Address already in use): choose another port" in output


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("port=70000", "port must be from 1 to 65535, or 0 for any free port, got 70000"),
        ("host=192.0.2.1", "host=192.0.2.1 port=0 cannot be used"),
        ("megabytes=-1", "megabytes must be a number above 0, got -1"),
        ("models=none.safetensors", "model=none.safetensors: no such file"),
        ("device=abacus", "device=abacus is not a device"),
    ],
)
def test_invalid_settings(model_path, capsys, word, message):
    assert cli.run(["app", f"models={model_path}", "port=0", "device=cpu", word]) == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize("name", ["uvicorn", "gradio"])
def test_without_the_extra(monkeypatch, capsys, name):
    monkeypatch.setitem(sys.modules, name, None)
    assert cli.run(["app"]) == 2
    assert f"ganfill app needs {name}: pip install 'ganfill[app]'" in capsys.readouterr().err
