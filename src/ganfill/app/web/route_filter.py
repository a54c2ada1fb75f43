"""Limits Gradio to the routes that the page uses, and to the size of their requests."""

import asyncio
from pathlib import Path

from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from ganfill.app import upload_folder, uploads
from ganfill.app.errors import FolderFull, RequestError
from ganfill.app.http.body_limit import CLOSE, call_with_limit
from ganfill.app.http.problem_details import problem
from ganfill.app.security import FILES, SAFE_METHODS

READABLE = ("/", "/theme.css", "/favicon.ico", "/robots.txt", "/config")
READABLE += ("/gradio_api/queue/data", "/gradio_api/upload_progress")
READABLE_PREFIXES = ("/assets/", "/static/", "/gradio_api/heartbeat/")
UPLOAD, JOIN = "/gradio_api/upload", "/gradio_api/queue/join"
EVENT_BYTES = 200_000  # of an event's values, which name files that were uploaded before


class RouteFilter:
    """Middleware of the page. Gradio's other routes download URLs, run other programs, or store what they receive.

    Args:
        app: Gradio's application.
        pictures: folder of the files that can be read.
        limit: bytes of an upload with all its files.
        room: bytes of the folder with which no upload is accepted.
    """

    def __init__(self, app: ASGIApp, pictures: Path, limit: int, room: int) -> None:
        self.app, self.pictures, self.limits, self.room = app, pictures, {UPLOAD: limit, JOIN: EVENT_BYTES}, room

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes on requests of the page."""
        method, path = scope["method"], scope["path"]
        if method in SAFE_METHODS and self._is_readable(path):
            await self.app(scope, receive, send)
        elif method == "POST" and path in self.limits:
            if path == UPLOAD:
                await asyncio.to_thread(upload_folder.remove_unfinished, self.pictures)
                try:
                    await asyncio.to_thread(upload_folder.check_room, self.pictures, self.room)
                except FolderFull as error:
                    await PlainTextResponse(str(error), error.status, CLOSE)(scope, receive, send)  # the page shows it
                    return
            await call_with_limit(self.app, self.limits[path], scope, receive, send)
        else:
            await problem(404, f"{method} {path} does not exist: see /docs", CLOSE)(scope, receive, send)

    def _is_readable(self, path: str) -> bool:
        if not path.startswith(FILES):
            return path in READABLE or path.startswith(READABLE_PREFIXES)
        try:
            return bool(uploads.locate({"path": path.removeprefix(FILES)}, self.pictures))
        except RequestError:
            return False
