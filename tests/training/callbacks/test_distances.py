import csv
import json
import logging

import numpy as np
import pytest
import torch
from pytorch_lightning.loggers import CSVLogger

from ganfill import seeding
from ganfill.errors import UserError
from ganfill.images.pixels import to_uint8
from ganfill.metrics.distances import kernel
from ganfill.metrics.diversity import spread
from ganfill.training.callbacks.distances import Distances, _kernel
from ganfill.training.datamodule import SyntheticDataModule
from ganfill.training.export import to_model
from ganfill.training.run_directory import read_checkpoint


@pytest.fixture
def train(train_measured):
    return train_measured


def test_the_rows_hold_what_the_formula_says(tmp_path, train, words, table):
    """In one dimension the Frechet distance is (difference of means)^2 + (difference of deviations)^2."""
    (tmp_path / "net.py").write_text(
        (tmp_path / "net.py")
        .read_text()
        .replace("mean((2, 3))", "mean((1, 2, 3), keepdim=True)[:, 0, 0].expand(-1, 3)")
    )
    torch.save({"layer.weight": torch.tensor([[1.0, 0, 0]] + [[0.0, 0, 0]] * 2)}, tmp_path / "one.pt")
    out = tmp_path / "out"
    gan = train(out, 0.256, words)
    rows = table(out, seconds=True)
    assert [row["kimg"] for row in rows] == ["0.064", "0.128", "0.192", "0.256"]
    assert list(rows[0]) == ["kimg", "seconds", "fd_one", "kd_one", "fd_two", "kd_two", "diversity"]

    data = SyntheticDataModule(16, 32, n=40)
    data.setup()
    order = torch.randperm(40, generator=seeding.generator(0, "distances, real")).numpy()
    real, others = (data.pictures[order[a:b]].astype(float) for a, b in ((0, 16), (16, 32)))
    z = gan.latent.sample(16, seeding.generator(0, "distances"), gan.device)
    fake = to_uint8(gan.generator_ema(z)).numpy().astype(float)
    a, b, c = (pictures.mean((1, 2, 3)) for pictures in (real, others, fake))

    def distance(a, b):
        return (a.mean() - b.mean()) ** 2 + (a.std(ddof=1) - b.std(ddof=1)) ** 2

    assert float(rows[-1]["fd_one"]) == pytest.approx(distance(a, c), rel=1e-4)
    assert float(rows[-1]["diversity"]) == pytest.approx(fake.std(0).mean() / real.std(0).mean(), rel=1e-4)
    floor = json.loads((out / "distances_floor.json").read_text())
    assert floor["samples"] == 16 and floor["floor"]["fd_one"] == pytest.approx(distance(a, b), rel=1e-4)
    assert list(floor["floor"]) == ["fd_one", "kd_one", "fd_two", "kd_two"]
    seconds = [float(row["seconds"]) for row in rows]
    assert 0 < seconds[0] < seconds[-1] < gan.seconds


def test_measuring_leaves_global_random_numbers_alone(tmp_path, train, words, monkeypatch):
    same = []

    def watched(name):
        original = getattr(Distances, name)

        def call(self, *arguments):
            before = torch.get_rng_state()
            original(self, *arguments)
            same.append(torch.equal(before, torch.get_rng_state()))

        return call

    for name in ("on_train_start", "act"):
        monkeypatch.setattr(Distances, name, watched(name))
    train(tmp_path / "out", 0.128, words)
    assert same == [True] * 3


def test_best_is_exported_as_the_last_is(tmp_path, train):
    out = tmp_path / "out"
    gan = train(out, 0.128)
    last, best = (to_model(read_checkpoint(out / name)) for name in ("last.ckpt", "best.ckpt"))
    assert best.card.keys() == last.card.keys()
    assert last.card["kimg"] == 0.128 and best.card["kimg"] in (0.064, 0.128)
    assert all(map(torch.equal, last.generator.state_dict().values(), gan.generator_ema.state_dict().values()))


