"""Measures how far the answers of a search depend on the other pictures of the batch.

    python experiments/benchmarks/search_agreement.py [store=data/faces64 model=faces64 n=64 mask=center search=standard
        pictures=ffhq64/01 seed=0 out=FILE]

Completes the same test pictures together, together in another order, and each alone, and compares the answers over the
hole's pixels (PSNR on uint8; equal pictures count as agreeing). Then completes the first eight with
``deterministic=true``, together and alone; these must be bit-identical. The row goes to ``out``.
"""

import sys
from pathlib import Path

import torch
from provenance import append_row

import ganfill
from ganfill.data.store import ImageStore
from ganfill.data.subsets import choose
from ganfill.images import masks, pixels
from ganfill.metrics.image import psnr
from ganfill.search.presets import preset
from ganfill.search.result import SearchOptions

SETTINGS = {
    "store": "data/faces64",
    "model": "faces64",
    "n": "64",
    "mask": "center",
    "search": "standard",
    "pictures": "ffhq64/01",
    "seed": "0",
    "out": "experiments/results/search_agreement.csv",
}
ENOUGH = 40  # dB
EXACT = 8  # pictures compared bit for bit


def main() -> None:
    """Measures; prints and appends a row."""
    settings = SETTINGS | dict(word.split("=", 1) for word in sys.argv[1:])
    model, seed, search = ganfill.load(settings["model"]), int(settings["seed"]), preset(settings["search"])
    store, prefixes = ImageStore.open(Path(settings["store"])), settings["pictures"].split(",")
    chosen = choose(store, "test", prefixes, int(settings["n"]), seed)
    names, images = chosen.ids, pixels.to_float(torch.from_numpy(chosen.images))
    holes = masks.draw(masks.KINDS[settings["mask"]], names, model.resolution, model.resolution, seed)
    order = torch.randperm(len(names), generator=torch.Generator().manual_seed(seed))

    def answers(rows: torch.Tensor, deterministic: bool = False) -> torch.Tensor:
        options = SearchOptions(seed=seed, deterministic=deterministic)
        return search(model, images[rows], holes[rows], options).pictures[:, 0]

    every = torch.arange(len(names))
    together = answers(every)
    others = {
        "other_order": answers(order)[order.argsort()],
        "alone": torch.cat([answers(row) for row in every[:, None]]),
    }
    row: dict[str, str | float] = {key: settings[key] for key in ("search", "mask", "pictures", "seed")}
    row |= {"n": len(names), "model": model.digest[:12]}
    for name, found in others.items():
        agreement = psnr(pixels.to_uint8(found).numpy(), pixels.to_uint8(together).numpy(), holes[:, 0].numpy())
        row[f"{name}_share_of_40_db"] = round(float((agreement >= ENOUGH).mean()), 4)
        row[f"{name}_equal_bits"] = round(float((found == together).flatten(1).all(1).float().mean()), 4)
    exact = answers(every[:EXACT], deterministic=True)
    alone = torch.cat([answers(row, deterministic=True) for row in every[:EXACT, None]])
    row["deterministic_equal_bits"] = round(float((exact == alone).flatten(1).all(1).float().mean()), 4)
    append_row(Path(settings["out"]), row)
    print(*(f"{name} {value}" for name, value in row.items()), sep="  ")


if __name__ == "__main__":
    main()
