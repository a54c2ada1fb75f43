import csv
import hashlib
import random
import signal
import tempfile
import time
from contextlib import nullcontext

import pytest
import pytorch_lightning as pl
import torch
import yaml
from pytorch_lightning.loggers import CSVLogger

import ganfill.training.fit
from ganfill.errors import UserError
from ganfill.training.encoder_module import EncoderTraining
from ganfill.training.gan import GAN
from ganfill.training.loggers import key
from ganfill.training.run_directory import read_checkpoint
from tests.processes import Process


def state_digest(path):
    """Over weights, average, buffers, both optimizers and the clock."""
    checkpoint = torch.load(path, weights_only=True)
    digest = hashlib.sha256(str(checkpoint["images_seen"]).encode())
    tensors = list(checkpoint["state_dict"].values())
    for optimizer in checkpoint["optimizer_states"]:
        tensors += [value for state in optimizer["state"].values() for value in state.values()]
    for tensor in tensors:
        digest.update(tensor.contiguous().numpy().tobytes())
    return digest.hexdigest()


def rows(path):
    """Rows of metrics.csv without the speed, which no two trainings share."""
    with path.open(newline="") as file:
        return [row[:-2] for row in csv.reader(file)]


def test_a_training_leaves_checkpoint_metrics_and_samples(tmp_path, train):
    gan, trained = train(tmp_path, 0.25)
    assert trained and gan.images_seen == 256
    assert read_checkpoint(tmp_path / "last.ckpt")["images_seen"] == 256
    kimg = [row[0] for row in rows(tmp_path / "metrics.csv")]
    assert kimg == ["kimg", "0.064", "0.128", "0.192", "0.256"]
    names = {path.name for path in (tmp_path / "samples").iterdir()}
    assert {"kimg000000_ema.png", "kimg000000_raw.png"} <= names
    assert gan.mean_picture.abs().max() > 0
    assert all(torch.isfinite(p).all() for p in gan.parameters())


def test_continued_in_parts_equals_one_go(tmp_path, train):
    train(tmp_path / "whole", 0.4)
    for kimg in (0.1, 0.3, 0.4):
        train(tmp_path / "parts", kimg)
    assert state_digest(tmp_path / "parts/last.ckpt") == state_digest(tmp_path / "whole/last.ckpt")


def test_checkpoints_need_no_room_in_the_systems_temporary_directory(tmp_path, train, monkeypatch):
    monkeypatch.setattr(tempfile, "mkstemp", lambda *_, **__: pytest.fail("a checkpoint went through a temporary file"))
    train(tmp_path, 0.1)
    assert {path.name for path in tmp_path.iterdir()} == {"last.ckpt", "metrics.csv", "samples"}


def test_metrics_with_other_columns_are_kept_when_a_training_is_resumed(tmp_path, train, caplog):
    train(tmp_path, 0.1)
    metrics = tmp_path / "metrics.csv"
    old = metrics.read_text().replace("gradient_d", "norm_d")
    metrics.write_text(old)
    train(tmp_path, 0.2)
    assert (tmp_path / "metrics.old.csv").read_text() == old
    assert [row[0] for row in rows(metrics)] == ["kimg", "0.128", "0.192"]
    assert caplog.text.count("metrics.csv begins anew: its columns were kimg, loss_d") == 1


def test_finished_training_is_left_alone(tmp_path, train):
    train(tmp_path, 0.1)
    before = (tmp_path / "last.ckpt").stat().st_mtime_ns
    _, trained = train(tmp_path, 0.1)
    assert not trained
    assert (tmp_path / "last.ckpt").stat().st_mtime_ns == before


def test_other_pictures_are_refused(tmp_path, train):
    train(tmp_path, 0.1)
    checkpoint = torch.load(tmp_path / "last.ckpt", weights_only=True)
    checkpoint["ganfill"]["data_digest"] = "other"
    torch.save(checkpoint, tmp_path / "last.ckpt")
    with pytest.raises(UserError, match="other pictures"):
        train(tmp_path, 0.2)


