"""Adds networks of another model to a model.

    python experiments/combine.py model=runs/encoder/model.safetensors source=faces64 networks=inpainter,upsampler out=FILE
        [share=1 half=true]

``networks`` are ``inpainter`` and ``upsampler``. If ``source`` has no upsampler, its inpainter becomes that. With a
``share`` below 1, the weights are means of both models', those of ``source`` counting ``share``. Both models must know the
same pictures; the result has the terms of ``source``.
"""

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from ganfill.model_io import model_file

SETTINGS = {"model": "faces64", "source": "", "networks": "upsampler", "out": "", "share": "1", "half": "true"}


@torch.no_grad()
def average(model: nn.Module, source: nn.Module, share: float) -> None:
    """Gives ``source`` the means of both networks' weights and statistics."""
    for own, other in zip(source.state_dict().values(), model.state_dict().values(), strict=True):
        if own.is_floating_point():
            own.lerp_(other, 1 - share)


def main() -> None:
    """Writes the model file; prints its digest."""
    settings = SETTINGS | dict(word.split("=", 1) for word in sys.argv[1:])
    model, source = model_file.load(settings["model"]), model_file.load(settings["source"])
    added: dict[str, Any] = {}
    card = model.card | {"terms": source.card["terms"]}
    for name in settings["networks"].split(","):
        taken = "inpainter" if name == "upsampler" and source.upsampler is None else name
        added[name], card[name] = getattr(source, taken), source.card[taken]
        if (share := float(settings["share"])) < 1:
            average(getattr(model, name), added[name], share)
            card[name] = card[name] | {"share": share, "others": model.card[name]}
    print(model_file.save(Path(settings["out"]), replace(model, card=card, **added), half=settings["half"] == "true"))


if __name__ == "__main__":
    main()
