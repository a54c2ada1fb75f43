"""What completing faces while training writes; and that the training is the one it would be without."""

import csv
import logging

import numpy as np
import pytest
import torch
from PIL import Image
from pytorch_lightning.loggers import CSVLogger

from ganfill.images.blend import Paste
from ganfill.search.presets import from_pool
from ganfill.training.callbacks import completions
from ganfill.training.callbacks.completions import Completions
from ganfill.training.datamodule import SyntheticDataModule


@pytest.fixture(autouse=True)
def short(monkeypatch):
    """A search of a few steps."""
    monkeypatch.setattr(completions, "SEARCH", from_pool(steps=8, starts=2, pool=16, cut_steps=0, blend=Paste()))


@pytest.fixture
def grow(train):
    """Trains with completions every 128 images."""

    def grow(out, kimg, every_kimg=0.128, minutes=None, **options):
        callbacks = [Completions(out, every_kimg, kimg, minutes)]
        return train(out, kimg, callbacks=callbacks, sample_kimg=0, minutes=minutes, **options)[0]

    return grow


def rows(out):
    with (out / "completions.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def hole(side=32):
    missing = np.zeros((side, side), bool)
    missing[side // 4 : side * 3 // 4, side // 4 : side * 3 // 4] = True
    return missing


def test_rows_and_sheet_hold_what_the_generator_shows(tmp_path, grow):
    gan = grow(tmp_path, 0.256)
    found = rows(tmp_path)
    assert list(found[0]) == ["kimg", "picture", "psnr_hole", "l1_hole", "score"]
    names = [f"drawn/{i}" for i in range(4)]
    assert [(row["kimg"], row["picture"]) for row in found] == [
        (kimg, name) for kimg in ("0.0", "0.128", "0.256") for name in names
    ]
    truth, missing = SyntheticDataModule(16, 32).held_out(4).images, hole()
    for picture, result, row in zip(
        truth, completions.complete(gan, truth, np.stack([missing] * 4)), found[-4:], strict=True
    ):
        best = result.pictures[0]
        assert len(result.pictures) == 2 and (best[~missing] == picture[~missing]).all()
        errors = best[missing].astype(float) - picture[missing]
        assert float(row["psnr_hole"]) == pytest.approx(10 * np.log10(255**2 / np.square(errors).mean()), rel=1e-5)
        assert float(row["l1_hole"]) == pytest.approx(np.abs(errors).mean(), rel=1e-5)
        assert float(row["score"]) == pytest.approx(result.scores[0], rel=1e-5)
    assert [path.name for path in (tmp_path / "completions").iterdir()] == ["kimg000000.png"]
    with Image.open(tmp_path / "completions/kimg000000.png") as sheet:
        pixels = np.asarray(sheet)
    original, damaged, completed = (
        pixels[30 + 2 : 30 + 128 : 4, 8 + 136 * i + 2 : 136 * (i + 1) : 4] for i in range(3)
    )
    assert (original == truth[0]).all() and (damaged[missing] == 128).all()
    assert (damaged[~missing] == truth[0][~missing]).all() and (completed[~missing] == truth[0][~missing]).all()
    assert (completed[missing] != truth[0][missing]).any()


def state(out):
    checkpoint = torch.load(out / "last.ckpt", weights_only=True)
    assert checkpoint["callbacks"] == {}
    return [checkpoint["state_dict"], *(optimizer["state"] for optimizer in checkpoint["optimizer_states"])]


def test_the_training_is_the_same_with_and_without_and_twice(tmp_path, grow):
    for name, every in (("without", 0), ("with", 0.064), ("again", 0.064)):
        grow(tmp_path / name, 0.256, every)
    torch.testing.assert_close(state(tmp_path / "with"), state(tmp_path / "without"), rtol=0, atol=0)
    assert {path.name for path in (tmp_path / "without").iterdir()} == {"last.ckpt", "metrics.csv"}
    for name in ("completions.csv", "completions/kimg000000.png"):
        assert (tmp_path / "with" / name).read_bytes() == (tmp_path / "again" / name).read_bytes()


def test_global_random_numbers_and_the_clock_are_left_alone(tmp_path, grow, monkeypatch, make_gan):
    same, clock, original, gan = [], [], Completions.act, make_gan()

    def act(self, trainer, module):
        before, seconds = torch.get_rng_state(), gan.seconds
        original(self, trainer, module)
        same.append(torch.equal(before, torch.get_rng_state()))
        clock.append(gan.seconds - seconds)

    forward = gan.generator_ema.forward
    gan.generator_ema.forward = lambda z: (torch.rand(3), forward(z))[1]  # a stranger's may draw
    monkeypatch.setattr(Completions, "act", act)
    grow(tmp_path, 0.128, gan=gan)
    assert same == [True] * 2 and clock == [0.0] * 2


def test_continued_in_parts_equals_one_go_and_every_row_stands_once(tmp_path, grow):
    grow(tmp_path / "whole", 0.512)
    parts = tmp_path / "parts"
    parts.mkdir()
    # As a kill before the first checkpoint leaves it.
    (parts / "completions.csv").write_text("kimg,picture,psnr_hole,l1_hole,score\n0.0,drawn/0,1,2,3\n0.0,dra")
    for kimg in (0.256, 0.384):
        grow(parts, kimg)
    # And between two checkpoints.
    with (parts / "completions.csv").open("a") as file:
        file.write("0.512,drawn/0,1,2,3\n0.51")
    grow(parts, 0.512)
    assert len(rows(parts)) == 5 * 4
    for name in ("completions.csv", "completions/kimg000000.png"):
        assert (parts / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


def test_a_training_that_had_none_gets_them_when_it_continues(tmp_path, grow):
    grow(tmp_path, 0.128, every_kimg=0)
    grow(tmp_path, 0.256, every_kimg=0.5)
    assert [row["kimg"] for row in rows(tmp_path)[::4]] == ["0.128", "0.256"]  # where it continues, and the end


@pytest.mark.parametrize("every_kimg", [0, 0.5])
def test_sheets_of_a_deleted_training_are_deleted_too(tmp_path, grow, every_kimg):
    (tmp_path / "completions").mkdir()
    for kimg in (0, 40):
        (tmp_path / f"completions/kimg{kimg:06d}.png").write_text("of a deleted training")
    grow(tmp_path, 0.1, every_kimg)
    sheets = list((tmp_path / "completions").iterdir())
    assert [path.name for path in sheets] == ["kimg000000.png"] * bool(every_kimg)
    assert all(b"deleted" not in path.read_bytes() for path in sheets)


def test_an_end_by_the_clock_has_its_rows(tmp_path, grow):
    gan = grow(tmp_path, 1000, every_kimg=500, minutes=0.001)
    assert [float(row["kimg"]) for row in rows(tmp_path)[::4]] == [0, gan.images_seen / 1000]


def test_without_held_out_pictures_one_line_and_no_files(tmp_path, grow, monkeypatch, caplog):
    monkeypatch.setattr(SyntheticDataModule, "held_out", lambda self, n: None)
    with caplog.at_level(logging.WARNING, "ganfill"):
        grow(tmp_path, 0.128)
    assert caplog.text.count("has no pictures that are not trained on") == 1
    assert {path.name for path in tmp_path.iterdir()} == {"last.ckpt", "metrics.csv"}


def test_a_generator_that_is_not_finite_costs_no_training(tmp_path, grow, spoilt_gan, caplog):
    with caplog.at_level(logging.WARNING, "ganfill"):
        grow(tmp_path, 0.256, gan=spoilt_gan)
    assert "no completions at 0.128 kimg: the averaged generator draws pictures that are not finite" in caplog.text
    assert [row["kimg"] for row in rows(tmp_path)[::4]] == ["0.0", "0.256"]


def test_loggers_get_the_means(tmp_path, grow):
    logger = CSVLogger(tmp_path / "log")
    grow(tmp_path / "out", 0.128, loggers=[logger])
    with next((tmp_path / "log").rglob("metrics.csv")).open(newline="") as file:
        logged = [row for row in csv.DictReader(file) if row["completions/psnr_hole"]]
    found = rows(tmp_path / "out")
    for name in ("psnr_hole", "l1_hole", "score"):
        means = [np.mean([float(row[name]) for row in found[i : i + 4]]) for i in (0, 4)]
        assert [float(row[f"completions/{name}"]) for row in logged] == pytest.approx(means, rel=1e-5)
