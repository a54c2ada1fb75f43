"""A terminal for the code blocks of the documentation.

bash runs the sh blocks. In them, ``ganfill`` is a script that passes its words to this process, which has already loaded
torch, and ``make`` runs the ``ganfill`` commands of the Makefile. The tables below make settings small.
"""

import json
import os
import re
import select
import shlex
import shutil
import socket
import subprocess
import sys
import tempfile
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from itertools import chain
from pathlib import Path

from ganfill import cli
from ganfill.config import compose
from ganfill.config_files import commands
from ganfill.errors import UserError
from ganfill.overrides import take_config_dir

ROOT = Path(__file__).parents[2]

# Words added to a command; they replace other values of the same keys.
SMALL = {
    "train": "batch_size=8 kimg=0.016 fd_samples=8 completion_kimg=0 device=cpu precision=32-true model.width=4",
    "train-encoder": "batch_size=8 kimg=0.016 encoder.width=4 device=cpu precision=32-true",
    "train-inpainter": "batch_size=8 kimg=0.032 regression_kimg=0.016 device=cpu precision=32-true",
    "train-upsampler": (
        "batch_size=8 kimg=0.016 regression_kimg=0.008 upsampler.widths=[8,8] discriminator.width=4 device=cpu "
        "precision=32-true"
    ),
    "complete": "device=cpu",
    "generate": "device=cpu n=2",
    "evaluate": "n=2 samples=8 sheet=1 device=cpu",
}
# The same for commands that contain a word.
SMALL_WITH = {
    "data=synthetic": "data.n=64",
    "search=from_pool": "search.pool=8 search.starts=2 search.steps=8 search.cut_steps=2",
    "search=posterior": "search.burn_in=1 search.samples=2 search.leaps=1",
    "search=yeh2017": "search.steps=3",
    "-m": "seed=0",
    "pairs": "loss=hinge",
    "architectures": "model=dcgan_plus loss=hinge",
    "images=src/ganfill/packaged/demo": "mask=center",
}
# Replacements in the searches of an evaluation.
SHORTER = {r"\byeh2017\b": "yeh2017:steps=3", r"\bamos2016\b": "amos2016:steps=3", r"steps=(\d+)0\b": r"steps=\1"}
# Commands that are composed but not run: one serves until it is stopped, one needs a network.
CHECKED = ("app", "publish")

HAND_OVER = """#!{python} -IS
import json, os, socket, sys
with socket.socket(socket.AF_UNIX) as channel:
    channel.connect({address!r})
    environment = {{name: os.environ.get(name, "") for name in ("PYTHONPATH", "GANFILL_PLUGINS")}}
    channel.sendall(json.dumps([sys.argv[1:], os.getcwd(), environment]).encode() + b"\\n")
    code, out, error = json.loads(channel.makefile().readline())
print(out, end="")
print(error, end="", file=sys.stderr)
sys.exit(code)
"""
MAKE = """#!/bin/bash
set -euo pipefail
{make} --no-print-directory -n -C {root} "$@" > made.txt
grep '^\\.venv/bin/ganfill ' made.txt > ran.txt || true
. ./ran.txt
"""


def small(words):
    """Returns the words of a command with small settings."""
    command, *words = words
    added = SMALL.get(command, "").split()
    added += chain.from_iterable(more.split() for word, more in SMALL_WITH.items() if word in words)
    replaced = {word.partition("=")[0] for word in added}
    words = [word for word in words if "=" not in word or word.partition("=")[0] not in replaced]
    if command == "evaluate":
        for form, shorter in SHORTER.items():
            words = [re.sub(form, shorter, word) if word.startswith("search=") else word for word in words]
    return [command, *words, *added]


def run(words):
    """Checks that the words of a command compose, then runs it with small settings."""
    if words and words[0] in commands() and not set(words) & {*cli.SWEEP_WORDS, "--help"}:
        try:
            others, directory = take_config_dir(words[1:])
            compose(words[0], *cli.assign_paths(words[0], others), directory)
        except UserError as error:
            return 2, "", str(error)
        if words[0] in CHECKED:
            return 0, "", ""
    out, error = StringIO(), StringIO()
    with redirect_stdout(out), redirect_stderr(error):
        code = cli.run(small(words) if words else words)
    return code, out.getvalue(), error.getvalue()


class Terminal:
    """A shell in one folder with one environment."""

    def __init__(self, folder, monkeypatch):
        self.folder, self.monkeypatch = folder, monkeypatch
        self.place = Path(tempfile.mkdtemp())
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(self.place / "s"))
        self.listener.listen()
        tools = self.place / "bin"
        tools.mkdir()
        (tools / "ganfill").write_text(HAND_OVER.format(python=sys.executable, address=str(self.place / "s")))
        (tools / "make").write_text(MAKE.format(make=shutil.which("make"), root=shlex.quote(str(ROOT))))
        (tools / "python").symlink_to(sys.executable)
        for tool in ("ganfill", "make"):
            (tools / tool).chmod(0o755)
        (folder / ".venv").mkdir()
        (folder / ".venv/bin").symlink_to(tools)
        ours = ("MAKE", "ARGS", "VENV", "GANFILL", "WANDB")  # settings of the caller's make and CI
        kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
        self.environment = kept | {"PATH": f"{tools}:{kept['PATH']}", "HOME": str(folder)}

    def type(self, code):
        """Runs shell code and returns its exit code and output. Exported variables persist."""
        state = shlex.quote(str(self.place / "state"))
        script = f"[ ! -e {state} ] || . {state}\n{code}\nexport -p > {state}\n"
        words = ["bash", "-euo", "pipefail", "-c", script]
        with (self.place / "printed").open("w+") as printed:
            process = subprocess.Popen(
                words, cwd=self.folder, env=self.environment, stdout=printed, stderr=subprocess.STDOUT
            )
            while process.poll() is None:
                if select.select([self.listener], [], [], 0.02)[0]:
                    self.answer()
            printed.seek(0)
            return process.returncode, printed.read()

    def answer(self):
        """Runs one command in this process."""
        channel, _ = self.listener.accept()
        with channel, channel.makefile("rw") as lines, self.monkeypatch.context() as patch:
            words, place, environment = json.loads(lines.readline())
            patch.chdir(place)
            for name, value in environment.items():
                patch.setenv(name, value)
            for path in filter(None, environment["PYTHONPATH"].split(":")):
                patch.syspath_prepend(path)
            lines.write(json.dumps(run(words)) + "\n")

    def close(self):
        self.listener.close()
        shutil.rmtree(self.place)
        for name, module in list(sys.modules.items()):
            if str(getattr(module, "__file__", None)).startswith(str(self.folder)):
                del sys.modules[name]
