"""A server as a user starts it."""

import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager


@contextmanager
def served(words: Sequence[str] = ()) -> Iterator[tuple[str, int]]:
    """Address and process id of a running ``ganfill app WORDS``."""
    command = [sys.executable, "-m", "ganfill", "app", *words, "port=0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield process.stdout.readline().split()[3].rstrip(";"), process.pid
        finally:
            process.terminate()
