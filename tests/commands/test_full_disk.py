import errno
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ganfill import cli
from ganfill.data.unfinished import Progress, Unfinished
from ganfill.errors import explain
from ganfill.files import partial_path

pytestmark = pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")

RUN = Path(__file__).parents[1] / "compatibility/run"
TRAIN = ["data=synthetic", "data.n=40", "batch_size=16", "kimg=0.03", "device=cpu"]
GAN = [*TRAIN, "resolution=32", "latent.dim=8", "model.width=4", "fd_samples=4", "log_kimg=0.016"]
COMPLETE = [
    "complete",
    "photos",
    "mask=center",
    "model=MODEL",
    "device=cpu",
    "search=amos2016",
    "search.steps=2",
    "gif=true",
]
EVALUATE = ["evaluate", "data.path=STORE", "model=MODEL", "device=cpu", "n=2", "search=mean"]


def no_temporary_files(place):
    return not [path for path in place.rglob("*") if path.name.startswith((".partial-", ".lock"))]


@pytest.mark.parametrize(
    ("words", "files"),
    [
        (["train", *GAN], ["last.ckpt", "best.ckpt", "metrics.csv", "samples/kimg000000_ema.png", "summary.json"]),
        (["train-encoder", *TRAIN, "model=MODEL"], ["config.yaml", "model.safetensors"]),
        (["prepare", "photos", "resolution=32"], ["index.json", "summary.json"]),
        (COMPLETE, ["a.png", "a_strip.png", "a.gif", "results.json", "summary.json"]),
        (EVALUATE, ["table.csv", "report.html", "sheets/center.png", "summary.json"]),
        ([*EVALUATE, "generator=true", "samples=8"], ["generator.csv", "sheets/samples.png"]),
        (["generate", "model=MODEL", "n=2", "device=cpu"], ["0001.png", "sheet.png", "summary.json"]),
        (["publish", "model=MODEL", "repo=me/faces", "terms=mine", "upload=false"], ["model.safetensors", "README.md"]),
        (["leaderboard", str(RUN.parent)], ["leaderboard.csv", "leaderboard.html", "leaderboard_losses.png"]),
    ],
    ids=lambda value: value[0],
)
def test_on_a_full_disk_one_line_is_said_and_the_same_command_continues(
    words, files, tmp_path, model_path, store_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photos").mkdir()
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (40, 40, 3), np.uint8)).save("photos/a.png")
    words = [word.replace("MODEL", str(model_path)).replace("STORE", str(store_path)) for word in [*words, "out=out"]]
    for name in files:
        file = Path("out", name)
        file.parent.mkdir(parents=True, exist_ok=True)
        partial_path(file).symlink_to("/dev/full")
        assert cli.run(words) == 2
        said = capsys.readouterr().err
        assert f"ganfill: {file}: no space left on device; free some space; the same command again continues\n" in said
        assert "Traceback" not in said and no_temporary_files(tmp_path / "out"), name
    assert cli.run(words) < 2
    assert all(Path("out", name).is_file() for name in files)


@pytest.mark.parametrize(
    "words", [["export", str(RUN), "out=out/a.safetensors"], ["report", str(RUN), "out=out/a.html"]]
)
def test_a_single_file_on_a_full_disk(words, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    file = Path(words[-1].removeprefix("out="))
    file.parent.mkdir()
    partial_path(file).symlink_to("/dev/full")
    assert cli.run(words) == 2
    assert f"ganfill: {file}: no space left on device" in capsys.readouterr().err and not [*file.parent.iterdir()]
    assert cli.run(words) == 0


def test_a_store_on_a_full_disk(tmp_path):
    unfinished = Unfinished(tmp_path / "out", {}, 32)
    unfinished.add(np.zeros((1, 32, 32, 3), np.uint8), Progress(1, [(0, "0")]))
    unfinished._images.close()
    unfinished._images = Path("/dev/full").open("wb")  # noqa: SIM115
    with pytest.raises(OSError, match=r"No space left on device: '.*\.partial/images\.npy'"):
        unfinished.add(np.zeros((1, 32, 32, 3), np.uint8), Progress(2, [(1, "1")]))
    with pytest.raises(OSError, match=r"No space left on device: '.*\.partial'"):
        unfinished.close()
    assert unfinished._journal.closed
    with Unfinished(tmp_path / "out", {}, 32) as again:
        assert again.progress.position == 1


@pytest.mark.parametrize(
    "number", [errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.ENAMETOOLONG, errno.EIO, errno.EFBIG]
)
def test_every_error_of_the_system_is_one_line(number, tmp_path, monkeypatch, capsys):
    error = OSError(number, os.strerror(number), "out/a.png")

    def fail(*words):
        raise error

    monkeypatch.setattr("ganfill.cli.load", lambda command: fail)
    assert cli.run(["prepare", "source=.", "out=out"]) == 2
    assert capsys.readouterr().err == f"ganfill: {explain(error)}\n"
    assert explain(error).startswith(f"out/a.png: {os.strerror(number).lower()}; ")
