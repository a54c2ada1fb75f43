"""What the API takes in: forms, and no more of them than fits."""

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ganfill.app.http.problem_details import problem

FORM = "multipart/form-data"


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
        headers = Headers(scope=scope)
        kind, length = headers.get("content-type", "nothing"), headers.get("content-length", "0")
        if not kind.lower().startswith(FORM):
            await problem(415, f"the body is {kind}, not {FORM}: see /docs")(scope, receive, send)
        elif len(length) > 15 or (length.isdecimal() and int(length) > self.limit):
            await problem(413, self.detail, {"Connection": "close"})(scope, receive, send)
        else:
            await self.app(scope, self._counted(receive), send)

    def _counted(self, receive: Receive) -> Receive:
        """Counts what is read, whatever the header said; raises ``HTTPException`` where it is too much."""
        taken = 0

        async def counted() -> Message:
            nonlocal taken
            message = await receive()
            taken += len(message.get("body", b""))
            if taken > self.limit:
                raise HTTPException(413, self.detail, {"Connection": "close"})
            return message

        return counted
