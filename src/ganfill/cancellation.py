"""Ends long computations early: whatever takes long calls ``check_cancelled`` between its parts."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from ganfill.interrupts import raise_swallowed

Check = Callable[[], object]


class Interrupted(Exception):
    """Base of the exceptions that checks raise; code that converts other exceptions lets it pass."""


_check: ContextVar[Check] = ContextVar("check", default=raise_swallowed)


def check_cancelled() -> None:
    """Calls the check of the surrounding ``cancellable`` block, which may raise ``Interrupted``.

    Without such a block, it raises a Ctrl-C that a library has swallowed.
    """
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
