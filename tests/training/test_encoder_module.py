import copy
import csv
from functools import partial

import pytest
import pytorch_lightning as pl
import torch

from ganfill import seeding
from ganfill.errors import UserError
from ganfill.images.pixels import to_float
from ganfill.models.encoder import Encoder
from ganfill.models.latent import Normal
from ganfill.training.datamodule import SyntheticDataModule
from ganfill.training.encoder_module import EncoderTraining, rate_at
from ganfill.training.fit import fit
from ganfill.training.part_module import PartModule
from ganfill.training.run_directory import read_checkpoint

ADAM = partial(torch.optim.Adam, lr=2e-3, betas=(0.9, 0.99))


@pytest.fixture
def model(model, enliven):
    return enliven(model)


@pytest.fixture
def make(model):
    """A fresh training of a tiny encoder."""

    def make(seed=0, **options):
        torch.manual_seed(seed)
        settings = {"kimg": 0.32, "log_kimg": 0.016, "optimizer": ADAM} | options
        return EncoderTraining(Encoder(32, 8, 4), model, seed=seed, **settings)

    return make


@pytest.mark.parametrize("normal", [False, True])
def test_one_step_equals_the_textbook(make, model, normal, by_itself, faces):
    if normal:
        model.latent = Normal(8)
    descent = partial(torch.optim.SGD, lr=0.2)
    module, pixels = make(known_weight=0.5, latent_weight=0.3, log_kimg=0.001, optimizer=descent), faces(6)
    module.images_seen = 160  # in the middle
    encoder = copy.deepcopy(module.encoder)
    by_itself(module).training_step(pixels, 0)

    z = model.latent.sample(3, seeding.generator(0, "z", 160))
    image = torch.cat([to_float(pixels), model.generator(z)])
    generator = seeding.generator(0, "holes", 160)
    kinds = torch.randint(len(PartModule.HOLES), (9,), generator=generator)
    known = (~torch.stack([PartModule.HOLES[kind](32, 32, generator) for kind in kinds])).float()
    guess = encoder(image * known, known)
    shown, real, seen = model.generator(guess[:6]), image[:6], known[:6].expand(-1, 3, -1, -1)
    in_hole = torch.stack([((a - b)[k == 0] ** 2).mean().sqrt() for a, b, k in zip(shown, real, seen, strict=True)])
    outside = torch.stack([(a - b)[k == 1].abs().mean() for a, b, k in zip(shown, real, seen, strict=True)])
    beyond = (guess - model.latent.project(guess)).square().sum(1).mean()
    latent = (guess[6:] - z).square().mean()
    loss = in_hole.mean() + 0.5 * outside.mean() + 0.3 * (latent + beyond)
    gradients = torch.autograd.grad(loss, list(encoder.parameters()))

    wanted = dict(zip(module.MEASURES, (loss, in_hole.mean(), outside.mean(), latent, beyond), strict=True))
    for name, value in wanted.items():
        torch.testing.assert_close(module.measured[name], value.detach(), atol=1e-4, rtol=1e-4, msg=name)
    for ours, before, gradient in zip(module.encoder.parameters(), encoder.parameters(), gradients, strict=True):
        torch.testing.assert_close(ours, before - 0.2 * rate_at(0.5) * gradient, atol=1e-5, rtol=1e-4)
    assert max(gradient.abs().max() for gradient in gradients) > 0.05
    assert module.images_seen == 166 and module.finite


def test_the_rate_rises_and_falls():
    rates = [rate_at(t) for t in (0, 0.01, 0.02, 0.5, 1)]
    assert rates == pytest.approx([0.01, 0.51, 1, 0.5, 0], abs=0.01)


def test_hidden_pixels_do_not_reach_the_encoder(make, by_itself, faces):
    module, seen = by_itself(make()), []
    module.encoder.register_forward_pre_hook(lambda _, inputs: seen.append(inputs))
    pixels = faces(12)
    module.training_step(pixels, 0)
    ((image, known),) = seen
    assert image.shape == (18, 3, 32, 32) and known.unique().tolist() == [0, 1]
    assert not (image * (1 - known)).any()
    assert torch.equal(image[:12], to_float(pixels) * known[:12])
    shares = known.mean((1, 2, 3))
    assert ((shares > 0) & (shares < 1)).all() and len(shares.unique()) > 3


