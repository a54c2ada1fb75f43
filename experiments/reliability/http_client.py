"""Hostile requests to ``ganfill app``, and checks of its answers."""

import json
import random
import re
import socket
import time
import zlib
from contextlib import suppress
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import requests
from PIL import Image

from experiments.reliability.commands import smooth
from experiments.reliability.malformed import malformed, picture

WAIT = 60.0  # seconds that anyone else may have to wait, on a busy machine
EVENTS = 14  # of the page
INPUTS = (1, 2, 3, 7)  # values that they take
ALLOWED_ERRORS = (503, 504)  # busy, out of time
VALUES: tuple[Any, ...] = (
    *(
        10**6,
        -1,
        0,
        1.5,
        float("nan"),
        None,
        True,
        [],
        {},
        "",
        "x" * 10_000,
        "../../etc/passwd",
        "center",
        [[[[1]]]],
        2**70,
    ),
)
FIELDS = ("answers", "seed", "search", "hole", "model", "align", "unknown")


class Client:
    """Sends requests to one server.

    Args:
        address: of the server.
        secret: a picture that the server must not send.
    """

    def __init__(self, address: str, secret: Path) -> None:
        self.address, self.secret = address, secret
        self.pixels = np.asarray(Image.open(secret))
        self.host, self.port = urlsplit(address).hostname, urlsplit(address).port

    def complete(self, data: bytes, options: str = "{}", **more: Any) -> requests.Response:
        """Sends a picture to be completed."""
        arguments: dict[str, Any] = {"files": {"picture": data}, "data": {"options": options}, "timeout": WAIT}
        return requests.post(f"{self.address}/v1/complete", **(arguments | more))

    def malformed_picture(self, draws: random.Random) -> str | None:
        """Sends a malformed picture, perhaps with a malformed mask."""
        files = {"picture": malformed(draws.randrange(10**6), 0)[1]}
        if draws.random() < 0.5:
            files["mask"] = malformed(draws.randrange(10**6), 1)[1]
        return self._error(requests.post(f"{self.address}/v1/complete", files=files, timeout=WAIT))

    def hostile_options(self, draws: random.Random) -> str | None:
        """Sends options with unusual values, or text that is no JSON."""
        options = {"hole": "center", "search": "fast"} | {draws.choice(FIELDS): draws.choice(VALUES) for _ in range(2)}
        texts = ["[" * 100_000, "{", "null", "\0", '{"answers": 1e999}', json.dumps(options)]
        text = json.dumps(options) if draws.random() < 0.7 else draws.choice(texts)
        return self._error(self.complete(picture(draws)[1], text))

    def giant(self, draws: random.Random) -> str | None:
        """Sends a small file with a giant picture, and leaves before the answer."""
        side = draws.choice((4_800, 20_000, 60_000))
        options = json.dumps({"hole": "center", "answers": 4, "align": "center"})
        with suppress(requests.Timeout):
            return self._error(self.complete(black_png(side), options, timeout=draws.uniform(0.1, 3)))
        return None

    def foreign_page(self, draws: random.Random) -> str | None:
        """Sends what a page of another site could make a browser send; it must be refused."""
        headers = draws.choice(
            [{"Host": "evil.example"}, {"Origin": "http://evil.example"}, {"Sec-Fetch-Site": "cross-site"}]
        )
        options = json.dumps({"hole": "center", "search": "fast"})
        answer = self.complete(picture(draws)[1], options, headers=headers)
        return f"{headers} got {answer.status_code}" if answer.ok else self._error(answer)

    def raw_bytes(self, draws: random.Random) -> str | None:
        """Sends bytes that are no request, or a part of one, and closes the connection."""
        head = b"POST /v1/complete HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        texts = (
            draws.randbytes(300),
            b"GET / HTTP/9.9\r\n\r\n",
            head,
            head + b"Content-Length: -1\r\n\r\n",
            head + b"Content-Length: 999999999999999999999\r\nContent-Type: multipart/form-data; boundary=x\r\n\r\n",
            head + b"Transfer-Encoding: chunked\r\nContent-Type: multipart/form-data; boundary=x\r\n\r\nFFFFFFFF\r\n",
            head + b"Content-Type: multipart/form-data\r\nContent-Length: 3\r\n\r\nabc",
            head + b"X: " + b"a" * 200_000 + b"\r\n\r\n",
        )
        with suppress(OSError), socket.create_connection((self.host, self.port), WAIT) as connection:
            connection.settimeout(1)
            connection.sendall(draws.choice(texts))
            return f"answered {answer[:40]!r}" if b" 500 " in (answer := connection.recv(1000))[:20] else None
        return None

    def other_path(self, draws: random.Random) -> str | None:
        """Asks for files of the server."""
        secret = str(self.secret)
        paths = (
            *(
                f"/gradio_api/file={secret}",
                f"/file={secret}",
                f"/gradio_api/file=../../../../..{secret}",
                f"/..{secret}",
            ),
            *(f"//{secret}", "/gradio_api/file=/proc/self/environ", f"/gradio_api/proxy=file://{secret}", "/%00"),
            *("/static/../../../../etc/passwd", f"/gradio_api/file=%2e%2e%2f{secret}", "/config", "/v1/", "/docs/x"),
        )
        request = requests.Request(draws.choice(("GET", "POST", "PUT", "DELETE", "HEAD")), self.address).prepare()
        request.url = self.address + draws.choice(paths)  # not normalized
        with requests.Session() as session:
            answer = session.send(request, timeout=WAIT)
        return self._leak(answer.content) or self._error(answer)

    def page_event(self, draws: random.Random) -> str | None:
        """Calls an event of the page with the path of a file of the server, and fetches all that it names."""
        event, session = draws.randrange(EVENTS), f"s{draws.randrange(10**9)}"
        path = draws.choice((str(self.secret), "/dev/zero", "/proc/self/environ", "http://127.0.0.1:1/x.png", "\0"))
        value = {"path": path, "meta": {"_type": "gradio.FileData"}}
        editor = {"background": value, "layers": [value], "composite": value}
        data = [draws.choice((value, editor, [value], None)) for _ in range(draws.choice(INPUTS))]
        body = {"fn_index": event, "session_hash": session, "data": data}
        answer = requests.post(f"{self.address}/gradio_api/queue/join", json=body, timeout=WAIT)
        if not answer.ok:
            return self._error(answer)
        url, text = f"{self.address}/gradio_api/queue/data?session_hash={session}", ""
        with suppress(requests.RequestException), requests.get(url, stream=True, timeout=3) as stream:
            for line in stream.iter_lines():
                text += line.decode("utf-8", "replace")
                if b"process_completed" in line or b"close_stream" in line or len(text) > 10**6:
                    break
        for name in set(re.findall(r'"path": ?"([^"]+)"', text)):
            with suppress(requests.RequestException):
                content = requests.get(f"{self.address}/gradio_api/file={name}", timeout=5).content
                if leak := self._leak(content):
                    return f"event {event} with {path}: {leak}"
        return None

    def in_time(self) -> str | None:
        """Returns what is wrong with the service for others."""
        started = time.monotonic()
        try:
            while True:
                answer = self.complete(self.sample(), json.dumps({"hole": "center", "search": "fast"}))
                waited = time.monotonic() - started
                if answer.ok:
                    return None if waited < WAIT else f"others waited {waited:.0f} s"
                if answer.status_code not in ALLOWED_ERRORS or waited > WAIT:
                    return f"others got {answer.status_code} after {waited:.0f} s"
                time.sleep(0.5)
        except requests.RequestException as error:
            return f"others got no answer: {type(error).__name__}"

    @staticmethod
    def sample() -> bytes:
        """Returns a small good picture."""
        file = BytesIO()
        smooth(40, 50, np.random.default_rng(0)).save(file, "PNG")
        return file.getvalue()

    def _error(self, answer: requests.Response) -> str | None:
        bad = answer.status_code >= 500 and answer.status_code not in ALLOWED_ERRORS
        return f"answered {answer.status_code}: {answer.text[:80]}" if bad else None

    def _leak(self, content: bytes) -> str | None:
        """Returns a problem if the content is the secret picture, also in another format, or the server's environment."""
        if b"PATH=" in content or content == self.secret.read_bytes():
            return "sent a file from outside its folder"
        with suppress(Exception):
            sent = np.asarray(Image.open(BytesIO(content)).convert("RGB"))
            if sent.shape == self.pixels.shape and (sent == self.pixels).mean() > 0.9:
                return "sent a picture from outside its folder"
        return None


def black_png(side: int) -> bytes:
    """Returns a PNG file of a black square; 23 megapixels take 70 kB."""
    if side < 10_000:
        file = BytesIO()
        Image.new("RGB", (side, side)).save(file, "PNG")
        return file.getvalue()

    def chunk(kind: bytes, data: bytes) -> bytes:
        return len(data).to_bytes(4, "big") + kind + data + zlib.crc32(kind + data).to_bytes(4, "big")

    header = side.to_bytes(4, "big") * 2 + bytes((1, 0, 0, 0, 0))
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")
    )
