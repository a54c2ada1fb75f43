import io
import json
import os
import socket
import time
import uuid
from pathlib import Path

import numpy as np
import pytest
import requests
from PIL import Image

from ganfill.app import uploads
from ganfill.app.errors import RequestError, TooLarge
from ganfill.app.limits import Limits
from ganfill.app.service import Service
from ganfill.app.web import editor_layers

pytest.importorskip("ganfill.app.web.layout", reason="the extra app is not installed")
# Gradio's queue uses pandas.
pytestmark = pytest.mark.filterwarnings("ignore:'future.no_silent_downcasting'")
CHOOSE, EXAMPLE, MASK, COMPLETE, OTHER, PICK = 0, 2, 3, 5, 6, 10  # indices of the events, in the order of the layout
META = {"meta": {"_type": "gradio.FileData"}}
SETTINGS = ["faces64", "from_pool", 1, "center", 0]


@pytest.fixture(scope="module")
def address(served, built):
    service = Service(["faces64"], "cpu", Limits(megabytes=1))
    with served(built(service)) as address:
        yield address


@pytest.fixture
def send(address):
    return Visitor(address)


class Visitor:
    """Sends events as the page does, within one session."""

    def __init__(self, address):
        self.address, self.session = address, uuid.uuid4().hex

    def __call__(self, number, *values, **more):
        """Returns the last message of an event."""
        body = {"fn_index": number, "session_hash": self.session, "data": values, **more}
        joined = requests.post(f"{self.address}/gradio_api/queue/join", json=body, timeout=20)
        assert joined.status_code == 200, joined.text
        parameters, url = {"session_hash": self.session}, f"{self.address}/gradio_api/queue/data"
        with requests.get(url, parameters, stream=True, timeout=20) as stream:
            messages = (json.loads(line.removeprefix(b"data: ")) for line in stream.iter_lines() if line)
            return next(message for message in messages if message["msg"] in ("process_completed", "unexpected_error"))

    def upload(self, name, content):
        """Uploads a file; returns its value in events."""
        sent = requests.post(f"{self.address}/gradio_api/upload", files={"files": (name, content)}, timeout=20)
        return {"path": sent.json()[0], **META}


def content(height=40, width=50, kind="png", channels=3):
    Image.fromarray(np.full((height, width, channels), 9, np.uint8)).save(file := io.BytesIO(), kind)
    return file.getvalue()


@pytest.fixture
def hostile(tmp_path, pictures):
    """Paths of files that were never uploaded."""
    outside = tmp_path / "picture.png"
    outside.write_bytes(content())
    os.mkfifo(pipe := pictures / "pipe.png")
    (link := pictures / "link.png").symlink_to(outside)
    dots = f"{pictures}/../{outside.relative_to(pictures.parent)}" if pictures.parent in outside.parents else ".."
    names = [outside, "/dev/zero", "/dev/stdin", pipe, link, dots, pictures, pictures.parent, "", "a\0b", "\ud800"]
    yield [*map(str, names), "https://example.com/a.png", "http://127.0.0.1:1/", 7, None, ["x"], "x" * 9999]
    pipe.unlink()
    link.unlink()


def text(message):
    """The text that the visitor reads after a refusal."""
    if not message["success"]:
        return message["output"]["error"]
    return " ".join(value for value in message["output"]["data"] if isinstance(value, str))


def test_every_event_refuses_files_that_were_not_uploaded(send, hostile, pictures, capfd):
    assert send(CHOOSE, send.upload("me.png", content()))["success"]
    before = sorted(pictures.rglob("*"))
    values = [{"path": name, **META} for name in hostile]
    values += [
        {"path": hostile[0]},
        {"path": hostile[0], "url": "http://127.0.0.1:1/", **META},
        {"path": "x", "meta": 5},
    ]
    values += [{"path": hostile[0], "is_stream": True, **META}]
    for upload in values:
        editors = [{"layers": [upload]}, {"background": upload, "layers": []}, {"composite": upload, "layers": []}]
        messages = [send(CHOOSE, upload), send(MASK, upload, None)]
        messages += [send(COMPLETE, None, editor, *SETTINGS) for editor in editors]
        for message in messages:
            assert "not uploaded" in text(message) and "shown.png" not in json.dumps(message), upload
    for upload in ([], [{"path": hostile[0]}], "x", 5, {"url": hostile[0]}):
        assert "shown.png" not in json.dumps(send(CHOOSE, upload)), upload
    assert sorted(pictures.rglob("*")) == before and "Traceback" not in capfd.readouterr().err


def test_settings_refuse_files_too(send, hostile):
    message = send(COMPLETE, None, None, {"path": hostile[0], **META}, *SETTINGS[1:])
    assert "not uploaded" in text(message)
    nested = {"path": hostile[0], **META}
    for _ in range(40):
        nested = [nested]
    assert "too deeply" in text(send(COMPLETE, None, None, nested, *SETTINGS[1:]))


def test_invalid_values_are_refused_with_a_message(send, capfd):
    send(CHOOSE, send.upload("me.png", content()))
    wrong = [["other", *SETTINGS[1:]], ["faces64", "magic", 1, "center", 0], ["faces64", "fast", 99, "center", 0]]
    wrong += [
        ["faces64", "fast", "two", "center", 0],
        ["faces64", [1], 1, "center", 0],
        ["faces64", "fast", 1, "face", -1],
    ]
    layer = send.upload("layer.png", content(64, 64, channels=4))
    for settings in wrong:
        message = send(COMPLETE, None, {"layers": [layer]}, *settings)
        assert "class='message'" in text(message), settings
    for index in (99, -1, "0", None, [0]):
        assert "no picture number" in text(send(EXAMPLE, event_data={"index": index, "value": None}))
    assert "press Complete" in text(send(PICK, None, event_data={"index": 0, "value": None}))
    assert "values, got" in text(send(COMPLETE, None))
    assert "do not fit this page" in text(send(COMPLETE, None, {"layers": 5}, *SETTINGS))
    assert "Traceback" not in capfd.readouterr().err


