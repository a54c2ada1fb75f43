"""Drawn faces: simple pictures that a small GAN learns in a minute."""

import numpy as np
import torch


def draw_faces(n: int, resolution: int, generator: torch.Generator) -> np.ndarray:
    """Draws ``n`` pictures uint8 (n, resolution, resolution, 3): an oval with eyes and a mouth on a plain background.

    Position, size, smile and colours are random, drawn from ``generator``.
    """
    axis = torch.linspace(-1, 1, resolution)
    y, x = (grid.expand(n, -1, -1) for grid in torch.meshgrid(axis, axis, indexing="ij"))
    u = torch.rand(n, 20, generator=generator)[..., None, None]
    x = x - 0.3 * (u[:, 0] - 0.5)
    y = y - 0.3 * (u[:, 1] - 0.5)
    size, smile = 0.5 + 0.2 * u[:, 2], 0.8 * (u[:, 3] - 0.5)
    softness = 2.0 / resolution

    def inside(distance: torch.Tensor) -> torch.Tensor:
        return torch.sigmoid(-distance / softness)[..., None]

    def colour(first: int, low: float, high: float) -> torch.Tensor:
        return low + (high - low) * u[:, first : first + 3, 0, 0][:, None, None, :]

    picture = colour(4, 0.0, 1.0).expand(n, resolution, resolution, 3)
    oval = inside((x / size) ** 2 + (y / size / 1.25) ** 2 - 1)
    picture = torch.lerp(picture, colour(7, 0.4, 0.95), oval)
    eye = inside(((x.abs() - 0.4 * size) ** 2 + (y + 0.3 * size) ** 2).sqrt() - (0.08 + 0.06 * u[:, 10]))
    picture = torch.lerp(picture, colour(11, 0.0, 0.5), eye)
    bend = smile * ((x / size) ** 2 - 0.1)
    mouth = inside((y - 0.5 * size + bend).abs() - 0.05) * inside(x.abs() - 0.45 * size)
    picture = torch.lerp(picture, colour(14, 0.1, 0.7), mouth)
    return (picture * 255).round().to(torch.uint8).numpy()
