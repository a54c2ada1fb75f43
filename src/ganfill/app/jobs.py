"""Work that runs while somebody watches, each in a thread of its own."""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Generic, TypeVar

import numpy as np
from fastapi import Request

from ganfill.app.errors import Cancelled
from ganfill.app.queue import PAUSE
from ganfill.app.service import Service, Watch

Found = TypeVar("Found")


class Job(Generic[Found]):
    """Work in a thread of its own.

    Args:
        work: is handed what it has to call now and then, see ``Service.complete``.

    Attributes:
        future: of what it finds.
        share: that is done, 0 to 1.
        picture: the latest preview, uint8 (h, w, 3).
    """

    def __init__(self, work: Callable[[Watch], Found]) -> None:
        self.share = 0.0
        self.picture: np.ndarray | None = None
        self._stopped = threading.Event()
        # A pool of its own: a shared one would be a second line before the service's, and nobody could leave it.
        pool = ThreadPoolExecutor(1, "search")
        self.future: Future[Found] = pool.submit(work, self._watch)
        pool.shutdown(wait=False)

    @property
    def done(self) -> bool:
        """True if there is a result, or never will be."""
        return self.future.done()

    def result(self) -> Found:
        """What the work has found; raises what it raised, ``Cancelled`` if it was stopped."""
        return self.future.result()

    def stop(self) -> None:
        """Ends the work at the next call of its ``watch``."""
        self._stopped.set()

    def _watch(self, share: float, picture: np.ndarray | None) -> None:
        if self._stopped.is_set():
            raise Cancelled
        self.share = share
        if picture is not None:
            self.picture = picture


class Searches:
    """The searches that run, one for each visitor at most."""

    def __init__(self) -> None:
        self._running: dict[str, Job] = {}

    def start(self, visitor: str, work: Callable[[Watch], Found]) -> Job[Found]:
        """Starts a visitor's work, in place of what is running for the same one."""
        self.stop(visitor)
        self._running[visitor] = running = Job(work)
        return running

    def stop(self, visitor: str) -> None:
        """Ends what is running for a visitor, if anything is."""
        if (running := self._running.pop(visitor, None)) is not None:
            running.stop()


Found = TypeVar("Found")


class RequestPool:
    """Serves the requests of one event loop.

    Args:
        service: does the work; its limit of those who wait holds here too, so that no more uploads are decoded.
    """

    def __init__(self, service: Service) -> None:
        self.service = service
        self._inside: list[Job] = []

    async def serve(self, request: Request, work: Callable[[Watch], Found]) -> Found:
        """What ``work`` gives, called in a thread; its ``watch`` ends it when the client has gone.

        Raises:
            Busy: too many wait.
            Cancelled: the client has gone.
        """
        self._inside = [each for each in self._inside if not each.done]
        if len(self._inside) > self.service.limits.waiting:
            raise self.service.queue.busy()
        running = Job(work)
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
