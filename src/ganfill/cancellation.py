"""Ends long computations early: whatever takes long calls ``check_cancelled`` between its parts."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

Check = Callable[[], object]


class Interrupted(Exception):
    """Base of the exceptions that checks raise; code that converts other exceptions lets it pass."""


def _never() -> None:
    pass


_check: ContextVar[Check] = ContextVar("check", default=_never)


def check_cancelled() -> None:
    """Calls the check of the surrounding ``cancellable`` block, if there is one; it may raise ``Interrupted``."""
    _check.get()()


@contextmanager
def cancellable(check: Check) -> Iterator[None]:
    """Makes every ``check_cancelled`` in the block call ``check``, in this thread only.

    A context variable reaches blends, alignments and networks alike, so that their call protocols need no further argument.
    """
    token = _check.set(check)
    try:
        yield
    finally:
        _check.reset(token)
