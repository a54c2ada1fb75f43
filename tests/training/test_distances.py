import csv
import json
import logging

import numpy as np
import pytest
import torch
from pytorch_lightning.loggers import CSVLogger
from torch import nn

from ganfill import seeding
from ganfill.errors import UserError
from ganfill.evaluation.distances import kernel
from ganfill.evaluation.features import load_networks
from ganfill.pixels import to_float, to_uint8
from ganfill.training.datamodule import SyntheticDataModule
from ganfill.training.distances import Distances, _kernel, draw, spread, thumbnails
from ganfill.training.export import to_model
from ganfill.training.fit import fit
from ganfill.training.rundir import read_checkpoint

CODE = '''
import torch
from torch import nn

class Colours(nn.Module):
    """Mean colours, times a weight; draws from the global generator and counts its calls, as a stranger's may."""
    def __init__(self, weights):
        super().__init__()
        self.layer = nn.Linear(3, 3, bias=False)
        self.load_state_dict(torch.load(weights))

    def forward(self, images):
        torch.rand(5)
        return self.layer(images.float().mean((2, 3)))
'''


@pytest.fixture
def words(tmp_path):
    """A feature network whose features are mean colours, and one of twice that."""
    (tmp_path / "net.py").write_text(CODE)
    for name, scale in (("one", 1.0), ("two", 2.0)):
        torch.save({"layer.weight": scale * torch.eye(3)}, tmp_path / f"{name}.pt")
    return [f"{name}={tmp_path / 'net.py'}:Colours:{tmp_path / name}.pt" for name in ("one", "two")]


@pytest.fixture
def train(make_gan):
    """Trains a tiny GAN on drawn faces, measured every 64 images unless ``every_kimg`` says otherwise."""

    def train(out, kimg, words=(), gan=None, every_kimg=0.064, n=16, loggers=(), pictures=40, minutes=None):
        gan = gan or make_gan()
        out.mkdir(parents=True, exist_ok=True)
        measuring = [] if every_kimg is None else [Distances(out, load_networks(words), every_kimg, n, kimg, minutes)]
        config = {
            "model": {
                "generator": {
                    "_target_": "ganfill.models.dcgan.Generator", "resolution": 32, "latent_dim": 16, "width": 8,
                },
                "discriminator": {"_target_": "ganfill.models.dcgan.Discriminator", "resolution": 32, "width": 8},
            },
            "latent": {"_target_": "ganfill.models.latent.Normal", "dim": 16},
            "resolution": 32, "terms": None, "data": {},
        }  # fmt: skip
        fit(
            gan,
            SyntheticDataModule(16, 32, n=pictures, mirror=True),
            out,
            kimg=kimg,
            minutes=minutes,
            device=torch.device("cpu"),
            precision="32-true",
            make_loggers=lambda: list(loggers),
            provenance={"config": config, "precision": "32-true", "commit": None, "versions": {}},
            checkpoint_kimg=0.128,
            callbacks=measuring,
        )
        return gan

    return train


