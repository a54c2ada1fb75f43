"""ganfill in processes of its own that need not load torch and Lightning.

They are forked from a server that has imported both. The server runs no other thread, so that nothing is lost in a fork.
"""

import atexit
import os
import runpy
import shutil
import sys
import tempfile
from multiprocessing import get_context
from pathlib import Path

import torch

CONTEXT = get_context("forkserver")
CONTEXT.set_forkserver_preload(["experiments.reliability.processes"])


class Process(CONTEXT.Process):
    """Runs ``python -m module words``.

    Args:
        words: of the command line.
        module: to run.
        environment: of the process; this one's by default.
        folder: working directory of the process; this one's by default.

    Attributes:
        output, errors: what it has printed; known after ``wait``.
    """

    def __init__(self, words, module="ganfill", environment=None, folder="."):
        self.printed = Path(tempfile.mkdtemp())
        place = str(folder), {**(environment or os.environ)}, torch.get_num_threads()
        super().__init__(target=run, args=(module, [*map(str, words)], *place, str(self.printed)))
        self.start()

    def wait(self, seconds=250):
        """Returns the exit code, negative if a signal ended the process."""
        self.join(seconds)
        assert self.exitcode is not None, f"still running after {seconds} s"
        if self.printed.exists():
            self.output, self.errors = ((self.printed / name).read_text() for name in "12")
            shutil.rmtree(self.printed)
        return self.exitcode


def run(module, words, folder, environment, threads, printed):
    for number in (1, 2):
        os.dup2(os.open(f"{printed}/{number}", os.O_WRONLY | os.O_CREAT), number)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    torch.set_num_threads(threads)
    sys.argv = [module, *words]
    try:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    finally:
        atexit._run_exitfuncs()  # which a process of multiprocessing leaves out
