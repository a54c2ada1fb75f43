"""Connections that may not idle for ever."""

import asyncio

from uvicorn.protocols.http.h11_impl import H11Protocol

PATIENCE = 10.0  # seconds until a request's head is complete, from the connection's begin or the last answer's end
CONNECTIONS = 500  # at once; one more is answered with 503. A page holds up to six


class TimeoutProtocol(H11Protocol):
    """Uvicorn's, closed if it asks for nothing for too long; drops of a head or of an unread body are not enough."""

    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begins to wait for a request."""
        super().connection_made(transport)
        self._wait()

    def data_received(self, data: bytes) -> None:
        """Waits no more when a request has begun."""
        super().data_received(data)
        if self._answering:
            self._wait_no_more()

    def on_response_complete(self) -> None:
        """Waits for the next request, unless it is there already."""
        super().on_response_complete()
        if not self._answering:
            self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        """Waits no more."""
        self._wait_no_more()
        super().connection_lost(exc)

    @property
    def _answering(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _wait(self) -> None:
        self._wait_no_more()
        self._deadline = self.loop.call_later(PATIENCE, self.transport.abort)

    def _wait_no_more(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
