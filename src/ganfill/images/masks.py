"""Seeded synthetic holes.

Every kind has the protocol ``(height, width, generator) -> hole``: a bool tensor (1, height, width), True where a pixel
is missing. ``draw`` derives the hole of a picture from its name, never from its neighbours in a batch.
"""

import math
from collections.abc import Callable, Iterable

import numpy as np
import torch
from PIL import Image, ImageDraw
from torch.nn.functional import interpolate

from ganfill import seeding

Kind = Callable[[int, int, torch.Generator], torch.Tensor]


def center(height: int, width: int, generator: torch.Generator) -> torch.Tensor:
    """The middle half of each side: a quarter of the pixels."""
    tall, wide = height // 2, width // 2
    top, begin = (height - tall) // 2, (width - wide) // 2
    return _rectangle(height, width, top, begin, top + tall, begin + wide)


def left(height: int, width: int, generator: torch.Generator) -> torch.Tensor:
    """The left half."""
    return _rectangle(height, width, 0, 0, height, width // 2)


def half(height: int, width: int, generator: torch.Generator) -> torch.Tensor:
    """The left, right, upper or lower half."""
    middle_y, middle_x = height // 2, width // 2
    halves = [
        (0, 0, height, middle_x),
        (0, middle_x, height, width),
        (0, 0, middle_y, width),
        (middle_y, 0, height, width),
    ]
    return _rectangle(height, width, *halves[_integer(generator, 0, 3)])


def random(height: int, width: int, generator: torch.Generator) -> torch.Tensor:
    """80 % of the pixels, scattered (Yeh et al. 2017, arXiv 1607.07539)."""
    return _largest(torch.rand(height, width, generator=generator), 0.8)


def pattern(height: int, width: int, generator: torch.Generator) -> torch.Tensor:
    """Irregular blobs over a quarter of the pixels, as for context encoders (Pathak et al. 2016, arXiv 1604.07379)."""
    cells = torch.randn(1, 1, 7, 7, generator=generator)
    smooth = interpolate(cells, size=(height, width), mode="bicubic", align_corners=False)
    return _largest(smooth[0, 0], 0.25)


def box(height: int, width: int, generator: torch.Generator) -> torch.Tensor:
    """A rectangle anywhere; each side is 25 to 60 % of the picture's."""
    tall = _integer(generator, math.ceil(height / 4), max(math.ceil(height / 4), height * 3 // 5))
    wide = _integer(generator, math.ceil(width / 4), max(math.ceil(width / 4), width * 3 // 5))
    top, begin = _integer(generator, 0, height - tall), _integer(generator, 0, width - wide)
    return _rectangle(height, width, top, begin, top + tall, begin + wide)


def bar(height: int, width: int, generator: torch.Generator) -> torch.Tensor:
    """A horizontal bar, as over eyes: 8 to 25 % of the height, 40 to 100 % of the width, its middle in the middle half."""
    tall = _integer(generator, math.ceil(0.08 * height), max(math.ceil(0.08 * height), height // 4))
    wide = _integer(generator, math.ceil(0.4 * width), width)
    top, begin = _integer(generator, height // 4, height * 3 // 4) - tall // 2, _integer(generator, 0, width - wide)
    return _rectangle(height, width, top, begin, top + tall, begin + wide)


def freeform(height: int, width: int, generator: torch.Generator) -> torch.Tensor:
    """One to four winding brush strokes (Yu et al. 2019, arXiv 1806.03589, algorithm 1)."""
    canvas = Image.new("1", (width, height))
    pen, size = ImageDraw.Draw(canvas), min(height, width)
    for _ in range(_integer(generator, 1, 4)):
        x, y = _uniform(generator, 0, width), _uniform(generator, 0, height)
        angle = _uniform(generator, 0, 2 * math.pi)
        brush = _uniform(generator, 0.06, 0.16) * size
        for _ in range(_integer(generator, 3, 8)):
            angle += _uniform(generator, -1.2, 1.2)
            step = _uniform(generator, 0.1, 0.3) * size
            ahead = (x + step * math.cos(angle), y + step * math.sin(angle))
            pen.line([(x, y), ahead], fill=1, width=max(1, round(brush)))
            for end_x, end_y in ((x, y), ahead):
                pen.ellipse([end_x - brush / 2, end_y - brush / 2, end_x + brush / 2, end_y + brush / 2], fill=1)
            x, y = min(max(ahead[0], 0), width), min(max(ahead[1], 0), height)
    return torch.from_numpy(np.array(canvas.convert("L")) > 0)[None]  # an array of mode 1 has bools of 255


KINDS: dict[str, Kind] = {kind.__name__: kind for kind in (center, half, left, random, pattern, box, bar, freeform)}


def draw(kind: Kind, names: Iterable[str], height: int, width: int, seed: int = 0) -> torch.Tensor:
    """One hole for each picture, determined by (seed, kind, name).

    Returns:
        bool (N, 1, height, width).
    """
    word = getattr(kind, "__name__", type(kind).__name__)
    return torch.stack([kind(height, width, seeding.generator(seed, "mask", word, name)) for name in names])


def _rectangle(height: int, width: int, top: int, begin: int, bottom: int, end: int) -> torch.Tensor:
    hole = torch.zeros(1, height, width, dtype=torch.bool)
    hole[:, top:bottom, begin:end] = True
    return hole


def _largest(values: torch.Tensor, share: float) -> torch.Tensor:
    """True at exactly the ``share`` of the pixels where ``values`` (H, W) are largest."""
    hole = torch.zeros(values.numel(), dtype=torch.bool)
    hole[values.flatten().argsort(descending=True, stable=True)[: round(share * values.numel())]] = True
    return hole.view(1, *values.shape)


def _integer(generator: torch.Generator, low: int, high: int) -> int:
    return int(torch.randint(low, high + 1, (), generator=generator))


def _uniform(generator: torch.Generator, low: float, high: float) -> float:
    return low + (high - low) * float(torch.rand((), generator=generator))
