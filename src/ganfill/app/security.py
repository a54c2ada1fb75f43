"""Checks of the Host and Origin headers, and security headers on every response."""

import re
from collections.abc import Iterable

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ganfill.app.http.body_limit import CLOSE, with_deadline
from ganfill.app.http.problem_details import problem
from ganfill.errors import UserError

FILES = "/gradio_api/file="  # prefix of the files that the page shows
SAFE_METHODS = ("GET", "HEAD")
# Gradio writes scripts and styles into its page and compiles the JavaScript of events; pictures use data: and blob: URLs.
PAGE_POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; font-src 'self' data:; connect-src 'self' data: blob:; worker-src 'self' blob:; "
    "object-src 'none'; base-uri 'self'; form-action 'self'; frame-ancestors 'none'"
)
# An uploaded file that is opened by itself runs no scripts; an SVG could contain some.
FILE_POLICY = "default-src 'none'; style-src 'unsafe-inline'; sandbox; frame-ancestors 'none'"
HOST = re.compile(r"(?:\[([0-9a-f:.]+)\]|([a-z0-9._-]+?)\.?)(?::(\d{1,5}))?")  # RFC 9110, section 7.2
DEFAULT_PORTS = {"http": 80, "https": 443}
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}


class HostOriginMiddleware:
    """Refuses requests for other host names and requests that other sites make through a visitor's browser.

    Another site can read responses of this server if it makes its own name resolve to it (DNS rebinding); the header
    ``Host`` then holds that name. Requests that it sends without reading the response have another ``Origin`` or
    ``Sec-Fetch-Site``.

    Args:
        app: the application behind it.
        hosts: names and addresses of this server, without ports.

    Raises:
        UserError: one of ``hosts`` is no name.
    """

    def __init__(self, app: ASGIApp, hosts: Iterable[str]) -> None:
        self.app, self.hosts = app, {_configured(host) for host in hosts}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes on requests that are allowed."""
        if scope["type"] == "websocket":  # nothing here uses them
            await send({"type": "websocket.close", "code": 1008})
        elif scope["type"] != "http":
            await self.app(scope, receive, send)
        elif refusal := self._refusal(scope["method"], Headers(scope=scope)):
            await problem(*refusal, CLOSE)(scope, receive, _with_headers(scope, send))
        else:
            await self.app(scope, with_deadline(receive), _with_headers(scope, send))

    def _refusal(self, method: str, headers: Headers) -> tuple[int, str] | None:
        """Returns the status and the message of a request that is not allowed."""
        host, origin = ", ".join(headers.getlist("host")), headers.get("origin")
        name = _parse_host(host)[0]
        if name not in self.hosts:
            name = name or "NAME"
            return 421, f"Host: {host} is not a name of this server: to allow it, start the server with hosts={name}"
        if origin is not None and not _is_same_site(origin, host):
            return 403, f"Origin: {origin} is not {host}: use the page of this server"
        if method not in SAFE_METHODS and headers.get("sec-fetch-site") == "cross-site":
            return 403, "Sec-Fetch-Site: cross-site is allowed for GET only: use the page of this server"
        return None


def _with_headers(scope: Scope, send: Send) -> Send:
    policy = FILE_POLICY if scope["path"].startswith(FILES) else PAGE_POLICY

    async def send_with_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            MutableHeaders(scope=message).update(HEADERS | {"Content-Security-Policy": policy})
        await send(message)

    return send_with_headers


def _configured(host: str) -> str:
    """Returns a name of this server as ``_parse_host`` does, ``::1`` also for ``::1`` without brackets.

    Raises:
        UserError: it is no name, and would equal every header that is none.
    """
    bare = host.partition("%")[0]  # without the zone of an address
    name = _parse_host(f"[{bare}]" if bare.count(":") > 1 and not bare.startswith("[") else bare)[0]
    if not name:
        raise UserError(f"hosts={host} is no name of a host: give names and addresses, such as photos.example or ::1")
    return name


def _parse_host(host: str) -> tuple[str, int | None]:
    """Returns name and port of a header ``Host``, ("::1", 80) for ``[::1]:80``; the name is empty if there is anything else.

    A lenient parser would take ``localhost:80@evil.example`` for localhost.
    """
    match = HOST.fullmatch(host.lower())
    return (match[1] or match[2], int(match[3]) if match[3] else None) if match else ("", None)


def _is_same_site(origin: str, host: str) -> bool:
    """Compares an origin to the header ``Host``; the origin ``null`` equals none."""
    scheme, _, theirs = origin.partition("://")
    default = DEFAULT_PORTS.get(scheme)
    (name, port), (our_name, our_port) = _parse_host(theirs), _parse_host(host)
    return default is not None and (name, port or default) == (our_name, our_port or default)
