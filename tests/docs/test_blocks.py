"""Every code block of the README, of docs/ and of CONTRIBUTING.md runs.

The blocks of a page run one after another in a folder that holds what the reader has. A comment before a block marks a file
that the reader writes, ``<!-- file: PATH -->``, or a block that cannot run, ``<!-- not run: REASON -->``.
"""

import re
import shutil

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from ganfill import cli
from ganfill.data.synthetic import draw_faces
from tests.docs.terminal import ROOT, Terminal

PAGES = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "docs/api/index.md")]
PAGES += sorted((ROOT / "docs").glob("*.md"))
LINKED = [*PAGES, ROOT / "CHANGELOG.md", ROOT / "experiments/README.md"]
ELSEWHERE = ("http_api.md",)  # talks to a server: see test_http_api_blocks.py
SHOWN = ("text", "bibtex")  # languages of what is to be read, not run
REASONS = ("a cluster", "several GPUs", "make", "torchrun", "a network", "many trainings")  # for not running a block


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
    (has / "scans/masks").mkdir(parents=True)
    shutil.copy(has / "photo.jpg", has / "scans/portrait.jpg")
    shutil.copy(has / "photo_mask.png", has / "scans/masks/portrait.png")
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
