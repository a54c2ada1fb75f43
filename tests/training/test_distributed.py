"""Two processes with gloo on the CPU against one; they are started for real, once for most of what is tested."""

import atexit
import csv
import importlib
import os
import signal
import time
from functools import partial
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.multiprocessing.spawn import ProcessRaisedException

from ganfill.adversarial.losses import NonSaturating
from ganfill.adversarial.regularizers import LeCam
from ganfill.errors import UserError
from ganfill.models import dcgan, dcgan_plus
from ganfill.models.latent import Normal
from ganfill.training import distributed
from ganfill.training.callbacks.samples import Samples
from ganfill.training.datamodule import SyntheticDataModule
from ganfill.training.fit import fit
from ganfill.training.gan import GAN

CPU = torch.device("cpu")
ADAM = partial(torch.optim.Adam, lr=2e-4, betas=[0.5, 0.999], fused=True)
BATCH = 16


class Plain(nn.Module):
    """A generator whose pictures do not depend on each other."""

    resolution, latent_dim = 32, 16

    def __init__(self):
        super().__init__()
        self.grow = nn.Linear(16, 8 * 8 * 8)
        self.draw = nn.ConvTranspose2d(8, 3, 4, 4)

    def forward(self, z):
        return self.draw(self.grow(z).unflatten(1, (8, 8, 8)).relu()).tanh()


class Adaptive(nn.Module):
    """An augmentation that counts signs of logits, as ADA does."""

    def __init__(self):
        super().__init__()
        self.register_buffer("signs", torch.zeros(()))

    def forward(self, images, generator, p):
        self.noise = 0.1 * torch.randn(images.shape, generator=generator)
        return images + self.noise

    def observe(self, real_logits):
        self.signs += real_logits.sign().sum() + 1e-3 * real_logits.numel()


def make_plain(**options):
    torch.manual_seed(0)
    networks = Plain(), dcgan_plus.Discriminator(32, 8)
    return GAN(*networks, Normal(16), NonSaturating(), ADAM, ADAM, log_kimg=0.032, **options)


def make_full():
    """All that counts something of a batch: batch norm in both networks, a penalty and an adaptive augmentation."""
    torch.manual_seed(0)
    networks = dcgan.Generator(32, 16, 8), dcgan.Discriminator(32, 8)
    options = {"regularizer": LeCam(interval=2), "augment": Adaptive(), "n_critic": 2}
    return GAN(*networks, Normal(16), NonSaturating(), ADAM, ADAM, log_kimg=0.032, micro_batch=3, **options)


def train(gan, out, kimg, batch=BATCH, minutes=None):
    out.mkdir(parents=True, exist_ok=True)
    data = SyntheticDataModule(batch, 32, n=40, mirror=True)
    fit(
        gan, data, out, kimg=kimg, minutes=minutes, device=CPU, precision="32-true", make_loggers=list, provenance={},
        checkpoint_kimg=0.064, callbacks=[Samples(out, 0.064, kimg, minutes)],
    )  # fmt: skip
    return gan


def spoil(gan):
    """Makes the loss of the second process infinite after 64 images."""
    right = gan.loss.discriminator
    gan.loss.discriminator = lambda real, fake: (
        right(real, fake) * (float("inf") if distributed.rank() == 1 and gan.images_seen >= 64 else 1)
    )
    return gan


def scenarios(device, out):
    """What each of the two processes does."""
    torch.set_num_threads(1)
    rank = distributed.rank()
    mean = torch.tensor([1.0 + 2 * rank, 5.0]), torch.full((2, 2), float(rank)).t()
    distributed.all_reduce_mean_(mean)
    first = torch.tensor([float(rank)])
    distributed.broadcast_([first])
    seen = {
        "mean": mean, "first": first, "gathered": distributed.gather(torch.arange(2) + 10 * rank),
        "decided": distributed.broadcast_flag(rank == 0),
        "share": distributed.local_slice(6), "uneven": message(distributed.local_slice, 7),
    }  # fmt: skip
    torch.save(seen, out / f"rank{rank}.pt")
    train(make_plain(), out / "plain", 0.256)
    train(make_plain(step="joint"), out / "joint", 0.256)
    train(make_plain(), out / "continued_by_one", 0.128)
    train(make_plain(), out / "continued_by_two", 0.256)
    full = train(make_full(), out / "full", 0.16)
    torch.save(full.state_dict(), out / f"full{rank}.pt")
    seen["noise"] = full.augment.noise
    timed = train(make_plain(), out / "timed", 1e9, minutes=(1e9 if rank else 0.0))
    seen |= {"infinite": message(train, spoil(make_plain()), out / "spoilt", 0.256), "timed": timed.images_seen}
    seen |= {"indivisible": message(train, make_plain(), out / "indivisible", 0.256, 15)}
    torch.save(seen, out / f"rank{rank}.pt")


def message(job, *arguments):
    """The user's mistake that a job complains about."""
    try:
        job(*arguments)
    except UserError as error:
        return str(error)
    return None


