"""An HTTP connection with a time limit for idle clients."""

import asyncio

from uvicorn.protocols.http.h11_impl import H11Protocol

# From the start of the connection, or the end of a response, until the headers of the next request are complete.
IDLE_SECONDS = 10.0
CONNECTIONS = 500  # at once; one more is answered with 503. A page holds up to six


class TimeoutProtocol(H11Protocol):
    """Uvicorn's protocol, which also closes connections that send headers or unread bodies byte by byte."""

    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:
        """Starts the timer."""
        super().connection_made(transport)
        self._start_timer()

    def data_received(self, data: bytes) -> None:
        """Stops the timer when a request is complete enough to be answered."""
        super().data_received(data)
        if self._is_responding():
            self._stop_timer()

    def on_response_complete(self) -> None:
        """Restarts the timer unless the next request has arrived."""
        super().on_response_complete()
        if not self._is_responding():
            self._start_timer()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stops the timer."""
        self._stop_timer()
        super().connection_lost(exc)

    def _is_responding(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _start_timer(self) -> None:
        self._stop_timer()
        self._deadline = self.loop.call_later(IDLE_SECONDS, self.transport.abort)

    def _stop_timer(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
