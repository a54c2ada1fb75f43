"""Why the service does not complete a picture, each reason with its HTTP status."""

from ganfill.errors import UserError


class Refused(UserError):
    """A request that cannot be served; the message is one line that names the value and the remedy."""

    status = 422


class NoPicture(Refused):
    """An upload that is no picture, or a damaged one."""


class Unusable(Refused):
    """A mask or an option that does not suit."""


class NoModel(Refused):
    """There is no such model."""

    status = 404


class TooLarge(Refused):
    """More bytes or pixels than are taken."""

    status = 413


class Busy(Refused):
    """Too many are waiting.

    Args:
        message: for the user.
        retry_after: seconds after which there may be room.
    """

    status = 503

    def __init__(self, message: str, retry_after: int) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class TooLong(Refused):
    """The search was ended because it took too long."""

    status = 504


class Cancelled(Exception):
    """Whoever asked does not want the answer any more."""
