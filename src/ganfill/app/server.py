"""The server: page and API at one address."""

import os
import socket
from collections.abc import Sequence
from importlib import import_module
from ipaddress import ip_address
from pathlib import Path

import uvicorn

from ganfill.app.connection import CONNECTIONS, TimeoutProtocol
from ganfill.app.http import routes
from ganfill.app.security import HostOriginMiddleware
from ganfill.app.service import Service
from ganfill.errors import UserError

SHUTDOWN_SECONDS = 5  # for open requests when the server ends; searches then end at their next step


def build(service: Service, hosts: Sequence[str], pictures: Path | None = None) -> HostOriginMiddleware:
    """Builds the application: the API, and the page at its root.

    Args:
        service: used by both.
        hosts: names of the server.
        pictures: folder for the files of the page; None for the API alone.
    """
    app = routes.build(service)
    if pictures is not None:
        # Gradio takes seconds to import. It reads the first variable then, and the second one at every upload.
        os.environ |= {"GRADIO_ANALYTICS_ENABLED": "False", "GRADIO_TEMP_DIR": str(pictures)}
        import_module("ganfill.app.web.layout").mount(app, service, pictures)
    return HostOriginMiddleware(app, hosts)


def listen(host: str, port: int) -> socket.socket:
    """Returns a socket that accepts connections.

    Raises:
        UserError: the port is out of range or in use, or the address is not one of this machine.
    """
    if not 0 <= port <= 65535:
        raise UserError(f"port must be from 1 to 65535, or 0 for any free port, got {port}")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family)
    except OSError as error:
        reason = str(error.strerror).split(" (while")[0]  # Python appends the address
        raise UserError(f"host={host} port={port} cannot be used ({reason}): choose another port, or port=0") from None


def host_names(listener: socket.socket, host: str, hosts: Sequence[str]) -> list[str]:
    """Returns the names of a server: ``hosts``, and its own address unless it listens on all addresses."""
    return [*hosts, *([] if _listens_everywhere(listener) else [host, listener.getsockname()[0]])]


def url(listener: socket.socket, hosts: Sequence[str]) -> str:
    """Returns the address for a browser; of a server that listens on all addresses, with the first of its names."""
    host, port = listener.getsockname()[:2]
    host = hosts[0].strip("[]") if hosts and _listens_everywhere(listener) else host
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def uvicorn_server(app: HostOriginMiddleware) -> uvicorn.Server:
    """Returns the server of an application; its method ``run`` takes the sockets to listen on."""
    config = uvicorn.Config(
        app,
        http=TimeoutProtocol,
        ws="none",
        log_level="warning",
        access_log=False,
        limit_concurrency=CONNECTIONS,
        timeout_graceful_shutdown=SHUTDOWN_SECONDS,
    )
    return uvicorn.Server(config)


def _listens_everywhere(listener: socket.socket) -> bool:
    return ip_address(listener.getsockname()[0].partition("%")[0]).is_unspecified
