"""The server: one address for the page and the API."""

import os
import socket
from importlib import import_module

import uvicorn
from fastapi import FastAPI

from ganfill.app.http import routes
from ganfill.app.service import Service
from ganfill.errors import UserError

PATIENCE = 5  # seconds that open requests get when the server ends; searches then end at their next step


def build(service: Service, page: bool) -> FastAPI:
    """The API, with or without the page at its root."""
    app = routes.build(service)
    if page:
        os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"  # read when Gradio is imported, which takes seconds
        import_module("ganfill.app.web.layout").mount(app, service)
    return app


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


def address(taken: socket.socket) -> str:
    """What to type into a browser."""
    host, port = taken.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def serve(app: FastAPI, taken: socket.socket) -> None:
    """Serves until it is interrupted."""
    config = uvicorn.Config(app, log_level="warning", access_log=False, timeout_graceful_shutdown=PATIENCE)
    uvicorn.Server(config).run([taken])
