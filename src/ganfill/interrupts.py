"""Ctrl-C, SIGTERM and SIGHUP: each ends a command with one line and the exit code 128 + its number."""

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

NUMBERS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
DEFAULT = (signal.SIG_DFL, signal.default_int_handler)
_received: list[int] = []  # signals that have raised an exception in this process
_process = 0  # its id


class Terminated(KeyboardInterrupt):
    """SIGTERM or SIGHUP, which end a command as Ctrl-C does.

    Attributes:
        number: of the signal.
    """

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


def exit_at_once() -> None:
    """Makes the signals end this process with a message; nothing has been written yet. An ignored signal stays ignored.

    Modules that are being imported would answer an exception with errors of their own, or a traceback.
    """
    for number in NUMBERS:
        if signal.getsignal(number) in DEFAULT:
            signal.signal(number, _exit)


def raise_interrupt() -> None:
    """Makes the signals raise ``KeyboardInterrupt`` or ``Terminated``, if ``exit_at_once`` has changed them."""
    global _process
    _process = os.getpid()
    sys.unraisablehook = _report_unraisable
    for number in NUMBERS:
        if signal.getsignal(number) is _exit:
            signal.signal(number, _raise)


def raise_swallowed() -> None:
    """Raises the last signal again if there was one: whoever calls this is still running.

    Python drops exceptions in destructors and callbacks of C code, and a library may answer one with an error of its own.
    """
    if _received:
        raise _interrupt(_received[-1])


def forget() -> None:
    """Forgets the signals; whoever calls this has done what they ask for."""
    _received.clear()


@contextmanager
def not_swallowed() -> Iterator[None]:
    """Raises a signal that was swallowed in a block: at its end, or in place of the error that it has become."""
    try:
        yield
    except Exception:
        raise_swallowed()
        raise
    raise_swallowed()


def explain(interrupt: KeyboardInterrupt) -> tuple[str, int]:
    """Returns the message about an interrupt, and the exit code."""
    number = interrupt.number if isinstance(interrupt, Terminated) else signal.SIGINT
    return f"{_describe(number)}; the same command again continues", 128 + number


def _raise(number: int, frame: FrameType | None) -> None:
    if os.getpid() != _process:  # forked by a library, which ends its processes with SIGTERM
        os._exit(128 + number)
    _received.append(number)
    raise _interrupt(number)


def _report_unraisable(dropped: "sys.UnraisableHookArgs") -> None:
    if not isinstance(dropped.exc_value, KeyboardInterrupt):  # raised again by raise_swallowed
        sys.__unraisablehook__(dropped)


def _interrupt(number: int) -> KeyboardInterrupt:
    return KeyboardInterrupt() if number == signal.SIGINT else Terminated(number)


def _exit(number: int, frame: FrameType | None) -> None:
    os.write(2, f"ganfill: {_describe(number)}\n".encode())  # print is not safe in a signal handler
    os._exit(128 + number)


def _describe(number: int) -> str:
    return "interrupted" if number == signal.SIGINT else f"ended by {signal.Signals(number).name}"
