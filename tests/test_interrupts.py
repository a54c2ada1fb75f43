import os
import signal
import subprocess
import sys

import pytest

from ganfill import cancellation, interrupts

ENDED = {signal.SIGINT: "interrupted", signal.SIGTERM: "ended by SIGTERM", signal.SIGHUP: "ended by SIGHUP"}
SWALLOWED = """
import os, signal
from ganfill import cli, interrupts

class Bar:
    def __del__(self):
        os.kill(os.getpid(), {number})

def dispatch(words):
    try:
        Bar() if {in_destructor} else os.kill(os.getpid(), {number})
    except KeyboardInterrupt:
        {answer}
    return 0

cli._dispatch = dispatch
signal.signal({number}, signal.SIG_DFL)  # whoever runs the tests may ignore it
interrupts.exit_at_once()
interrupts.raise_interrupt()
cli.main()
"""


@pytest.fixture
def signals():
    """Handles signals as a command does, and restores the handlers."""
    handlers, hook = {number: signal.getsignal(number) for number in interrupts.NUMBERS}, sys.unraisablehook
    interrupts.exit_at_once()
    interrupts.raise_interrupt()
    yield
    interrupts.forget()
    sys.unraisablehook = hook
    for number, handler in handlers.items():
        signal.signal(number, handler)


@pytest.mark.parametrize(
    ("number", "answer"),
    [
        *((number, "raise") for number in ENDED),
        *((signal.SIGINT, answer) for answer in ("pass", "raise AttributeError", "in a destructor")),
    ],
)
def test_a_command_ends_with_one_line_even_if_a_library_drops_the_exception(number, answer):
    dropped = answer == "in a destructor"
    code = SWALLOWED.format(number=int(number), answer="raise" if dropped else answer, in_destructor=dropped)
    finished = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    expected = f"ganfill: {ENDED[number]}; the same command again continues\n"
    assert (finished.returncode, finished.stderr) == (128 + number, expected)


def test_a_swallowed_signal_is_raised_again(signals):
    cancellation.check_cancelled()
    with pytest.raises(interrupts.Terminated) as raised:
        os.kill(os.getpid(), signal.SIGTERM)
    assert interrupts.explain(raised.value)[1] == 143
    with pytest.raises(interrupts.Terminated):
        cancellation.check_cancelled()
    with pytest.raises(interrupts.Terminated), interrupts.not_swallowed():
        raise AttributeError
    interrupts.forget()
    with interrupts.not_swallowed():
        cancellation.check_cancelled()


def test_ignored_signals_stay_ignored():  # as nohup sets them
    handler = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        interrupts.exit_at_once()
        interrupts.raise_interrupt()
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, handler)


def test_a_forked_process_ends_without_a_message(signals):
    reader, writer = os.pipe()
    if (process := os.fork()) == 0:
        os.dup2(writer, 2)
        os.kill(os.getpid(), signal.SIGTERM)
        os._exit(0)
    os.close(writer)
    assert os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) == 143 and os.read(reader, 10) == b""
    os.close(reader)