def test_without_a_network_built_in_features_choose(tmp_path, train, table, caplog):
    train(tmp_path / "out", 0.1, every_kimg=50)
    (row,) = table(tmp_path / "out")
    assert list(row) == ["kimg", "fd_pyramid", "kd_pyramid", "diversity"]
    assert row["kimg"] == "0.112" and float(row["fd_pyramid"]) > 1  # the end is measured, whatever the interval
    (message,) = (record.message for record in caplog.records if "best.ckpt" in record.message)
    assert message.startswith(f"best.ckpt has the lowest fd_pyramid ({float(row['fd_pyramid']):g}): built-in features")


def test_nothing_is_measured_at_an_interval_of_zero(tmp_path, train):
    train(tmp_path / "out", 0.1, every_kimg=0)
    assert not (tmp_path / "out/distances.csv").exists() and not (tmp_path / "out/best.ckpt").exists()


def test_an_end_by_the_clock_is_measured(tmp_path, train, table):
    gan = train(tmp_path / "out", 1000, every_kimg=500, minutes=0.001)
    (row,) = table(tmp_path / "out")
    assert float(row["kimg"]) == gan.images_seen / 1000


def test_samples_that_are_not_finite_cause_a_warning_and_cost_no_training(tmp_path, train, spoilt_gan, caplog, table):
    with caplog.at_level(logging.WARNING, "ganfill"):
        train(tmp_path / "out", 0.256, gan=spoilt_gan)
    warnings = [record.message for record in caplog.records if "distances" in record.message]
    assert warnings == [
        f"no distances at {kimg} kimg: the generator draws pictures that are not finite: train it anew with lower "
        "learning rates"
        for kimg in (0.128, 0.192)
    ]
    assert [row["kimg"] for row in table(tmp_path / "out")] == ["0.064", "0.256"]


def test_too_few_pictures_are_refused(tmp_path, train):
    with pytest.raises(UserError, match=r"there are 3 training pictures.*fd_kimg=0"):
        train(tmp_path / "few", 0.1, pictures=3)
    train(tmp_path / "small", 0.1, pictures=7, n=16)
    assert json.loads((tmp_path / "small/distances_floor.json").read_text())["samples"] == 3
    with pytest.raises(UserError, match="fd_samples must be at least 2, got 1"):
        Distances(tmp_path, 1, 1, n=1)


def test_loggers_get_the_rows_by_images_seen(tmp_path, train, table):
    logger = CSVLogger(tmp_path / "log")
    train(tmp_path / "out", 0.128, loggers=[logger])
    with next((tmp_path / "log").rglob("metrics.csv")).open(newline="") as file:
        logged = [row for row in csv.DictReader(file) if row["distances/fd_pyramid"]]
    assert [row["step"] for row in logged] == ["64", "128"]
    for name in ("fd_pyramid", "kd_pyramid", "diversity"):
        assert [float(row[f"distances/{name}"]) for row in logged] == [
            float(row[name]) for row in table(tmp_path / "out")
        ]


def test_measuring_is_not_training_time(tmp_path, train, monkeypatch):
    original, clock = Distances._row, []

    def row(self, gan):
        before = gan.seconds
        found = original(self, gan)
        clock.append(gan.seconds - before)
        return found

    monkeypatch.setattr(Distances, "_row", row)
    train(tmp_path / "out", 0.128)
    assert clock == [0.0, 0.0]


def test_spread_of_known_pictures():
    levels = np.array([10, 20, 90] * 50, np.uint8)
    pictures = np.broadcast_to(levels[:, None, None, None], (150, 16, 16, 3))
    assert spread(pictures) == pytest.approx(levels.std())
    assert spread(pictures[:1]) == 0


def test_kernel_over_parts_is_the_mean_of_the_parts():
    random = np.random.default_rng(0)
    a, b = random.normal(size=(1500, 4)), random.normal(0.3, size=(1500, 4))
    assert _kernel(a[:900], b[:900]) == kernel(a[:900], b[:900])
    assert _kernel(a, b) == pytest.approx((kernel(a[:750], b[:750]) + kernel(a[750:], b[750:])) / 2)
