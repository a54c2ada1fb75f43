"""Trains the network that corrects the square of a face behind a hole, and packages it as an ONNX file.

    python experiments/face_square.py store=data/faces128 [kimg=600 seed=0 out=FILE]

Each example is the crop of a face, seen through a square that is too large or too small, shifted and turned, with a hole
and sometimes without its edges, as at the edge of a photo. The network predicts the true square. It sees only the middle
of the square, because nothing is known beyond a crop, and the crop's edge would tell it the answer.

Prints the mean absolute errors of the last examples: shift in sides, logarithm of the side, and angle in radians.
"""

import copy
import itertools
import math
import sys
import time
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import affine_grid, avg_pool2d, grid_sample, interpolate

from ganfill.adversarial import ema
from ganfill.data.store import ImageStore
from ganfill.images.face_square import RESOLUTION, SEEN
from ganfill.images.masks import KINDS
from ganfill.model_io.onnx_file import export_network

SETTINGS = {"store": "", "kimg": "600", "seed": "0", "out": "src/ganfill/packaged/face_square.onnx"}
HOLES = [kind for name, kind in KINDS.items() if name != "random"]
UNITS = torch.tensor([0.01, 0.01, 0.05, 0.03])  # of the four outputs, so that their errors weigh about the same
SHIFT, LOG_SIDE, ANGLE = 0.06, 0.16, 0.12  # standard deviations of the errors to correct; sides, logarithm, radians


