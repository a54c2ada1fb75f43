"""A queue of threads that are served one at a time, in the order of arrival."""

import math
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ganfill.app.errors import QueueFull

POLL_SECONDS = 0.25  # between two checks whether a waiting request was cancelled


class FifoQueue:
    """Lets one thread at a time into the block of ``slot``.

    Args:
        waiting: number of threads that may wait; one more gets ``QueueFull``.
    """

    def __init__(self, waiting: int) -> None:
        self.waiting = waiting
        self._changed = threading.Condition()
        self._tickets: deque[object] = deque()  # the first one is being served
        self._last_seconds = 1.0  # duration of the last slot

    def __len__(self) -> int:
        """Returns the number of threads in the queue, including the one that is being served."""
        return len(self._tickets)

    @contextmanager
    def slot(self, check: Callable[[], object] = lambda: None) -> Iterator[None]:
        """Waits until all earlier threads are done, then holds the slot for the duration of the block.

        Args:
            check: called every ``POLL_SECONDS`` while waiting; the thread leaves the queue if it raises.

        Raises:
            QueueFull: too many threads are waiting.
        """
        ticket = object()
        with self._changed:
            if len(self._tickets) > self.waiting:
                raise self.full()
            self._tickets.append(ticket)
        try:
            while not self._wait_for_first_place(ticket):
                check()
            started = time.monotonic()
            yield
            self._last_seconds = time.monotonic() - started
        finally:
            with self._changed:
                self._tickets.remove(ticket)
                self._changed.notify_all()

    def full(self) -> QueueFull:
        """Returns the error for a full queue; it estimates the wait from the last slot."""
        seconds = max(1, math.ceil(self._last_seconds))
        state = f"{self.waiting} pictures are already waiting" if self.waiting else "another picture is being completed"
        return QueueFull(f"{state}: try again in {seconds} s", seconds)

    def _wait_for_first_place(self, ticket: object) -> bool:
        with self._changed:
            return self._changed.wait_for(lambda: self._tickets[0] is ticket, POLL_SECONDS)
