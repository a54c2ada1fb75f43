"""Errors that are not bugs, and the text of errors of other libraries."""


class UserError(ValueError):
    """A mistake that the user can correct. The message is one line with the file, the value and the remedy; exit code 2."""

    exit_code = 2


class Incomplete(Exception):
    """The work is finished, but some inputs failed; the message lists them. Exit code 1."""

    exit_code = 1


def first_line(error: object) -> str:
    """Returns the first line of an error's message, or the name of its type if the message is empty."""
    return next(iter(str(error).strip().splitlines()), type(error).__name__)
