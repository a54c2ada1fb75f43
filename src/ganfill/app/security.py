"""Who may ask, and what a browser may do with the answer."""

from collections.abc import Iterable
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ganfill.app.http.body_limit import timed
from ganfill.app.http.problem_details import problem

FILES = "/gradio_api/file="  # what the page hands out
SAFE = ("GET", "HEAD")
# Gradio writes scripts and styles into its page and compiles events' JavaScript; pictures are drawn from data: and blob:.
POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; font-src 'self' data:; connect-src 'self' data: blob:; worker-src 'self' blob:; "
    "object-src 'none'; base-uri 'self'; form-action 'self'; frame-ancestors 'none'"
)
# A visitor's file, opened by itself, runs no script: an SVG could hold some.
POLICY_OF_FILES = "default-src 'none'; style-src 'unsafe-inline'; sandbox; frame-ancestors 'none'"
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}


class HostOriginMiddleware:
    """Middleware around everything: only for known names of this server, and not on behalf of other sites.

    A page of another site cannot read answers of this server, unless its name is made to lead here (DNS rebinding): then
    that name is in the header ``Host``. What it could send without reading is told by ``Origin`` and ``Sec-Fetch-Site``.

    Args:
        app: what follows.
        hosts: names and addresses that the server is reached by, without ports.
    """

    def __init__(self, app: ASGIApp, hosts: Iterable[str]) -> None:
        self.app, self.hosts = app, {_name(host) for host in hosts}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes on what is allowed."""
        if scope["type"] == "websocket":  # nothing here speaks it
            await send({"type": "websocket.close", "code": 1008})
        elif scope["type"] != "http":
            await self.app(scope, receive, send)
        elif refusal := self._refusal(scope["method"], Headers(scope=scope)):
            status, detail = refusal
            # What the body holds is not waited for.
            await problem(status, detail, {"Connection": "close"})(scope, receive, _with_headers(scope, send))
        else:
            await self.app(scope, timed(receive), _with_headers(scope, send))

    def _refusal(self, method: str, headers: Headers) -> tuple[int, str] | None:
        """Status and detail if a request is not allowed."""
        host, origin = headers.get("host", ""), headers.get("origin")
        if _name(host) not in self.hosts:
            name = _name(host) or "NAME"
            return 421, f"Host: {host} is not a name of this server: if it should be, start it with hosts={name}"
        if origin is not None and not _is_of(origin, host):
            return 403, f"Origin: {origin} is another site than {host}: open this server's own page"
        if method not in SAFE and headers.get("sec-fetch-site") == "cross-site":
            return 403, "Sec-Fetch-Site: cross-site is taken for GET alone: open this server's own page"
        return None


def _with_headers(scope: Scope, send: Send) -> Send:
    policy = POLICY_OF_FILES if scope["path"].startswith(FILES) else POLICY

    async def sent(message: Message) -> None:
        if message["type"] == "http.response.start":
            MutableHeaders(scope=message).update(HEADERS | {"Content-Security-Policy": policy})
        await send(message)

    return sent


def _name(host: str) -> str:
    """The name in a host with or without a port: ``[::1]:80`` and ``::1`` are ``::1``."""
    host = host.strip().lower()
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return (host.partition(":")[0] if host.count(":") == 1 else host).rstrip(".")


def _is_of(origin: str, host: str) -> bool:
    """Whether an origin is the site that a request calls ``host``; ``null`` is nobody's."""
    try:
        theirs = urlsplit(origin)
        ours = urlsplit(f"{theirs.scheme}://{host}")
        usual = {"http": 80, "https": 443}[theirs.scheme]
        return (theirs.hostname, theirs.port or usual) == (ours.hostname, ours.port or usual)
    except (KeyError, ValueError):  # another scheme; brackets that do not match, or no port
        return False
