import pytest
import torch

from ganfill.devices import choose_device
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
