"""Every code block of the README, of docs/ and of CONTRIBUTING.md runs.

The blocks of a page run one after another in a folder that holds what the reader has. bash runs the sh blocks. In them,
``ganfill`` is a script that passes its words to this process, which has already loaded torch, and ``make`` runs the
``ganfill`` commands of the Makefile. The tables below make settings small. A comment before a block marks a file that
the reader writes, ``<!-- file: PATH -->``, or a block that cannot run, ``<!-- not run: REASON -->``.
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

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from ganfill import cli
from ganfill.config import compose
from ganfill.config_files import commands
from ganfill.data.synthetic import draw_faces
from ganfill.errors import UserError
from ganfill.overrides import take_config_dir

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "docs/api/index.md")]
PAGES += sorted((ROOT / "docs").glob("*.md"))
LINKED = [*PAGES, ROOT / "CHANGELOG.md", ROOT / "experiments/README.md"]
ELSEWHERE = ("http_api.md",)  # talks to a server: see test_http_api_blocks.py
SHOWN = ("text", "bibtex")  # languages of what is to be read, not run
REASONS = ("a cluster", "several GPUs", "make", "torchrun", "a network", "many trainings")  # for not running a block

# Words added to a command; they replace other values of the same keys.
SMALL = {
    "train": "batch_size=8 kimg=0.016 fd_samples=8 device=cpu precision=32-true model.width=4",
    "train-encoder": "batch_size=8 kimg=0.016 encoder.width=4 device=cpu precision=32-true",
    "train-inpainter": "batch_size=8 kimg=0.032 regression_kimg=0.016 device=cpu precision=32-true",
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
CHECKED = (
    "app",
    "publish",
)  # commands that are composed but not run: one serves until it is stopped, one needs a network

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


def faces(folder, names, side):
    folder.mkdir(parents=True)
    for name, picture in zip(names, draw_faces(len(names), side, torch.Generator().manual_seed(0)), strict=True):
        Image.fromarray(picture).save(folder / f"{name}.png")


@pytest.fixture(scope="module")
def has(tmp_path_factory):
    """A folder with everything that a reader of the pages has."""
    has = tmp_path_factory.mktemp("has")
    photo = Image.open(ROOT / "src/ganfill/packaged/demo/astronaut.png").convert("RGB").resize((256, 256))
    photo.save(has / "photo.jpg")
    mask = np.zeros((256, 256), np.uint8)
    mask[40:70, 95:130] = 255
    Image.fromarray(mask).save(has / "photo_mask.png")
    faces(has / "photos", [f"face {i}" for i in range(40)], 72)
    faces(has / "thumbnails128x128", [f"{i:05d}" for i in (*range(24), *range(60000, 60008))], 80)
    networks = load_file(ROOT / "tests/compatibility/stylegan2.safetensors")
    torch.save({name: value for name, value in networks.items() if name.startswith(("G.", "D."))}, has / "ffhq.pkl")
    for name in ("src", "experiments"):
        (has / name).symlink_to(ROOT / name)
    assert cli.run(["prepare", f"source={has / 'photos'}", f"out={has / 'mine'}"]) == 0
    return has


@pytest.fixture
def terminal(has, tmp_path, monkeypatch, request):
    """A terminal in a reader's folder, with prepared pictures if the page starts from them."""
    name, folder = request.node.callspec.id, tmp_path / "folder"
    folder.mkdir()
    for path in has.iterdir():
        if path.name not in ("mine", "mine.summary.json"):
            (folder / path.name).symlink_to(path)
    if name == "completing.md":  # where all pictures of a folder are completed
        (folder / "photos").unlink()
        (folder / "photos/masks").mkdir(parents=True)
        shutil.copy(has / "photo.jpg", folder / "photos/portrait.jpg")
        shutil.copy(has / "photo_mask.png", folder / "photos/masks/portrait.png")
    elif name not in ("README.md", "own_pictures.md"):
        shutil.copytree(has / "mine", folder / "data/mine")
    monkeypatch.setattr("ganfill.report.plot_style.DPI", 30)  # plots are drawn quickly
    monkeypatch.chdir(folder)
    terminal = Terminal(folder, monkeypatch)
    yield terminal
    terminal.close()


def runnable(block):
    return not block.reason and block.language not in SHOWN


@pytest.mark.parametrize("page", [page for page in PAGES if page.name not in ELSEWHERE], ids=lambda page: page.name)
def test_every_block_runs(page, terminal, blocks):
    for block in filter(runnable, blocks(page)):
        if block.mark.startswith("file: "):
            path = terminal.folder / block.mark.removeprefix("file: ")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(block.code)
        elif block.language == "python":
            exec(compile(block.code, str(block), "exec"), {"__name__": "__main__"})
        else:
            assert block.language in ("sh", "bash"), f"{block}: say by a comment what this {block.language} block is"
            code, printed = terminal.type(block.code)
            assert code == 0, f"{block}:\n{block.code}\n{printed}"


def test_most_blocks_run(blocks):
    assert sum(map(runnable, (block for page in PAGES for block in blocks(page)))) > 40


def test_blocks_that_are_not_run_say_why(blocks):
    left_out = [block for page in PAGES for block in blocks(page) if block.reason]
    print(*(f"{block}: {block.reason}" for block in left_out), sep="\n")
    assert all(block.reason.startswith(REASONS) for block in left_out)


def test_an_architecture_and_a_loss_take_less_than_thirty_lines(blocks):
    written = {
        block.mark: block.code for block in blocks(ROOT / "docs/extending.md") if block.mark.startswith("file: ")
    }
    assert {"file: mynets.py", "file: mylosses.py"} <= set(written)
    assert all(len(code.splitlines()) < 30 for code in written.values())


def test_files_that_the_pages_link_to_exist():
    for page in LINKED:
        for link in re.findall(r"\]\(([^)#:]+)\)", page.read_text()):
            assert (page.parent / link).exists(), f"{page.name} links to {link}"
