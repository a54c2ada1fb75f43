"""What of Gradio is open: the routes that the page asks for, and no more bytes than it sends."""

import asyncio
from pathlib import Path

from starlette.types import ASGIApp, Receive, Scope, Send

from ganfill.app import upload_folder, uploads
from ganfill.app.errors import Unusable
from ganfill.app.http.body_limit import CLOSE, counted, too_long
from ganfill.app.http.problem_details import problem
from ganfill.app.security import FILES, SAFE

READ = (
    "/",
    "/theme.css",
    "/favicon.ico",
    "/robots.txt",
    "/config",
    "/gradio_api/queue/data",
    "/gradio_api/upload_progress",
)
READ_BELOW = ("/assets/", "/static/", "/gradio_api/heartbeat/")
UPLOAD, JOIN = "/gradio_api/upload", "/gradio_api/queue/join"
VALUES = 200_000  # bytes of an event's values; pictures are uploaded before


class RouteFilter:
    """Middleware of the page. Gradio's other routes fetch addresses, run other programs, or keep what they are sent.

    Args:
        app: Gradio's.
        pictures: folder of the files that are handed out.
        limit: bytes of an upload with all its files.
    """

    def __init__(self, app: ASGIApp, pictures: Path, limit: int) -> None:
        self.app, self.pictures, self.limits = app, pictures, {UPLOAD: limit, JOIN: VALUES}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes on what the page needs."""
        path = scope["path"]
        if scope["method"] in SAFE and self._may_be_read(path):
            await self.app(scope, receive, send)
        elif scope["method"] == "POST" and path in self.limits:
            limit = self.limits[path]
            detail = f"the request is larger than {limit / 1e6:g} MB: shrink the picture"
            if too_long(scope, limit):
                await problem(413, detail, CLOSE)(scope, receive, send)
            else:
                if path == UPLOAD:
                    await asyncio.to_thread(upload_folder.remove_unfinished, self.pictures)
                await self.app(scope, counted(receive, limit, detail), send)
        else:
            detail = f"there is no {scope['method']} {path}: see /docs"
            await problem(404, detail, CLOSE)(scope, receive, send)

    def _may_be_read(self, path: str) -> bool:
        if not path.startswith(FILES):
            return path in READ or path.startswith(READ_BELOW)
        try:
            return bool(uploads.locate({"path": path.removeprefix(FILES)}, self.pictures))
        except Unusable:
            return False