def table(out, seconds=False):
    with (out / "distances.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    return rows if seconds else [{k: v for k, v in row.items() if k != "seconds"} for row in rows]


def same_state(a, b):
    a, b = (torch.load(path, weights_only=True) for path in (a, b))
    assert a.keys() == b.keys() and a["state_dict"].keys() == b["state_dict"].keys()
    assert a["callbacks"] == b["callbacks"] == {}
    moments = [
        [
            value
            for optimizer in c["optimizer_states"]
            for state in optimizer["state"].values()
            for value in state.values()
        ]
        for c in (a, b)
    ]
    assert all(map(torch.equal, *moments))
    return all(torch.equal(value, b["state_dict"][name]) for name, value in a["state_dict"].items())


def test_the_rows_hold_what_the_formula_says(tmp_path, train, words):
    """In one dimension the Frechet distance is (difference of means)^2 + (difference of deviations)^2."""
    (tmp_path / "net.py").write_text(
        CODE.replace("mean((2, 3))", "mean((1, 2, 3), keepdim=True)[:, 0, 0].expand(-1, 3)")
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


def test_the_training_is_the_same_with_and_without(tmp_path, train, words):
    train(tmp_path / "without", 0.256, every_kimg=None)
    train(tmp_path / "with", 0.256, words)
    assert same_state(tmp_path / "with/last.ckpt", tmp_path / "without/last.ckpt")


def test_measuring_leaves_global_random_numbers_alone(tmp_path, train, words, monkeypatch):
    same = []

    def watched(name):
        original = getattr(Distances, name)

        def call(self, *arguments):
            before = torch.get_rng_state()
            original(self, *arguments)
            same.append(torch.equal(before, torch.get_rng_state()))

        return call

    for name in ("on_train_start", "measure"):
        monkeypatch.setattr(Distances, name, watched(name))
    train(tmp_path / "out", 0.128, words)
    assert same == [True] * 3


def test_continued_in_parts_equals_one_go_and_every_row_stands_once(tmp_path, train, words):
    train(tmp_path / "whole", 0.512, words)
    for kimg in (0.256, 0.384):
        train(tmp_path / "parts", kimg, words)
    # As a kill between two checkpoints leaves it: a row that will be measured again, and half a row.
    with (tmp_path / "parts/distances.csv").open("a") as file:
        file.write("0.448,1,0,0,0,0,0\n0.51")
    train(tmp_path / "parts", 0.512, words)
    assert table(tmp_path / "parts") == table(tmp_path / "whole") and len(table(tmp_path / "whole")) == 8
    best = [read_checkpoint(tmp_path / name / "best.ckpt")["images_seen"] for name in ("parts", "whole")]
    assert best[0] == best[1]
    assert same_state(tmp_path / "parts/best.ckpt", tmp_path / "whole/best.ckpt")


def test_best_is_the_lowest_of_the_first_network_also_after_a_resume(tmp_path, train, monkeypatch, words):
    figures = iter([5.0, 3.0, 4.0, 3.5, 3.0, 2.0, 9.0])

    def row(self, gan):
        return dict.fromkeys(self.columns, 1.0) | {"kimg": gan.images_seen / 1000, self.names[0]: next(figures)}

    monkeypatch.setattr(Distances, "_row", row)

    def best():
        return read_checkpoint(tmp_path / "out/best.ckpt")["images_seen"]

    train(tmp_path / "out", 0.128, words)
    assert best() == 128
    train(tmp_path / "out", 0.256, words)
    assert best() == 128
    train(tmp_path / "out", 0.448, words)
    assert best() == 384
    assert [row["fd_one"] for row in table(tmp_path / "out")] == ["5.0", "3.0", "4.0", "3.5", "3.0", "2.0", "9.0"]


def test_best_is_exported_as_the_last_is(tmp_path, train):
    out = tmp_path / "out"
    gan = train(out, 0.128)
    last, best = (to_model(read_checkpoint(out / name)) for name in ("last.ckpt", "best.ckpt"))
    assert best.card.keys() == last.card.keys()
    assert last.card["kimg"] == 0.128 and best.card["kimg"] in (0.064, 0.128)
    assert all(map(torch.equal, last.generator.state_dict().values(), gan.generator_ema.state_dict().values()))


def test_without_a_network_thumbnails_judge(tmp_path, train):
    train(tmp_path / "out", 0.1, every_kimg=50)
    (row,) = table(tmp_path / "out")
    assert list(row) == ["kimg", "fd_pixels", "kd_pixels", "diversity"]
    assert row["kimg"] == "0.112" and float(row["fd_pixels"]) > 1  # the end is measured, whatever the interval


def test_nothing_is_measured_at_an_interval_of_zero(tmp_path, train):
    train(tmp_path / "out", 0.1, every_kimg=0)
    assert not (tmp_path / "out/distances.csv").exists() and not (tmp_path / "out/best.ckpt").exists()


def test_an_end_by_the_clock_is_measured(tmp_path, train):
    gan = train(tmp_path / "out", 1000, every_kimg=500, minutes=0.001)
    (row,) = table(tmp_path / "out")
    assert float(row["kimg"]) == gan.images_seen / 1000


def test_other_networks_or_numbers_begin_anew(tmp_path, train, words, caplog):
    out = tmp_path / "out"
    train(out, 0.128, words)
    floor = json.loads((out / "distances_floor.json").read_text())
    torch.save({"layer.weight": 3 * torch.eye(3)}, tmp_path / "one.pt")
    with caplog.at_level(logging.WARNING, "ganfill"):
        train(out, 0.256, words)
    assert [row["kimg"] for row in table(out)] == ["0.192", "0.256"]
    assert "begins anew" in caplog.text
    changed = json.loads((out / "distances_floor.json").read_text())
    assert changed["floor"]["fd_one"] == pytest.approx(9 * floor["floor"]["fd_one"], rel=1e-4)
    assert changed["floor"]["fd_two"] == floor["floor"]["fd_two"]


def test_samples_that_are_not_finite_are_told_and_cost_no_training(tmp_path, train, make_gan, caplog):
    class Spoilt(nn.Module):
        def forward(self, z):
            return torch.full((len(z), 3, 32, 32), float("nan"))

    gan = make_gan()
    sound = gan.generator_ema.forward
    gan.generator_ema.forward = lambda z: Spoilt()(z) if 100 < gan.images_seen < 200 else sound(z)
    with caplog.at_level(logging.WARNING, "ganfill"):
        train(tmp_path / "out", 0.256, gan=gan)
    told = [record.message for record in caplog.records if "distances" in record.message]
    assert told == [
        f"no distances at {kimg} kimg: the averaged generator draws pictures that are not finite"
        for kimg in (0.128, 0.192)
    ]
    assert [row["kimg"] for row in table(tmp_path / "out")] == ["0.064", "0.256"]


def test_too_few_pictures_are_refused(tmp_path, train):
    with pytest.raises(UserError, match=r"there are 3 training pictures.*fd_kimg=0"):
        train(tmp_path / "few", 0.1, pictures=3)
    train(tmp_path / "small", 0.1, pictures=7, n=16)
    assert json.loads((tmp_path / "small/distances_floor.json").read_text())["samples"] == 3
    with pytest.raises(UserError, match="fd_samples=1 is no number of pictures"):
        Distances(tmp_path, [], 1, 1, 1)


def test_loggers_get_the_rows_by_images_seen(tmp_path, train):
    logger = CSVLogger(tmp_path / "log")
    train(tmp_path / "out", 0.128, loggers=[logger])
    with next((tmp_path / "log").rglob("metrics.csv")).open(newline="") as file:
        logged = [row for row in csv.DictReader(file) if row["fd_pixels"]]
    assert [row["step"] for row in logged] == ["64", "128"]
    for name in ("fd_pixels", "kd_pixels", "diversity"):
        assert [float(row[name]) for row in logged] == [float(row[name]) for row in table(tmp_path / "out")]


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


def test_samples_are_in_order_and_do_not_change(make_gan):
    gan = make_gan()
    first = draw(gan, 70)
    assert first.shape == (70, 32, 32, 3) and first.dtype == np.uint8
    torch.rand(3)
    assert (draw(gan, 70) == first).all()
    z = gan.latent.sample(70, seeding.generator(0, "distances"))
    whole = to_uint8(gan.generator_ema(z)).numpy()
    assert np.abs(whole.astype(int) - first).max() <= 1


def test_spread_and_thumbnails_of_known_pictures():
    levels = np.array([10, 20, 90] * 50, np.uint8)
    pictures = np.broadcast_to(levels[:, None, None, None], (150, 16, 16, 3))
    assert spread(pictures) == pytest.approx(levels.std())
    assert spread(pictures[:1]) == 0
    random = np.random.default_rng(0).integers(0, 256, (5, 32, 32, 3), dtype=np.uint8)
    found = thumbnails(torch.from_numpy(random).permute(0, 3, 1, 2))
    blocks = to_float(torch.from_numpy(random)).reshape(5, 3, 8, 4, 8, 4).mean((3, 5)).flatten(1)
    torch.testing.assert_close(found, blocks)


def test_kernel_over_parts_is_the_mean_of_the_parts():
    random = np.random.default_rng(0)
    a, b = random.normal(size=(1500, 4)), random.normal(0.3, size=(1500, 4))
    assert _kernel(a[:900], b[:900]) == kernel(a[:900], b[:900])
    assert _kernel(a, b) == pytest.approx((kernel(a[:750], b[:750]) + kernel(a[750:], b[750:])) / 2)
