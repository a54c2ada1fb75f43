"""Where requests of the API wait: for no more clients than may wait, and not for those who left."""

import asyncio
from collections.abc import Callable
from typing import TypeVar

from fastapi import Request

from ganfill.app.line import PAUSE
from ganfill.app.running import Running
from ganfill.app.service import Service, Watch

Found = TypeVar("Found")


class Desk:
    """Serves the requests of one event loop.

    Args:
        service: does the work; its limit of those who wait holds here too, so that no more uploads are decoded.
    """

    def __init__(self, service: Service) -> None:
        self.service = service
        self._inside: list[Running] = []

    async def serve(self, request: Request, work: Callable[[Watch], Found]) -> Found:
        """What ``work`` gives, called in a thread; its ``watch`` ends it when the client has gone.

        Raises:
            Busy: too many wait.
            Cancelled: the client has gone.
        """
        self._inside = [each for each in self._inside if not each.done]
        if len(self._inside) > self.service.limits.waiting:
            raise self.service.line.busy()
        running = Running(work)
        self._inside.append(running)
        found = asyncio.wrap_future(running.future)
        found.add_done_callback(_look)
        try:
            while not found.done():
                await asyncio.wait([found], timeout=PAUSE)
                if await request.is_disconnected():
                    running.stop()
            return found.result()
        finally:
            running.stop()  # the server may be shutting down


def _look(found: asyncio.Future) -> None:
    """Looks at what was raised: asyncio complains of what nobody has looked at."""
    if not found.cancelled():
        found.exception()
