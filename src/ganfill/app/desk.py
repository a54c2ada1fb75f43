"""Where requests of the API wait: work in threads, for no more clients than may wait, and none for those who left."""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import numpy as np
from fastapi import Request

from ganfill.app.line import PAUSE
from ganfill.app.refused import Cancelled
from ganfill.app.service import Service, Watch

T = TypeVar("T")


class Desk:
    """Serves the requests of one event loop.

    Args:
        service: does the work; its limit of those who wait holds here too, so that no more uploads are decoded.
    """

    def __init__(self, service: Service) -> None:
        self.service = service
        self._pool = ThreadPoolExecutor(service.limits.waiting + 1, "complete")
        self._inside = 0

    async def serve(self, request: Request, work: Callable[[Watch], T]) -> T:
        """What ``work`` gives, called in a thread; its ``watch`` ends it when the client has gone.

        Raises:
            Busy: too many wait.
            Cancelled: the client has gone.
        """
        if self._inside > self.service.limits.waiting:
            raise self.service.line.busy()
        gone = threading.Event()

        def watch(share: float, picture: np.ndarray | None) -> None:
            if gone.is_set():
                raise Cancelled

        self._inside += 1
        found = asyncio.get_running_loop().run_in_executor(self._pool, work, watch)
        found.add_done_callback(self._leave)
        try:
            while not found.done():
                await asyncio.wait([found], timeout=PAUSE)
                if await request.is_disconnected():
                    gone.set()
            return found.result()
        finally:
            gone.set()  # the server may be shutting down

    def _leave(self, found: asyncio.Future) -> None:
        self._inside -= 1
        if not found.cancelled():
            found.exception()  # asyncio complains of one that nobody looked at
