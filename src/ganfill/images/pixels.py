"""Conversion between the two forms of pictures: float32 NCHW in [-1, 1] for networks, uint8 NHWC for files."""

import torch


def to_float(pixels: torch.Tensor) -> torch.Tensor:
    """uint8 (..., H, W, 3) -> float32 (..., 3, H, W) in [-1, 1]; a batch has channels-last memory."""
    return pixels.movedim(-1, -3).float().div_(127.5).sub_(1)


def to_uint8(images: torch.Tensor) -> torch.Tensor:
    """Float (..., 3, H, W) -> uint8 (..., H, W, 3), rounded to the nearest level, values outside [-1, 1] clamped."""
    return images.float().add(1).mul_(127.5).round_().clamp_(0, 255).to(torch.uint8).movedim(-3, -1)
