"""What is taken in: of the API forms, of everybody no more than fits and nothing that never ends."""

import asyncio
import time

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ganfill.app.http.problem_details import problem

FORM = "multipart/form-data"
PATIENCE = 30.0  # seconds that a body is waited for in all, besides those that ...
RATE = 20_000  # ... this many of its bytes a second take
CLOSE = {"Connection": "close"}  # what is left of a body is not read


class BodyLimitMiddleware:
    """Middleware that refuses other bodies than forms, and stops reading where one becomes too large.

    Args:
        app: what follows.
        prefix: of the paths that are watched.
        limit: bytes of a body.
    """

    def __init__(self, app: ASGIApp, prefix: str, limit: int) -> None:
        self.app, self.prefix, self.limit = app, prefix, limit
        self.detail = f"the request is larger than {limit / 1e6:g} MB: shrink the picture"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes on what it takes."""
        if scope["type"] != "http" or scope["method"] != "POST" or not scope["path"].startswith(self.prefix):
            await self.app(scope, receive, send)
            return
        kind = Headers(scope=scope).get("content-type", "nothing")
        if not kind.lower().startswith(FORM):
            await problem(415, f"the body is {kind}, not {FORM}: see /docs")(scope, receive, send)
        elif too_long(scope, self.limit):
            await problem(413, self.detail, CLOSE)(scope, receive, send)
        else:
            await self.app(scope, counted(receive, self.limit, self.detail), send)


def too_long(scope: Scope, limit: int) -> bool:
    """Whether a request says itself that its body has more bytes than ``limit``."""
    length = Headers(scope=scope).get("content-length", "0")
    return len(length) > 15 or (length.isdecimal() and int(length) > limit)


def counted(receive: Receive, limit: int, detail: str) -> Receive:
    """Counts what is read, whatever the header said.

    Args:
        receive: what is read from.
        limit: bytes of a body; one with more ends in ``HTTPException``.
        detail: of that.
    """
    taken = 0

    async def receive_counted() -> Message:
        nonlocal taken
        message = await receive()
        taken += len(message.get("body", b""))
        if taken > limit:
            raise HTTPException(413, detail, CLOSE)
        return message

    return receive_counted


def timed(receive: Receive) -> Receive:
    """Ends in ``HTTPException`` where a body comes too slowly; only the waiting counts."""
    waited, taken, complete = 0.0, 0, False

    async def receive_timed() -> Message:
        nonlocal waited, taken, complete
        if complete:
            return await receive()
        began = time.monotonic()
        try:
            # Without a task of its own, unlike wait_for: those who ask whether a client has gone do not wait at all.
            async with asyncio.timeout(PATIENCE + taken / RATE - waited):
                message = await receive()
        except TimeoutError:
            raise HTTPException(408, f"the body came to a halt after {taken} bytes: send it again", CLOSE) from None
        waited += time.monotonic() - began
        taken += len(message.get("body", b""))
        complete = not message.get("more_body", False)
        return message

    return receive_timed
