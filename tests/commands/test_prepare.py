import json
import logging

import numpy as np
import pytest
from PIL import Image

from ganfill import cli
from ganfill.commands.prepare import RESOLUTIONS
from ganfill.models import layers


@pytest.fixture
def folder(tmp_path):
    """A picture to train on, two to test, one of them grey, a duplicate, two texts and an empty file."""
    folder = tmp_path / "meine Bilder"
    folder.mkdir()
    for seed, name in enumerate(["00000", "60000", "60001"]):
        picture = Image.fromarray(np.random.default_rng(seed).integers(0, 256, (20, 30, 3), np.uint8))
        (picture.convert("L") if name == "60001" else picture).save(folder / f"{name}.png")
    (folder / "00001.png").write_bytes((folder / "00000.png").read_bytes())
    for name, text in {"00002.png": "text", "00003.png": "text", "00004.png": ""}.items():
        (folder / name).write_text(text)
    return folder


def summary(out):
    return json.loads((out / "summary.json").read_text(encoding="utf-8"))


def test_the_summary_counts_pictures_and_reasons(folder, tmp_path, capsys, caplog):
    out = tmp_path / "out"
    assert cli.run(["prepare", f"source={folder}", f"out={out}", "resolution=8"]) == 0
    assert capsys.readouterr().out.strip() == str(out)
    figures = summary(out)["figures"]
    assert len(figures.pop("digest")) == 64
    skipped = {"duplicate": 1, "not a picture": 2, "empty": 1}
    assert figures == {"train": 1, "test": 2, "skipped": skipped, "converted": {"grey": 1}}
    assert summary(out)["command"] == "prepare" and summary(out)["seconds"] > 0 and summary(out)["versions"]["pillow"]
    config = {"source": str(folder), "out": str(out), "resolution": 8, "limit": None, "crop": "center", "split": "auto"}
    assert summary(out)["config"] == config
    assert "skipped meine Bilder/00004.png: empty" in caplog.text
    assert "1 pictures to train on, 2 to test, 4 files skipped, 1 converted" in caplog.text


def test_many_skipped_files_are_counted_not_listed(folder, tmp_path, caplog):
    for number in range(100, 112):
        (folder / f"{number:05}.png").touch()
    assert cli.run(["prepare", f"source={folder}", f"out={tmp_path / 'out'}", "resolution=8"]) == 0
    assert caplog.text.count("skipped meine Bilder/") == 10
    assert f"... and 6 more, listed in {tmp_path / 'out' / 'index.json'}" in caplog.text


def test_paths_need_no_key_and_commas_separate_sources(folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "b").mkdir()
    Image.new("RGB", (9, 9), "red").save(tmp_path / "b" / "00005.png")
    for number, words in enumerate([["meine Bilder", "b"], ["source=meine Bilder,b"], [f"source=[{folder},b]"]]):
        assert cli.run(["prepare", *words, f"out={number}", "resolution=8"]) == 0
        index = json.loads((tmp_path / str(number) / "index.json").read_text())
        assert [source["name"] for source in index["source"]] == ["meine Bilder", "b"]
    assert cli.run(["prepare", "b", "out=single", "resolution=8"]) == 0
    assert summary(tmp_path / "single")["figures"]["train"] == 1


def test_the_same_command_again_changes_nothing_and_another_is_refused(folder, tmp_path, capsys):
    out = tmp_path / "out"
    words = ["prepare", f"source={folder}", f"out={out}", "resolution=8", "crop=2,3,12,13", "split=test"]
    assert cli.run(words) == 0
    before = {name: (out / name).read_bytes() for name in ("images.npy", "index.json")}
    assert cli.run(words) == 0
    assert summary(out)["figures"]["test"] == 3
    assert cli.run([*words, "split=hash", "limit=1"]) == 2
    assert f"ganfill: {out} was prepared with another split, limit: give another out" in capsys.readouterr().err
    assert {name: (out / name).read_bytes() for name in before} == before


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("source=nowhere", "source=nowhere does not exist: give a folder of pictures or a zip file"),
        ("resolution=large", "resolution must be a whole number from 1, got large"),
        ("resolution=8.5", "resolution must be a whole number from 1, got 8.5"),
        ("resolution=2", "give a resolution from 4 to 2048"),
        ("limit=many", "limit must be a whole number from 1 or null, got many"),
        ("limit=0", "limit must be a whole number from 1 or null, got 0"),
        ("crop=middle", "crop=middle is not known: use center, none or a box"),
        ("crop=0,0,10,20", "is not a square box"),
        ("crop=7", "is not known"),
        ("split=validation", "split=validation is not known"),
        ("colour=red", "colour is not a key of ganfill prepare"),
    ],
)
def test_mistakes_end_with_one_line_and_exit_code_2(folder, tmp_path, capsys, word, message):
    assert cli.run(["prepare", f"source={folder}", f"out={tmp_path / 'out'}", word]) == 2
    error = capsys.readouterr().err.strip()
    assert error.startswith("ganfill: ") and message in error and "\n" not in error
    assert not (tmp_path / "out").exists()


def test_a_source_without_pictures_ends_with_exit_code_2(tmp_path, capsys, caplog):
    caplog.set_level(logging.WARNING)
    (tmp_path / "empty").mkdir()
    assert cli.run(["prepare", str(tmp_path / "empty"), f"out={tmp_path / 'out'}"]) == 2
    assert "contains no usable picture (there are no files)" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_the_source_is_not_the_output(folder, capsys):
    assert cli.run(["prepare", str(folder), f"out={folder}"]) == 2
    assert f"out={folder} is source={folder}: give another out for the image store\n" in capsys.readouterr().err


def test_the_keys_that_are_needed_are_named(capsys):
    assert cli.run(["prepare"]) == 2
    assert "prepare needs source=..., out=..." in capsys.readouterr().err


def test_an_output_may_be_called_by_a_number(folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert cli.run(["prepare", f"source={folder}", "out=2026", "resolution=8"]) == 0
    assert (tmp_path / "2026" / "images.npy").exists()


def test_resolutions_are_those_of_the_architectures():
    assert RESOLUTIONS == layers.RESOLUTIONS


def test_a_resolution_that_no_network_of_ganfill_takes_is_doubted(folder, tmp_path, caplog):
    assert cli.run(["prepare", f"source={folder}", f"out={tmp_path / 'out'}", "resolution=100"]) == 0
    assert "resolution=100 suits only networks of your own" in caplog.text and "resolution=128" in caplog.text
