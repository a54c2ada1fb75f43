"""Errors of the service with their HTTP statuses."""

from ganfill.cancellation import Interrupted
from ganfill.errors import UserError


class RequestError(UserError):
    """A request that cannot be served; the message is one line that names the value and the remedy."""

    status = 422


class UnknownModel(RequestError):
    """The server has no such model."""

    status = 404


class TooLarge(RequestError):
    """An upload exceeds the limit of bytes or pixels, or its answers would."""

    status = 413


class FolderFull(RequestError):
    """The files of all visitors of the page together are too large."""

    status = 507


class QueueFull(RequestError):
    """Too many requests are waiting.

    Args:
        message: for the user.
        retry_after: estimated seconds until a request is accepted again.
    """

    status = 503

    def __init__(self, message: str, retry_after: int) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class RequestTimeout(RequestError, Interrupted):
    """A request exceeded its time limit and was stopped."""

    status = 504


class Cancelled(Interrupted):
    """The client cancelled the search or disconnected."""
