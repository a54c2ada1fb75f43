import pytest
import torch

from ganfill.training import trainer
from ganfill.training.trainer import choose_precision


@pytest.mark.parametrize(("native", "expected"), [(True, "bf16-mixed"), (False, "32-true")])
def test_the_processor_decides_on_the_precision(monkeypatch, native, expected):
    monkeypatch.setattr(trainer, "has_bfloat16", lambda device: native)
    assert choose_precision("auto", torch.device("cpu")) == expected
    assert choose_precision("32-true", torch.device("cpu")) == "32-true"