class Block(nn.Module):
    """A residual block that halves the sides."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        self.convolutions = nn.Sequential(
            nn.Conv2d(before, after, 3, 2, 1), nn.BatchNorm2d(after), nn.SiLU(), nn.Conv2d(after, after, 3, 1, 1)
        )
        self.skip = nn.Sequential(nn.AvgPool2d(2), nn.Conv2d(before, after, 1))
        self.activation = nn.SiLU()

    def forward(self, x: Tensor) -> Tensor:
        """(n, before, h, w) -> (n, after, h / 2, w / 2)."""
        return self.activation(self.convolutions(x) + self.skip(x))


def network() -> nn.Sequential:
    """Colours in [-1, 1], 0 in the hole, and the hole, float (n, 4, 64, 64) -> corrections (n, 4)."""
    widths = [32, 64, 96, 128]
    return nn.Sequential(
        nn.Conv2d(4, widths[0], 5, 2, 2),
        nn.SiLU(),
        *(Block(*pair) for pair in itertools.pairwise(widths)),
        nn.Flatten(),
        nn.Linear(widths[-1] * (RESOLUTION // 16) ** 2, 128),
        nn.SiLU(),
        nn.Linear(128, 4),
    )


class Examples:
    """Draws faces behind holes, and the corrections of their squares."""

    def __init__(self, store: ImageStore, seed: int) -> None:
        self.pictures, self.side = store.images, store.resolution
        rows = store.rows("train")
        ffhq = np.array([row for row in rows if store.ids[row].startswith("ffhq")])
        # Half of the pictures are FFHQ's: their crops define the square, others were aligned to them.
        self.rows = [rows, ffhq] if len(ffhq) else [rows]
        self.random = torch.Generator().manual_seed(seed)
        holes = [HOLES[i % len(HOLES)](self.side, self.side, self.random) for i in range(3000)]
        self.holes = torch.stack(holes).float()

    def draw(self, n: int) -> tuple[Tensor, Tensor]:
        """Returns float (n, 4, 64, 64) and what is to be added to shift, logarithm of the side and angle: (n, 4)."""
        pictures, holes = self._faces(n), self._moved_holes(n)
        x, y = self._normal(n, SHIFT), self._normal(n, SHIFT)
        log_side, angle = self._normal(n, LOG_SIDE), self._normal(n, ANGLE)
        side, cos, sin = log_side.exp(), angle.cos(), angle.sin()
        seen = SEEN * side
        rows = [[seen * cos, -seen * sin, 2 * x], [seen * sin, seen * cos, 2 * y]]
        grid = _grid(rows, n, 2 * RESOLUTION)
        colours = grid_sample(pictures, grid, padding_mode="reflection", align_corners=False)
        missing = grid_sample(holes, grid, mode="nearest", padding_mode="border", align_corners=False)
        known = 1 - torch.maximum(missing, self._cut_edges(n, 2 * RESOLUTION))
        share = avg_pool2d(known, 2)
        colours = self._degrade(avg_pool2d(colours * known, 2) / share.clamp(min=1e-6))
        hole = (share < 1).float()
        # The way back to the true square, in the coordinates of the one that is seen.
        correction = [-(cos * x + sin * y) / side, (sin * x - cos * y) / side, -log_side, -angle]
        return torch.cat([colours * (1 - hole), hole], 1), torch.stack(correction, 1)

    def _faces(self, n: int) -> Tensor:
        parts = [self._choice(rows, n // len(self.rows)) for rows in self.rows]
        images = torch.from_numpy(self.pictures[np.sort(np.concatenate(parts))]).permute(0, 3, 1, 2)
        images = images[torch.randperm(len(images), generator=self.random)].float() / 127.5 - 1
        return torch.where(self._chance(n, 0.5), images.flip(3), images)

    def _moved_holes(self, n: int) -> Tensor:
        """Holes somewhere on the crop, of different sizes."""
        holes = self.holes[torch.randint(len(self.holes), (n,), generator=self.random)]
        zero = torch.zeros(n)
        rows = [
            [self._normal(n, 0.15).exp(), zero, self._normal(n, 0.15)],
            [zero, self._normal(n, 0.15).exp(), self._normal(n, 0.15)],
        ]
        grid = _grid(rows, n, self.side)
        return grid_sample(holes, grid, mode="nearest", padding_mode="border", align_corners=False)

    def _cut_edges(self, n: int, side: int) -> Tensor:
        """1 beyond the edge of a photo, up to a fifth of the picture at each side: float (n, 1, side, side)."""
        cuts = 0.2 * torch.rand(n, 4, generator=self.random) * (torch.rand(n, 4, generator=self.random) < 0.5)
        at = (torch.arange(side) + 0.5) / side
        left, right, top, bottom = (cut[:, None] for cut in cuts.unbind(1))
        columns, rows = (at < left) | (at > 1 - right), (at < top) | (at > 1 - bottom)
        return (columns[:, None, None] | rows[:, None, :, None]).float()

    def _degrade(self, images: Tensor) -> Tensor:
        """Changes of light, black and white, blur and noise, as photos have them."""
        n = len(images)
        light, contrast = self._normal(n, 0.1), self._normal(n, 0.15).exp()
        images = images * contrast[:, None, None, None] + light[:, None, None, None]
        images = torch.where(self._chance(n, 0.1), images.mean(1, keepdim=True), images)
        blurred = interpolate(avg_pool2d(images, 2), scale_factor=2.0, mode="bilinear")
        images = torch.where(self._chance(n, 0.2), blurred, images)
        noise = torch.randn(images.shape, generator=self.random) * self._normal(n, 0.04)[:, None, None, None]
        return (images + noise).clamp(-1, 1)

    def _choice(self, rows: np.ndarray, n: int) -> np.ndarray:
        return rows[torch.randint(len(rows), (n,), generator=self.random).numpy()]

    def _chance(self, n: int, share: float) -> Tensor:
        return torch.rand(n, 1, 1, 1, generator=self.random) < share

    def _normal(self, n: int, deviation: float) -> Tensor:
        return deviation * torch.randn(n, generator=self.random)


def _grid(rows: list[list[Tensor]], n: int, side: int) -> Tensor:
    matrices = torch.stack([torch.stack(row, 1) for row in rows], 1)
    return affine_grid(matrices, [n, 1, side, side], align_corners=False)


def train(examples: Examples, kimg: float, seed: int, batch_size: int = 64) -> nn.Sequential:
    """Returns the averaged network; the learning rate rises and falls once."""
    torch.manual_seed(seed)
    net = network()
    average, steps = copy.deepcopy(net), math.ceil(kimg * 1000 / batch_size)
    optimizer = torch.optim.AdamW(net.parameters(), weight_decay=1e-4, fused=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 2e-3, total_steps=steps, pct_start=0.1)
    begin, errors = time.monotonic(), torch.zeros(4)
    for step in range(steps):
        images, corrections = examples.draw(batch_size)
        with torch.autocast("cpu", torch.bfloat16):
            predicted = net(images)
        deviation = (predicted.float() - corrections).abs()
        optimizer.zero_grad()
        (deviation / UNITS).mean().backward()
        nn.utils.clip_grad_norm_(net.parameters(), 10.0)
        optimizer.step()
        schedule.step()
        ema.update(average, net, min(0.998, (step + 1) / (step + 10)))
        errors = errors.lerp(deviation.detach().mean(0), 1 / min(step + 1, 200))
        if step % 200 == 0 or step == steps - 1:
            seen, seconds = (step + 1) * batch_size / 1000, time.monotonic() - begin
            print(f"{seen:.0f} kimg, {seconds:.0f} s: {[round(float(error), 4) for error in errors]}", flush=True)
    return average


def main() -> None:
    """Trains and writes the file."""
    settings = SETTINGS | dict(word.split("=", 1) for word in sys.argv[1:])
    seed = int(settings["seed"])
    net = train(Examples(ImageStore.open(Path(settings["store"])), seed), float(settings["kimg"]), seed).eval()
    example = torch.zeros(2, 4, RESOLUTION, RESOLUTION)
    export_network(Path(settings["out"]), net, example, "damaged", "correction")


if __name__ == "__main__":
    main()