def test_holes_and_z_depend_on_seed_and_clock_alone(make, by_itself, faces):
    def draws(seed, images_seen):
        module, seen = by_itself(make(seed)), []
        module.images_seen = images_seen
        module.encoder.register_forward_pre_hook(lambda _, inputs: seen.append(inputs))
        module.training_step(faces(4), 0)
        return seen[0]

    first, again, later, other = draws(0, 0), draws(0, 0), draws(0, 4), draws(1, 0)
    assert torch.equal(first[0], again[0]) and torch.equal(first[1], again[1])
    for different in (later, other):
        assert not torch.equal(first[0][4:], different[0][4:]) and not torch.equal(first[1], different[1])


def test_the_loss_falls(make, by_itself, faces):
    module = by_itself(make(kimg=1.28))
    losses = []
    for step in range(80):
        module.training_step(faces(16, step), 0)
        losses.append(module.measured)
    first, last = ({k: sum(float(m[k]) for m in part) / 10 for k in part[0]} for part in (losses[:10], losses[-10:]))
    assert last["loss"] < 0.8 * first["loss"] and last["error_known"] < first["error_known"]
    assert last["error_latent"] < 0.8 * first["error_latent"]
    assert last["error_latent"] < 1 / 3  # the variance of this prior: better than guessing its mean


def test_a_loss_that_is_no_number_is_remembered(make, by_itself, faces):
    module = by_itself(make())
    with torch.no_grad():
        module.encoder.to_latent.bias[0] = float("nan")
    module.training_step(faces(4), 0)
    with pytest.raises(UserError, match=r"0\.004 kimg.*optimizer\.lr"):
        module.check_finite()


class CutOff(pl.Callback):
    """Ends a training at once, as a power failure would."""

    def __init__(self, images_seen):
        self.images_seen = images_seen

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        if pl_module.images_seen >= self.images_seen:
            raise RuntimeError("the power failed")


def train(module, out, kimg=0.32, callbacks=()):
    out.mkdir(parents=True, exist_ok=True)
    data = SyntheticDataModule(16, 32, n=40, mirror=True)
    return fit(
        module, data, out, kimg=kimg, device=torch.device("cpu"), precision="32-true", make_loggers=lambda: [],
        provenance={}, checkpoint_kimg=0.064, callbacks=callbacks,
    )  # fmt: skip


def state(path):
    """Weights, buffers and moments of a checkpoint."""
    checkpoint = read_checkpoint(path)
    moments = [value for part in checkpoint["optimizer_states"] for s in part["state"].values() for value in s.values()]
    return [*checkpoint["state_dict"].values(), *moments]


def rows(path):
    """Rows of metrics.csv without the speed, which no two trainings share."""
    with path.open(newline="") as file:
        return [row[:-2] for row in csv.reader(file)]


def test_cut_off_and_resumed_is_bit_identical(make, tmp_path):
    assert train(make(), tmp_path / "whole")
    for images_seen in (112, 240):
        with pytest.raises(RuntimeError, match="the power failed"):
            train(make(), tmp_path / "parts", callbacks=[CutOff(images_seen)])
    assert read_checkpoint(tmp_path / "parts/last.ckpt")["images_seen"] == 192
    assert train(make(), tmp_path / "parts")
    one, other = state(tmp_path / "whole/last.ckpt"), state(tmp_path / "parts/last.ckpt")
    assert len(one) == len(other) and all(torch.equal(*pair) for pair in zip(one, other, strict=True))
    assert rows(tmp_path / "parts/metrics.csv") == rows(tmp_path / "whole/metrics.csv")
    assert rows(tmp_path / "whole/metrics.csv")[0] == ["kimg", *EncoderTraining.MEASURES]
    assert len(rows(tmp_path / "whole/metrics.csv")) == 21
    assert not train(make(), tmp_path / "whole")


def test_the_generator_stays_as_it_was_and_out_of_the_checkpoint(make, model, tmp_path):
    before = copy.deepcopy(model.generator.state_dict())
    module = make()
    weights = copy.deepcopy(module.encoder.state_dict())
    train(module, tmp_path, 0.064)
    assert all(torch.equal(value, before[name]) for name, value in model.generator.state_dict().items())
    assert not model.generator.training and all(p.grad is None for p in model.generator.parameters())
    keys = read_checkpoint(tmp_path / "last.ckpt")["state_dict"].keys()
    assert keys == {f"encoder.{name}" for name in weights}
    assert not torch.equal(module.encoder.to_latent.weight, weights["to_latent.weight"])
    assert not any(p is q for p in module.parameters() for q in model.generator.parameters())