def test_only_uploaded_paint_is_accepted(send, hostile):
    send(CHOOSE, send.upload("me.png", content()))
    layer = send.upload("layer.png", content(64, 64, channels=4))
    assert "answer1.png" in json.dumps(send(COMPLETE, None, {"layers": [layer]}, *SETTINGS))
    for layers, words in (
        ([layer] * 5, "5 layers"),
        ([send.upload("layer.png", content(2, editor_layers.MAX_SIDE + 1, channels=4))], "2049x2"),
        ([send.upload("layer.bmp", content(kind="bmp"))], "cannot be read"),
        ([{"path": hostile[0], **META}], "not uploaded"),
    ):
        assert words in text(send(COMPLETE, None, {"layers": layers}, *SETTINGS))


def test_reading_stops_at_the_limit(tmp_path):
    file = tmp_path / "a.png"
    file.write_bytes(bytes(2000))
    assert len(uploads.read({"path": str(file)}, tmp_path, 0.002)) == 2000
    with pytest.raises(TooLarge, match=r"“a\.png” is 0\.002 MB, the limit is 0\.0015 MB"):
        uploads.read({"path": str(file)}, tmp_path, 0.0015)
    with pytest.raises(RequestError):
        uploads.read({"path": str(file)}, tmp_path / "below", 1)


def test_other_files_and_routes_of_gradio_are_closed(address, send, hostile):
    sent = send.upload("me.png", content())["path"]
    got = requests.get(f"{address}/gradio_api/file={sent}", timeout=20)
    assert got.content == content() and "sandbox" in got.headers["content-security-policy"]
    for name in [hostile[0], hostile[3], hostile[4], "https://example.com/", "pyproject.toml", sent + "/../../.."]:
        assert requests.get(f"{address}/gradio_api/file={name}", timeout=20).status_code == 404, name
    reads = [
        "proxy=https://example.com/",
        "file/x",
        "info",
        "openapi.json",
        "runs",
        "token",
        "deep_link",
        "startup-events",
    ]
    reads += ["stream/a/b/1/playlist.m3u8", "custom_component/a/client/b/c", "queue/status", "vibe-code", "app_id"]
    for path in [
        *(f"gradio_api/{name}" for name in reads),
        "monitoring",
        "monitoring/summary",
        "manifest.json",
        "svelte/x",
    ]:
        assert requests.get(f"{address}/{path}", timeout=20).status_code == 404, path
    writes = ["run/predict", "api/predict", "call/choose", "call/v2/choose", "component_server", "process_recording"]
    writes += [
        "vibe-edit",
        "vibe-code",
        "undo-vibe-edit",
        "vibe-starter-queries",
        "cancel",
        "reset",
        "stream/x",
        "stream/x/close",
    ]
    for path in [*(f"gradio_api/{name}" for name in writes), "login", ""]:
        assert requests.post(f"{address}/{path}", json={"data": []}, timeout=20).status_code == 404, path


def test_aborted_uploads_are_deleted(address, send, pictures):
    head = b'--x\r\nContent-Disposition: form-data; name="files"; filename="a"\r\n\r\n' + bytes(100_000)
    headers = "Content-Type: multipart/form-data; boundary=x\r\nContent-Length: 900000"
    before = set(pictures.iterdir())
    with socket.create_connection(("127.0.0.1", int(address.rpartition(":")[2]))) as client:
        client.sendall(f"POST /gradio_api/upload HTTP/1.1\r\nHost: 127.0.0.1\r\n{headers}\r\n\r\n".encode() + head)
        for _ in range(200):
            if left := set(pictures.iterdir()) - before:
                break
            time.sleep(0.02)
    send.upload("me.png", content())
    assert len(left) == 1 and all(path.exists() for path in left)  # the client may still send
    for path in left:
        os.utime(path, (0, 0))
    complete = send.upload("me.png", content())
    assert not any(path.exists() for path in left) and Path(complete["path"]).exists()


@pytest.mark.parametrize(
    ("path", "kind"), [("queue/join", "application/json"), ("upload", "multipart/form-data; boundary=x")]
)
def test_bodies_are_limited(address, path, kind):
    part = b'--x\r\nContent-Disposition: form-data; name="files"; filename="a"\r\n\r\n' + bytes(6_000_000) + b"\r\n"
    for body in (part * 2, iter([part] * 2)):  # with the header Content-Length, and without
        got = requests.post(f"{address}/gradio_api/{path}", data=body, headers={"Content-Type": kind}, timeout=20)
        assert got.status_code == 413 and "shrink the picture" in got.json()["detail"]


def test_a_full_folder_accepts_no_more(address, send, pictures, monkeypatch):
    with (pictures / "large.png").open("wb") as file:
        file.truncate(Limits(megabytes=1).folder_bytes + 1)  # takes no room on the disk
    sent = requests.post(f"{address}/gradio_api/upload", files={"files": ("me.png", content())}, timeout=20)
    expected = "the pictures of all visitors fill the 100 MB that they may: try again in some hours"
    assert (sent.status_code, sent.text) == (507, expected)
    message = send(EXAMPLE, event_data={"index": 0, "value": None})
    assert not message["success"] and text(message) == expected
    (pictures / "large.png").unlink()
    assert send(CHOOSE, send.upload("me.png", content()))["success"]
