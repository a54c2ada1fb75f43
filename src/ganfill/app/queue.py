"""One at a time, in the order of arrival."""

import math
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ganfill.app.errors import Busy

PAUSE = 0.25  # seconds after which one who waits is asked again


class FifoQueue:
    """A line of threads in front of one that is served.

    Args:
        waiting: that may stand in it; one more is refused.
    """

    def __init__(self, waiting: int) -> None:
        self.waiting = waiting
        self._change = threading.Condition()
        self._tickets: deque[object] = deque()  # the first one's turn it is
        self._last = 1.0  # seconds that the last turn took

    def __len__(self) -> int:
        """Those in line, with the one that is served."""
        return len(self._tickets)

    @contextmanager
    def slot(self, ask: Callable[[], object] = lambda: None) -> Iterator[None]:
        """Waits for the turn, which lasts as long as the block.

        Args:
            ask: called a few times a second while waiting; what it raises leaves the line.

        Raises:
            Busy: the line is full.
        """
        ticket = object()
        with self._change:
            if len(self._tickets) > self.waiting:
                raise self.busy()
            self._tickets.append(ticket)
        try:
            while not self._is_first(ticket):
                ask()
            began = time.monotonic()
            yield
            self._last = time.monotonic() - began
        finally:
            with self._change:
                self._tickets.remove(ticket)
                self._change.notify_all()

    def busy(self) -> Busy:
        """What there is to say when the line is full; there may be room when the next turn begins."""
        after = max(1, math.ceil(self._last))
        return Busy(f"{self.waiting} pictures are waiting already: try again in {after} s", after)

    def _is_first(self, ticket: object) -> bool:
        """Waits a moment for it."""
        with self._change:
            return self._change.wait_for(lambda: self._tickets[0] is ticket, PAUSE)
