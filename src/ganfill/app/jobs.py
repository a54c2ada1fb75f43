"""Jobs in threads: one search per visitor of the page, and the requests of the API."""

import asyncio
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Generic, TypeVar

import numpy as np
from fastapi import Request

from ganfill.app.errors import Cancelled
from ganfill.app.limits import OnProgress
from ganfill.app.queue import POLL_SECONDS
from ganfill.app.service import Service

Result = TypeVar("Result")


class Job(Generic[Result]):
    """A function that runs in its own thread.

    Args:
        work: the function; it must call the callback that it is given regularly, see ``Service.slot``.

    Attributes:
        future: its result, or its exception, ``Cancelled`` after ``cancel``.
        progress: share of the work that is done, 0 to 1.
        preview: the latest intermediate picture, uint8 (h, w, 3).
    """

    def __init__(self, work: Callable[[OnProgress], Result]) -> None:
        self.progress = 0.0
        self.preview: np.ndarray | None = None
        self._cancelled = threading.Event()
        # One pool per job: in a shared pool, jobs would wait for a thread before they enter the service's queue.
        pool = ThreadPoolExecutor(1, "search")
        self.future: Future[Result] = pool.submit(work, self._on_progress)
        pool.shutdown(wait=False)

    def cancel(self) -> None:
        """Makes the next call of the callback raise ``Cancelled``."""
        self._cancelled.set()

    def _on_progress(self, progress: float, preview: np.ndarray | None) -> None:
        if self._cancelled.is_set():
            raise Cancelled("the search was cancelled")
        self.progress = progress
        if preview is not None:
            self.preview = preview


class Searches:
    """The searches of the page, at most one per visitor."""

    def __init__(self) -> None:
        self._jobs: dict[str, Job] = {}

    def start(self, visitor: str, work: Callable[[OnProgress], Result]) -> Job[Result]:
        """Starts a job; cancels an earlier one of the same visitor."""
        self.cancel(visitor)
        self._jobs[visitor] = job = Job(work)
        return job

    def cancel(self, visitor: str) -> None:
        """Cancels the visitor's search, if there is one."""
        if (job := self._jobs.pop(visitor, None)) is not None:
            job.cancel()


class RequestPool:
    """Limits API requests in flight and cancels those whose client disconnected.

    Args:
        service: does the work. Its limit ``waiting`` applies before a request enters the queue, because the headers of its
            uploads are checked first.
    """

    def __init__(self, service: Service) -> None:
        self.service = service
        self._jobs: list[Job] = []

    async def run(self, request: Request, work: Callable[[OnProgress], Result]) -> Result:
        """Returns the result of ``work``, which runs in a thread.

        Raises:
            QueueFull: too many requests are waiting.
            Cancelled: the client disconnected.
        """
        self._jobs = [job for job in self._jobs if not job.future.done()]
        if len(self._jobs) > self.service.limits.waiting:
            raise self.service.queue.full()
        job = Job(work)
        self._jobs.append(job)
        result = asyncio.wrap_future(job.future)
        # Retrieves the exception also when nobody awaits it any more; asyncio would log it.
        result.add_done_callback(lambda result: result.cancelled() or result.exception())
        try:
            while not result.done():
                await asyncio.wait([result], timeout=POLL_SECONDS)
                if await request.is_disconnected():
                    job.cancel()
            return result.result()
        finally:
            job.cancel()  # if the server is shutting down


def seconds_left(share: float, first_share: float, since: float) -> float | None:
    """Returns the time until a progress of 1, at the speed since ``first_share`` was reached; None if that is unknown."""
    done = share - first_share
    return (time.monotonic() - since) / done * (1 - share) if done > 0 else None
