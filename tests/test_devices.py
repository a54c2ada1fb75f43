import pytest
import torch

from ganfill.devices import choose_device, describe
from ganfill.errors import UserError


def test_devices(monkeypatch):
    assert choose_device("cpu") == torch.device("cpu")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    assert choose_device("auto") == torch.device("cpu")
    with pytest.raises(UserError, match="device=tpu9 is not a device"):
        choose_device("tpu9")
    with pytest.raises(UserError, match="device=cuda:1, but this machine has no such GPU"):
        choose_device("cuda:1")
    for name in ("mps", "xpu:0"):  # torch knows them; a training would run on the CPU instead
        with pytest.raises(UserError, match=f"^device={name} is not supported: use device=cpu or device=cuda$"):
            choose_device(name)


def test_a_processor_has_a_name_even_where_proc_cpuinfo_has_none(monkeypatch):
    assert describe(torch.device("cpu"))
    monkeypatch.setattr("pathlib.Path.read_text", lambda path: "no model here")
    monkeypatch.setattr("platform.processor", lambda: "")
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    assert describe(torch.device("cpu")) == "x86_64"
