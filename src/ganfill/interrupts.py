"""Ctrl-C while a command starts: modules that are being imported answer it with errors of their own, or a traceback."""

import os
import signal
from types import FrameType


def exit_at_once() -> None:
    """Makes Ctrl-C end this process with a message; nothing has been written yet. An ignored Ctrl-C stays ignored."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _exit)


def raise_interrupt() -> None:
    """Makes Ctrl-C raise ``KeyboardInterrupt`` again, if ``exit_at_once`` has changed that."""
    if signal.getsignal(signal.SIGINT) is _exit:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _exit(number: int, frame: FrameType | None) -> None:
    os.write(2, b"ganfill: interrupted\n")  # print is not safe in a signal handler
    os._exit(130)