@pytest.mark.parametrize("content", [b"", b"not a checkpoint", "half"])
def test_damaged_checkpoint_is_named(tmp_path, train, content):
    train(tmp_path, 0.1)
    last = tmp_path / "last.ckpt"
    last.write_bytes(last.read_bytes()[: last.stat().st_size // 2] if content == "half" else content)
    with pytest.raises(UserError, match=r"last\.ckpt is not a readable checkpoint"):
        train(tmp_path, 0.2)


def test_non_finite_loss_stops_and_keeps_the_last_good_checkpoint(tmp_path, train, make_gan):
    train(tmp_path, 0.2)
    before = (tmp_path / "last.ckpt").read_bytes()
    gan = make_gan()
    real_loss = gan.loss.discriminator
    gan.loss.discriminator = lambda real, fake: real_loss(real, fake) * (float("inf") if gan.images_seen > 230 else 1)
    with pytest.raises(UserError, match=r"NaN or infinite before 0\.\d+ kimg; the checkpoint of 0\.2\d* kimg is kept"):
        train(tmp_path, 0.6, gan)
    assert (tmp_path / "last.ckpt").read_bytes() == before


def test_a_non_finite_loss_at_the_start_promises_no_checkpoint(tmp_path, train, make_gan):
    gan = make_gan()
    gan.loss.discriminator = lambda real, fake: real.sum() * float("inf")
    with pytest.raises(UserError, match="nothing was saved before"):
        train(tmp_path, 0.6, gan)


class Ends(pl.Callback):
    """Ends a training at its third step, by an error."""

    def __init__(self, error):
        self.error = error

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        if pl_module.images_seen == 48:
            raise self.error


@pytest.mark.parametrize(
    ("error", "code"), [(None, 0), (UserError("wrong"), 1), (ValueError("worse"), 1), (KeyboardInterrupt(), 255)]
)
def test_loggers_receive_the_exit_code(tmp_path, train, monkeypatch, error, code):
    exit_codes, handler = [], signal.getsignal(signal.SIGINT)
    monkeypatch.setattr(ganfill.training.fit, "finish_wandb", lambda loggers, exit_code: exit_codes.append(exit_code))
    try:
        with pytest.raises(type(error)) if error else nullcontext():
            train(tmp_path, 0.1, callbacks=[Ends(error)] if error else [])
    finally:
        signal.signal(signal.SIGINT, handler)  # Lightning ignores it from then on
    assert exit_codes == [code]


def test_loggers_get_the_configuration_and_keys_in_sections(tmp_path, train):
    logger = CSVLogger(tmp_path / "log")
    provenance = {"config": {"loss": {"p": 2}, "precision": "auto"}, "precision": "32-true", "commit": "0d1"}
    gan, _ = train(tmp_path / "out", 0.1, loggers=[logger], provenance=provenance)
    (file,) = (tmp_path / "log").rglob("hparams.yaml")
    assert yaml.safe_load(file.read_text()) == {
        "loss": {"p": 2}, "precision": "32-true", "commit": "0d1", "data_digest": "synthetic-40-32-0", "pictures": 40,
    }  # fmt: skip
    assert read_checkpoint(tmp_path / "out/last.ckpt")["ganfill"]["config"] == provenance["config"]
    with next((tmp_path / "log").rglob("metrics.csv")).open(newline="") as file:
        (row,) = csv.DictReader(file)
    keys = {key(name) for name in (*gan.MEASURES, "seconds", "images_per_second")}
    assert set(row) == keys | {"step", "kimg"} and row["step"] == "64" and float(row["kimg"]) == 0.064
    assert float(row["losses/loss_d"]) == pytest.approx(float(rows(tmp_path / "out/metrics.csv")[1][1]), rel=1e-5)


def test_every_measure_has_a_section():
    found = {key(name) for name in (*GAN.MEASURES, *EncoderTraining.MEASURES)}
    assert {name.partition("/")[0] for name in found} == {"losses", "logits", "gradients", "errors"}


def command(out):
    words = ["data=synthetic", "data.n=40", f"out={out}", "kimg=1.2", "batch_size=16", "resolution=32", "latent.dim=16"]
    words += ["model.width=8", "device=cpu", "checkpoint_kimg=0.096", "log_kimg=0.032", "sample_kimg=0.5"]
    words += ["completion_kimg=0.3"]
    return ["train", *words]


def test_killed_twice_and_resumed_is_bit_identical(tmp_path):
    assert Process(command(tmp_path / "whole")).wait() == 0
    killed = tmp_path / "killed"
    moment = random.Random(0)
    for _ in range(2):
        process = Process(command(killed))
        last, deadline = killed / "last.ckpt", time.monotonic() + 120
        start = last.stat().st_mtime_ns if last.exists() else 0
        while not (last.exists() and last.stat().st_mtime_ns > start) and process.is_alive():
            assert time.monotonic() < deadline
            time.sleep(0.01)
        time.sleep(moment.uniform(0, 0.15))
        process.kill()
        process.wait()
    assert read_checkpoint(killed / "last.ckpt")["images_seen"] < 1200
    assert Process(command(killed)).wait() == 0
    assert state_digest(killed / "last.ckpt") == state_digest(tmp_path / "whole/last.ckpt")
    assert rows(killed / "metrics.csv") == rows(tmp_path / "whole/metrics.csv")
    completions = [(out / "completions.csv").read_bytes() for out in (killed, tmp_path / "whole")]
    assert completions[0] == completions[1] and completions[0].count(b"drawn/0") == 5
