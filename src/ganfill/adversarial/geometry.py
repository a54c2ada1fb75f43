"""Geometric transformations, one per sample, twice differentiable as R1 through an augmentation needs.

Pixels are gathered, because ``torch.nn.functional.grid_sample`` has a second derivative only in recent versions of torch
(pytorch#34704; 2.14 has it). Products of small matrices are elementwise: a GPU may round matrix products to TF32, too
coarse for positions.
"""

import torch
from torch import Tensor
from torch.autograd import Function
from torch.nn.functional import pad


class _Shift(Function):
    """Implements ``shift``. Its transpose is the reverse shift, so derivatives of every order are shifts too."""

    @staticmethod
    def forward(ctx, images: Tensor, down: Tensor, right: Tensor, reach: int) -> Tensor:
        """Picks one of the (2 reach + 1)^2 windows of each padded picture; whole rows are copied."""
        ctx.save_for_backward(down, right)
        ctx.reach = reach
        height, width = images.shape[2:]
        windows = pad(images, (reach, reach, reach, reach)).unfold(2, height, 1).unfold(3, width, 1)
        return windows[torch.arange(len(images), device=images.device), :, reach - down, reach - right]

    @staticmethod
    def backward(ctx, *grad_outputs: Tensor) -> tuple[Tensor, None, None, None]:
        """Shifts back, differentiably."""
        down, right = ctx.saved_tensors
        shifted = _Shift.apply(grad_outputs[0], -down, -right, ctx.reach)
        return shifted, None, None, None  # pyright: ignore[reportReturnType]


def shift(images: Tensor, down: Tensor, right: Tensor, reach: int) -> Tensor:
    """Moves pictures (N, C, H, W) down and right by int64 (N,) pixels (at most ``reach``) and fills with zeros."""
    return _Shift.apply(images, down, right, reach)  # pyright: ignore[reportReturnType]


def cut(images: Tensor, top: Tensor, left: Tensor, size: Tensor) -> Tensor:
    """Sets the squares [top, top + size) x [left, left + size) of pictures (N, C, H, W) to zero.

    ``top``, ``left`` and ``size`` are int64 (N,). Squares may reach beyond the picture.
    """
    rows = torch.arange(images.shape[2], device=images.device) - top[:, None]
    columns = torch.arange(images.shape[3], device=images.device) - left[:, None]
    in_rows, in_columns = ((i >= 0) & (i < size[:, None]) for i in (rows, columns))
    return torch.where((in_rows[:, :, None] & in_columns[:, None, :])[:, None], 0, images)


def _product(a: Tensor, b: Tensor) -> Tensor:
    """Matrix product of (N, 2, 2) and (N, 2, k)."""
    return (a[:, :, :, None] * b[:, None]).sum(2)


def _matrix(a: Tensor, b: Tensor, c: Tensor, d: Tensor) -> Tensor:
    """((a, b), (c, d)) of vectors (N,) as (N, 2, 2)."""
    return torch.stack((a, b, c, d), 1).view(-1, 2, 2)


def _turn(angle: Tensor) -> Tensor:
    sine, cosine = angle.sin(), angle.cos()
    return _matrix(cosine, -sine, sine, cosine)


def source(
    flip: Tensor,  # 1 mirrors left and right, 0 does not
    quarters: Tensor,  # 0 to 3 quarter turns counter-clockwise
    pixels: Tensor,  # (N, 2), translation by whole pixels
    zoom: Tensor,  # factor of an isotropic scaling
    before: Tensor,  # angle of the rotation before the stretch
    stretch: Tensor,  # factor of x; y is scaled by its inverse
    after: Tensor,  # angle of the rotation after the stretch
    fraction: Tensor,  # (N, 2), translation by any number of pixels
) -> tuple[Tensor, Tensor]:
    """Combines ADA's geometric transformations, in this order, into one affine map (arXiv 2006.06676, appendix B).

    Positions are (x, y) in pixels from the picture's centre, x to the right and y down. All arguments are floating-point,
    (N,) unless stated otherwise; flips, quarter turns and whole pixels stay exact.

    Returns:
        ``linear`` (N, 2, 2) and ``offset`` (N, 2): the result at ``position`` shows the original at
        ``linear @ position + offset``.
    """
    cosine = (quarters == 0).to(zoom) - (quarters == 2).to(zoom)
    sine = (quarters == 1).to(zoom) - (quarters == 3).to(zoom)
    mirror = 1 - 2 * flip
    blit = _matrix(mirror * cosine, -mirror * sine, sine, cosine)
    zero = torch.zeros_like(zoom)
    scale = _matrix(1 / (zoom * stretch), zero, zero, stretch / zoom)
    rest = _product(_product(_turn(-before), scale), _turn(-after))
    offset = _product(blit, _product(rest, -fraction[:, :, None]) - pixels[:, :, None])
    return _product(blit, rest), offset.squeeze(2)


def _reflect(position: Tensor, last: int) -> Tensor:
    """Reflects positions at the first and the last pixel into [0, last]."""
    period = 2 * last
    return (position - period * (position / period).round()).abs().clamp(max=last)


def warp(images: Tensor, linear: Tensor, offset: Tensor) -> Tensor:
    """Samples pictures (N, C, H, W) bilinearly by the map of ``source``, with reflection; returns them contiguous."""
    height, width = images.shape[2:]
    x = torch.arange(width, device=images.device, dtype=offset.dtype) - (width - 1) / 2
    y = (torch.arange(height, device=images.device, dtype=offset.dtype) - (height - 1) / 2)[:, None]
    m, shifted = linear[:, :, :, None, None], offset[:, :, None, None]
    across = _reflect(m[:, 0, 0] * x + (m[:, 0, 1] * y + shifted[:, 0] + (width - 1) / 2), width - 1)
    down = _reflect(m[:, 1, 0] * x + (m[:, 1, 1] * y + shifted[:, 1] + (height - 1) / 2), height - 1)
    left, top = across.floor(), down.floor()
    first = (top * width + left).long()  # exact in float32 for pictures of up to 4096 x 4096 pixels
    right, below = (left < width - 1).long(), (top < height - 1).long() * width
    pixels = images.flatten(2)

    def at(index: Tensor) -> Tensor:
        return pixels.gather(2, index.flatten(1)[:, None].expand(-1, pixels.shape[1], -1)).view(images.shape)

    share_x, share_y = (across - left)[:, None], (down - top)[:, None]
    upper = torch.lerp(at(first), at(first + right), share_x)
    lower = torch.lerp(at(first + below), at(first + below + right), share_x)
    return torch.lerp(upper, lower, share_y)
