"""Starts a server as users do."""

import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager


@contextmanager
def served(words: Sequence[str] = ()) -> Iterator[tuple[str, int]]:
    """Runs ``ganfill app WORDS``; yields its address and process id."""
    command = [sys.executable, "-m", "ganfill", "app", *words, "port=0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield process.stdout.readline().split()[3].rstrip(";"), process.pid
        finally:
            process.terminate()
