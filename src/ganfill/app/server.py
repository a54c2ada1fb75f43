"""The server: one address for the page and the API."""

import os
import signal
import socket
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from ipaddress import ip_address
from pathlib import Path

import uvicorn

from ganfill.app.connection import CONNECTIONS, TimeoutProtocol
from ganfill.app.http import routes
from ganfill.app.security import HostOriginMiddleware
from ganfill.app.service import Service
from ganfill.errors import UserError

PATIENCE = 5  # seconds that open requests get when the server ends; searches then end at their next step


def build(service: Service, hosts: Sequence[str], pictures: Path | None = None) -> HostOriginMiddleware:
    """The API, and the page at its root.

    Args:
        service: what both ask.
        hosts: names that the server is reached by.
        pictures: folder for the page's files; no page without one.
    """
    app = routes.build(service)
    if pictures is not None:
        # Both are read when Gradio is imported, which takes seconds, and the folder ever after.
        os.environ |= {"GRADIO_ANALYTICS_ENABLED": "False", "GRADIO_TEMP_DIR": str(pictures)}
        import_module("ganfill.app.web.layout").mount(app, service, pictures)
    return HostOriginMiddleware(app, hosts)


def listen(host: str, port: int) -> socket.socket:
    """A socket that takes connections from now on.

    Raises:
        UserError: the address is taken or not this machine's.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    if not 0 <= port <= 65535:
        raise UserError(f"port={port} is no port: choose one from 1 to 65535, or port=0 for any that is free")
    try:
        return socket.create_server((host, port), family=family)
    except OSError as error:
        reason = str(error.strerror).split(" (while")[0]  # Python adds the address
        raise UserError(f"host={host} port={port} cannot be used ({reason}): choose another port, or port=0") from None


def names(taken: socket.socket, host: str, hosts: Sequence[str]) -> list[str]:
    """What a server is called that listens there: ``hosts``, and its own address unless that is all addresses."""
    return [*hosts, *([] if _everywhere(taken) else [host, taken.getsockname()[0]])]


def address(taken: socket.socket, hosts: Sequence[str]) -> str:
    """What to type into a browser; of a server that listens everywhere, its first name."""
    host, port = taken.getsockname()[:2]
    host = hosts[0] if hosts and _everywhere(taken) else host
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def serve(app: HostOriginMiddleware, taken: socket.socket) -> None:
    """Serves until it is interrupted."""
    uvicorn.Server(config(app)).run([taken])


def config(app: HostOriginMiddleware) -> uvicorn.Config:
    """How it is served."""
    return uvicorn.Config(
        app,
        http=TimeoutProtocol,
        ws="none",
        log_level="warning",
        access_log=False,
        limit_concurrency=CONNECTIONS,
        timeout_graceful_shutdown=PATIENCE,
    )


@contextmanager
def closed_by_signals() -> Iterator[None]:
    """Has SIGTERM and SIGHUP raise ``SystemExit``, so that what is open is closed; by themselves they end the process."""
    known = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
    before = {each: signal.getsignal(each) for each in known}
    caught = [each for each in known if before[each] != signal.SIG_IGN]  # nohup's is to be ignored
    try:
        for each in caught:
            signal.signal(each, lambda number, frame: sys.exit(128 + number))
        yield
    finally:
        for each in caught:
            signal.signal(each, before[each])


def _everywhere(taken: socket.socket) -> bool:
    return ip_address(taken.getsockname()[0].partition("%")[0]).is_unspecified
