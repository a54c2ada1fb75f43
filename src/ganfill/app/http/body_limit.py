"""Limits of request bodies: content type, size, and time."""

import asyncio
import time

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ganfill.app.http.problem_details import problem

FORM = "multipart/form-data"
BODY_SECONDS = 30.0  # for a whole body, plus the time that its bytes take ...
BYTES_PER_SECOND = 20_000  # ... at this rate
CLOSE = {"Connection": "close"}  # the rest of the body is not read


class BodyLimitMiddleware:
    """Refuses POST bodies that are not forms or too large.

    Args:
        app: the application behind it.
        prefix: of the paths that it applies to.
        limit: bytes of a body.
    """

    def __init__(self, app: ASGIApp, prefix: str, limit: int) -> None:
        self.app, self.prefix, self.limit = app, prefix, limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes on requests that are allowed."""
        if scope["type"] != "http" or scope["method"] != "POST" or not scope["path"].startswith(self.prefix):
            await self.app(scope, receive, send)
            return
        content_type = Headers(scope=scope).get("content-type", "missing")
        if content_type.lower().startswith(FORM):
            await call_with_limit(self.app, self.limit, scope, receive, send)
        else:
            await problem(415, f"Content-Type must be {FORM}, got {content_type}: see /docs")(scope, receive, send)


async def call_with_limit(app: ASGIApp, limit: int, scope: Scope, receive: Receive, send: Send) -> None:
    """Calls an application; answers 413 if the body has more than ``limit`` bytes, whether or not its header says so."""
    detail = f"the request is larger than {limit / 1e6:g} MB: shrink the picture"
    length = Headers(scope=scope).get("content-length", "0")
    if len(length) > 15 or (length.isdecimal() and int(length) > limit):
        await problem(413, detail, CLOSE)(scope, receive, send)
        return
    received = 0

    async def receive_counted() -> Message:
        nonlocal received
        message = await receive()
        received += len(message.get("body", b""))
        if received > limit:
            raise HTTPException(413, detail, CLOSE)
        return message

    await app(scope, receive_counted, send)


def with_deadline(receive: Receive) -> Receive:
    """Wraps ``receive``: it raises ``HTTPException`` if the body arrives too slowly. Only the time spent waiting counts."""
    waited, received, complete = 0.0, 0, False

    async def receive_in_time() -> Message:
        nonlocal waited, received, complete
        if complete:
            return await receive()
        started = time.monotonic()
        try:
            # Creates no task, unlike wait_for: a check whether the client disconnected must not wait at all.
            async with asyncio.timeout(BODY_SECONDS + received / BYTES_PER_SECOND - waited):
                message = await receive()
        except TimeoutError:
            raise HTTPException(408, f"the body stopped after {received} bytes: send it again", CLOSE) from None
        waited += time.monotonic() - started
        received += len(message.get("body", b""))
        complete = not message.get("more_body", False)
        return message

    return receive_in_time
