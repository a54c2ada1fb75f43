import csv
import json

import pytest
import yaml
from PIL import Image

CONFIG = {
    "data": {"_target_": "ganfill.training.datamodule.FFHQDataModule", "path": "data/faces"},
    "model": {
        "generator": {"_target_": "ganfill.models.dcgan.Generator", "width": 8},
        "discriminator": {"_target_": "ganfill.models.dcgan_plus.Discriminator", "width": 8},
    },
    "loss": {"_target_": "ganfill.adversarial.losses.Relativistic"},
    "regularizer": {},
    "kimg": 40,
    "resolution": 8,
    "seed": 3,
    "terms": "<b>Only & you</b>",
}
VERSIONS = {"python": "3.11.7", "torch": "2.14.1"}


def _write(path, header, rows):
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([header, *rows])


@pytest.fixture
def training(tmp_path):
    """Makes the run directory of a training of 40 kimg: ``training(name, end=40)``; it is finished if ``end`` is 40."""

    def training(name="first", end=40):
        run = tmp_path / name
        (run / "samples").mkdir(parents=True)
        (run / "completions").mkdir()
        (run / "config.yaml").write_text(yaml.safe_dump(CONFIG | {"out": str(run)}))
        (run / "last.ckpt").touch()
        header = "kimg loss_d loss_g logit_real logit_fake gradient_d gradient_g penalty seconds images_per_second"
        rows = [[k, 1 / k, k, 2, -2, 5, 3, 0.1, 8 * k, 125] for k in range(1, end + 1)]
        _write(run / "metrics.csv", header.split(), rows)
        steps = range(10, end + 1, 10)
        rows = [[k, 8 * k, 40 + (k - 20) ** 2 / 100, 0.5, 0.75] for k in steps]
        _write(run / "distances.csv", ["kimg", "seconds", "fd_face", "kd_face", "diversity"], rows)
        floor = {"samples": 100, "floor": {"fd_face": 0.875, "kd_face": -0.001}}
        (run / "distances_floor.json").write_text(json.dumps(floor))
        rows = [[k, f"face/{i}", 15 + k / 10 + 2 * i, 30, 0.1] for k in steps for i in range(2)]
        _write(run / "completions.csv", ["kimg", "picture", "psnr_hole", "l1_hole", "score"], rows)
        for k in (0, *steps):
            for kind, shade in (("ema", k), ("raw", 200 - k)):
                Image.new("RGB", (42, 22), (shade, 0, 0)).save(run / f"samples/kimg{k:06d}_{kind}.png")
            Image.new("RGB", (30, 20), (0, k, 0)).save(run / f"completions/kimg{k:06d}.png")
        if end == 40:
            figures = {"kimg": 40, "parameters_generator": 1234567, "device": "Some GPU", "processes": 2}
            summary = {
                "command": "train",
                "figures": figures,
                "seconds": 7305.3,
                "versions": VERSIONS,
                "commit": "abc1",
            }
            (run / "summary.json").write_text(json.dumps(summary))
        return run

    return training
