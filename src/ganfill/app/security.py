"""Checks of the Host and Origin headers, and security headers on every response."""

from collections.abc import Iterable
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ganfill.app.http.body_limit import CLOSE, with_deadline
from ganfill.app.http.problem_details import problem

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
    """

    def __init__(self, app: ASGIApp, hosts: Iterable[str]) -> None:
        self.app, self.hosts = app, {_host_name(host) for host in hosts}

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
        host, origin = headers.get("host", ""), headers.get("origin")
        if _host_name(host) not in self.hosts:
            name = _host_name(host) or "NAME"
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


def _host_name(host: str) -> str:
    """Returns a host without its port: ``::1`` for ``[::1]:80`` and for ``::1``."""
    host = host.strip().lower()
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return (host.partition(":")[0] if host.count(":") == 1 else host).rstrip(".")


def _is_same_site(origin: str, host: str) -> bool:
    """Compares an origin to the header ``Host``; the origin ``null`` equals none."""
    try:
        theirs = urlsplit(origin)
        ours = urlsplit(f"{theirs.scheme}://{host}")
        default = {"http": 80, "https": 443}[theirs.scheme]
        return (theirs.hostname, theirs.port or default) == (ours.hostname, ours.port or default)
    except (KeyError, ValueError):  # another scheme, unmatched brackets, or an invalid port
        return False