@pytest.fixture(scope="module")
def jobs():
    """This file under a name that another process can import."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(Path(__file__).parent))
        yield importlib.import_module(Path(__file__).stem)


@pytest.fixture(scope="module")
def out(tmp_path_factory, jobs):
    """A directory in which two processes have been through all scenarios."""
    out = tmp_path_factory.mktemp("parallel")
    train(make_plain(), out / "one", 0.256)
    train(make_plain(step="joint"), out / "joint_by_one", 0.256)
    train(make_plain(), out / "continued_by_two", 0.128)
    distributed.start(2, CPU, jobs.scenarios, out)
    train(make_plain(), out / "continued_by_one", 0.256)
    return out


def weights(path):
    return torch.load(path, weights_only=True)["state_dict"]


def rows(path):
    with path.open(newline="") as file:
        return [{k: float(v) for k, v in row.items() if "second" not in k} for row in csv.DictReader(file)]


def load(out, rank):
    return torch.load(out / f"rank{rank}.pt", weights_only=False)


def test_averages_rows_and_decisions(out):
    for rank in (0, 1):
        seen = load(out, rank)
        assert seen["mean"][0].tolist() == [2, 5] and seen["mean"][1].tolist() == [[0.5, 0.5], [0.5, 0.5]]
        assert seen["first"].item() == 0 and seen["decided"] is True
        assert seen["gathered"].tolist() == [0, 1, 10, 11]
        assert seen["share"] == slice(3 * rank, 3 * rank + 3)
        assert "batch_size=7 cannot be divided equally among 2 processes" in seen["uneven"]


def test_one_process_alone_changes_nothing():
    tensor = torch.rand(3)
    before = tensor.clone()
    distributed.all_reduce_mean_([tensor])
    distributed.broadcast_([tensor])
    assert torch.equal(tensor, before) and torch.equal(distributed.gather(tensor), before)
    assert (distributed.world(), distributed.rank(), distributed.broadcast_flag(False)) == (1, 0, False)
    assert distributed.local_slice(7) == slice(0, 7)


@pytest.mark.parametrize(
    ("alone", "other"),
    [("one", "plain"), ("one", "continued_by_one"), ("one", "continued_by_two"), ("joint_by_one", "joint")],
)
def test_two_processes_learn_what_one_does(out, alone, other):
    one, two = rows(out / alone / "metrics.csv"), rows(out / other / "metrics.csv")
    assert [row["kimg"] for row in one] == [0.032 * i for i in range(1, 9)] == [row["kimg"] for row in two]
    for a, b in zip(one, two, strict=True):
        assert b == pytest.approx(a, rel=1e-4, abs=1e-5)
    a, b = weights(out / alone / "last.ckpt"), weights(out / other / "last.ckpt")
    for name, start in make_plain().named_parameters():
        torch.testing.assert_close(b[name], a[name], rtol=1e-4, atol=1e-5)
        assert (a[name] - start).abs().max() > 1e-4, name  # or the tolerance would not mean anything


def test_all_processes_hold_the_same_state(out):
    first, second = (torch.load(out / f"full{rank}.pt", weights_only=True) for rank in (0, 1))
    assert {"generator_ema.stages.0.1.running_var", "regularizer.real_average", "augment.signs", "logit_centre"} <= {
        *first
    }
    for name, value in first.items():
        assert torch.equal(value, second[name]), name
    assert not torch.equal(load(out, 0)["noise"], load(out, 1)["noise"])  # each picture is augmented in its own way
    assert 0.15 < first["augment.signs"] % 1 < 0.17 and first["regularizer.real_average"] != 0


def test_the_first_process_writes_and_decides(out):
    assert {path.name for path in (out / "plain").iterdir()} == {"last.ckpt", "metrics.csv", "samples"}
    assert load(out, 0)["timed"] == load(out, 1)["timed"] == BATCH  # the second has time enough for ever


def test_an_infinite_loss_in_one_stops_all(out):
    for rank in (0, 1):
        assert "NaN or infinite before 0.096 kimg" in load(out, rank)["infinite"]
    assert torch.load(out / "spoilt/last.ckpt", weights_only=True)["images_seen"] == 64


def test_an_indivisible_batch_is_refused_before_anything_is_written(out):
    assert "batch_size=15" in load(out, 0)["indivisible"]
    assert not [*(out / "indivisible").iterdir()]


def fail(device):
    if distributed.rank() == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    torch.distributed.barrier()


def test_the_others_do_not_wait_for_one_that_was_killed(jobs):
    with pytest.raises(UserError, match=r"process 2 of 2 was ended from outside \(.*SIGKILL.*\), perhaps for lack of"):
        distributed.start(2, CPU, jobs.fail)


def mistake(device):
    """A mistake that the first process alone finds; it also ends last."""
    if distributed.rank() == 0:
        atexit.register(time.sleep, 1)
        raise UserError("fd_samples=7 is wrong")
    distributed.broadcast_flag(False)


def test_a_mistake_of_one_process_is_reported_and_a_defect_keeps_its_traceback(jobs):
    with pytest.raises(UserError, match=r"^fd_samples=7 is wrong$"):
        distributed.start(2, CPU, jobs.mistake)
    with pytest.raises(ProcessRaisedException, match=r"TypeError: int\(\)"):
        distributed.start(1, CPU, int)
