import json
import socket
import threading
import time

import pytest
import requests
from fastapi.testclient import TestClient

from ganfill.app import connection, server
from ganfill.app.http import body_limit
from ganfill.app.security import HostOriginMiddleware
from ganfill.app.service import Service
from ganfill.errors import UserError

pytest.importorskip("ganfill.app.web.layout", reason="the extra app is not installed")
pytestmark = pytest.mark.filterwarnings("ignore:'future.no_silent_downcasting'")
PATHS = ["/", "/healthz", "/v1/models", "/docs", "/openapi.json", "/nothing", "/v1/nothing", "/theme.css"]


@pytest.fixture(scope="module")
def address(built):
    """A server as the command starts it, with two more names."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        names = server.host_names(listener, "127.0.0.1", ["Photos.example", "::1"])
        app = built(Service(["faces64"], "cpu"), names)
        served = server.uvicorn_server(app)
        thread = threading.Thread(target=served.run, args=([listener],))
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        served.should_exit = True
        thread.join(20)
    assert not thread.is_alive()


def test_other_host_names_are_refused(address):
    foreign = [
        "evil.example",
        "127.0.0.1.evil.example",
        "evil.example:7860",
        "photos.example.evil",
        "",
        "0.0.0.0",
        "[::2]",
        "localhost:80@evil.example",
        "localhost@evil.example",
        "[localhost]evil.example",
        "[localhost]",
        "[::1]evil.example",
        "[::1",
        "::1",
        "localhost:",
        "localhost:x",
        "localhost:80:80",
        "localhost/evil",
        "localhost, evil.example",
        "http://localhost",
    ]
    for host in foreign:
        for path in PATHS:
            got = requests.get(address + path, headers={"Host": host}, timeout=20)
            assert got.status_code == 421 and got.headers["content-type"] == "application/problem+json", (host, path)
        assert f"Host: {host} is" in got.json()["detail"] and "hosts=" in got.json()["detail"]
    for host in ("photos.example", "PHOTOS.example:80", "photos.example.", "[::1]:7860", "127.0.0.1:1"):
        assert requests.get(f"{address}/healthz", headers={"Host": host}, timeout=20).status_code == 200, host


def test_a_configured_name_that_is_none_is_refused():
    for name in ("", "my host", "münchen.example", "http://a", "a/b", "[::1"):
        with pytest.raises(UserError, match=r"hosts=.* is no name of a host"):
            HostOriginMiddleware(None, ["localhost", name])
    names = HostOriginMiddleware(None, ["Photos.example.", "::1", "[::2]", "fe80::1%eth0", "a:80"]).hosts
    assert names == {"photos.example", "::1", "::2", "fe80::1", "a"}


def test_several_hosts_are_refused(address):
    with connect(address) as client:
        client.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n")
        assert client.recv(100).split()[1] in (b"400", b"421")


def test_other_host_names_cannot_send_events(address):
    body, headers = {"fn_index": 0, "session_hash": "x", "data": [None]}, {"Host": "evil.example"}
    got = requests.post(f"{address}/gradio_api/queue/join", json=body, headers=headers, timeout=20)
    assert got.status_code == 421


FOREIGN = ["http://evil.example", "null", "", "http://127.0.0.1", "http://127.0.0.1:1", "http://[", "x:y", "file://"]
FOREIGN += [
    "http://evil@HOST",
    "http://HOST@evil.example",
    "http://HOST/evil",
    "http://HOST#",
    "https://HOST:x",
    "HOST",
]
REQUESTS = [("POST", "/v1/complete"), ("POST", "/gradio_api/upload"), ("GET", "/healthz"), ("OPTIONS", "/v1/complete")]


@pytest.mark.parametrize("origin", FOREIGN)
def test_other_sites_are_refused(address, origin):
    origin = origin.replace("HOST", address.removeprefix("http://"))
    for method, path in REQUESTS:
        got = requests.request(method, address + path, headers={"Origin": origin}, timeout=20)
        assert got.status_code == 403 and got.json()["detail"].startswith(f"Origin: {origin} is not 127.0.0.1")


def test_the_same_site_is_served(address):
    for origin, host in ((address, address.removeprefix("http://")), ("https://photos.example", "photos.example")):
        headers = {"Origin": origin, "Host": host, "Sec-Fetch-Site": "same-origin"}
        assert requests.post(f"{address}/v1/complete", headers=headers, timeout=20).status_code == 415
    headers = {"Sec-Fetch-Site": "cross-site"}
    assert requests.get(f"{address}/", headers=headers, timeout=20).status_code == 200  # a visitor followed a link
    for path in ("/v1/complete", "/gradio_api/queue/join", "/gradio_api/upload"):
        got = requests.post(address + path, headers=headers, files={"picture": b"x"}, timeout=20)
        assert got.status_code == 403 and "Sec-Fetch-Site" in got.json()["detail"]


def test_every_response_has_security_headers(address):
    answers = [requests.get(address + path, timeout=20) for path in PATHS]
    answers += [
        requests.post(f"{address}/v1/complete", timeout=20),
        requests.get(address, headers={"Host": "x"}, timeout=20),
    ]
    answers += [requests.post(f"{address}/gradio_api/queue/join", json=5, timeout=20)]
    assert {answer.status_code for answer in answers} == {200, 404, 415, 421, 422}
    for answer in answers:
        headers = answer.headers
        assert headers["x-content-type-options"] == "nosniff" and headers["x-frame-options"] == "DENY", answer.url
        assert headers["referrer-policy"] == "no-referrer" and headers["cross-origin-resource-policy"] == "same-origin"
        assert (
            "frame-ancestors 'none'" in headers["content-security-policy"] and "cross-origin-opener-policy" in headers
        )


def test_responses_to_failures_have_them_too(path, monkeypatch):
    service = Service([str(path)], "cpu")
    client = TestClient(server.build(service, ["testserver"]), raise_server_exceptions=False)
    monkeypatch.setattr(service, "models", None)
    got = client.get("/v1/models")
    assert got.status_code == 500 and got.headers["x-content-type-options"] == "nosniff"


def test_websockets_are_refused(address):
    wanted = {
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Key": "x" * 22 + "==",
        "Sec-WebSocket-Version": "13",
    }
    assert requests.get(f"{address}/gradio_api/queue/data", headers=wanted, timeout=20).status_code != 101


def connect(address):
    return socket.create_connection(("127.0.0.1", int(address.rpartition(":")[2])), timeout=10)


def read(client):
    """Reads until the server closes the connection."""
    answer = b""
    try:
        while part := client.recv(65536):
            answer += part
    except ConnectionResetError:
        pass
    return answer


@pytest.mark.parametrize("head", [b"", b"GET /healthz HTTP/1.1\r\nHost: 127"])
def test_a_connection_without_complete_headers_is_closed(address, monkeypatch, head):
    monkeypatch.setattr(connection, "IDLE_SECONDS", 0.4)
    began = time.monotonic()
    with connect(address) as client:
        client.sendall(head)
        assert read(client) == b"" and 0.3 < time.monotonic() - began < 5


def send_slowly(client):
    """Sends a byte every 0.1 s."""
    for _ in range(90):
        client.sendall(b"x")
        time.sleep(0.1)


def test_slow_bytes_do_not_keep_a_connection_open(address, monkeypatch):
    """Neither bytes of headers, nor of a body whose request was already answered."""
    monkeypatch.setattr(connection, "IDLE_SECONDS", 0.6)
    answered = b"POST /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 999\r\n\r\n"
    for head in (b"GET / HTTP/1.1\r\n", answered):
        began = time.monotonic()
        with connect(address) as client:
            client.sendall(head)
            with pytest.raises(OSError):
                send_slowly(client)
        assert time.monotonic() - began < 6


def test_a_connection_stays_open_for_the_next_request_and_a_long_response(address, monkeypatch):
    monkeypatch.setattr(connection, "IDLE_SECONDS", 0.5)
    ask = b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
    with connect(address) as client:
        for _ in range(3):
            client.sendall(ask)
            time.sleep(0.3)
            assert client.recv(65536).startswith(b"HTTP/1.1 200")
    with requests.get(f"{address}/gradio_api/heartbeat/x", stream=True, timeout=20) as alive:
        time.sleep(1.2)
        assert next(alive.iter_lines()) == b"data: ALIVE"


@pytest.mark.parametrize("path", ["/v1/complete", "/gradio_api/upload", "/gradio_api/queue/join"])
@pytest.mark.parametrize("begun", [b"", b"--x\r\n"])
def test_a_body_that_stops_is_an_error(address, monkeypatch, path, begun):
    monkeypatch.setattr(body_limit, "BODY_SECONDS", 0.4)
    kind = "application/json" if path.endswith("join") else "multipart/form-data; boundary=x"
    head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: {kind}\r\nContent-Length: 900\r\n\r\n"
    began = time.monotonic()
    with connect(address) as client:
        client.sendall(head.encode() + begun)
        answer = read(client)
    assert answer.startswith(b"HTTP/1.1 408") and 0.3 < time.monotonic() - began < 5
    assert f"after {len(begun)} bytes" in json.loads(answer.partition(b"\r\n\r\n")[2])["detail"]


def test_names_and_url_of_a_server():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        assert server.host_names(listener, "here", ["a"]) == ["a", "here", "127.0.0.1"]
        assert server.url(listener, ["a"]) == f"http://127.0.0.1:{port}"
    with socket.create_server(("0.0.0.0", 0)) as listener:
        assert server.host_names(listener, "0.0.0.0", ["a"]) == ["a"]
        assert server.url(listener, ["a"]) == f"http://a:{listener.getsockname()[1]}"
        for name in ("::1", "[::1]"):
            assert server.url(listener, [name]) == f"http://[::1]:{listener.getsockname()[1]}"
