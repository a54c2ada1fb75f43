import pytest
import torch

from ganfill.errors import UserError
from ganfill.training import trainer
from ganfill.training.trainer import DDP, Single, choose_precision


@pytest.mark.parametrize(("native", "expected"), [(True, "bf16-mixed"), (False, "32-true")])
def test_the_processor_decides_on_the_precision(monkeypatch, native, expected):
    monkeypatch.setattr(trainer, "has_bfloat16", lambda device: native)
    assert choose_precision("auto", torch.device("cpu")) == expected
    assert choose_precision("32-true", torch.device("cpu")) == "32-true"


@pytest.fixture
def alone(monkeypatch):
    for name in ("RANK", "LOCAL_RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE"):
        monkeypatch.delenv(name, raising=False)


def test_a_single_process_does_the_job_itself(alone):
    done = []
    Single().launch(torch.device("cpu"), lambda *arguments: done.append(arguments), "config")
    assert done == [(torch.device("cpu"), "config")]


@pytest.mark.parametrize(
    ("devices", "device", "gpus", "message"),
    [
        (None, "cpu", 0, r"needs a number of processes: give trainer\.devices=2"),
        (0, "cpu", 0, r"trainer\.devices must be at least 1, got 0"),
        ("two", "cpu", 0, r"trainer\.devices must be at least 1, got two"),
        (3, "cuda", 2, r"trainer\.devices must be from 1 to 2, the GPUs of this machine, got 3"),
        (2, "cuda:1", 2, "device=cuda:1 is one device: trainer=ddp takes device=cuda"),
    ],
)
def test_devices_that_are_not_there_are_refused(alone, monkeypatch, devices, device, gpus, message):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: gpus)
    with pytest.raises(UserError, match=message):
        DDP(devices).launch(torch.device(device), print)


def test_all_gpus_are_the_default(alone, monkeypatch):
    started = []
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 3)
    monkeypatch.setattr(trainer.distributed, "start", lambda *arguments: started.append(arguments))
    DDP().launch(torch.device("cuda"), print, "config")
    assert started == [(3, torch.device("cuda"), print, "config")]


@pytest.mark.parametrize(
    ("processes", "message"),
    [(Single(), "2 processes were started: add trainer=ddp"), (DDP(4), "but 2 processes were started here")],
)
def test_processes_started_by_torchrun_must_be_wanted(monkeypatch, processes, message):
    for name, value in {"RANK": 0, "LOCAL_RANK": 0, "WORLD_SIZE": 2, "LOCAL_WORLD_SIZE": 2}.items():
        monkeypatch.setenv(name, str(value))
    with pytest.raises(UserError, match=message):
        processes.launch(torch.device("cpu"), print)
