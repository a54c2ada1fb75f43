"""Adds the inpainter of a larger model to a model, as its upsampler.

    python experiments/upsampler.py model=faces64 larger=runs/inpainter128/model.safetensors out=FILE [half=true]

The larger model may be grown from the other one, and must know the same pictures.
"""

import sys
from dataclasses import replace
from pathlib import Path

from ganfill.model_io import model_file

SETTINGS = {"model": "faces64", "larger": "", "out": "", "half": "true"}


def main() -> None:
    """Writes the model file; prints its digest."""
    settings = SETTINGS | dict(word.split("=", 1) for word in sys.argv[1:])
    model, larger = model_file.load(settings["model"]), model_file.load(settings["larger"])
    card = model.card | {"upsampler": larger.card["inpainter"]}
    both = replace(model, upsampler=larger.inpainter, card=card)
    print(model_file.save(Path(settings["out"]), both, half=settings["half"] == "true"))


if __name__ == "__main__":
    main()
