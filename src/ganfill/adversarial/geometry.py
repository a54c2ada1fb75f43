"""Moving pixels about, one placement per sample, so that autograd differentiates it as often as a penalty needs.

Pixels are gathered, which every version of torch differentiates twice; R1 through an augmentation needs it.
``torch.nn.functional.grid_sample`` could be differentiated only once for years (pytorch#34704; 2.14 can do it twice).
Products of small matrices are written elementwise: a matrix product may be rounded to TF32 on a GPU, too coarse for a
position.
"""

import torch
from torch.autograd import Function
from torch.nn.functional import pad


class _Shift(Function):
    """``shift``; its transpose is the shift back, so its derivatives of every order are shifts too."""

    @staticmethod
    def forward(ctx, images: torch.Tensor, down: torch.Tensor, right: torch.Tensor, reach: int) -> torch.Tensor:
        """Picks for each sample one of the (2 reach + 1)^2 windows of the padded picture; whole rows are copied."""
        ctx.save_for_backward(down, right)
        ctx.reach = reach
        height, width = images.shape[2:]
        windows = pad(images, (reach, reach, reach, reach)).unfold(2, height, 1).unfold(3, width, 1)
        return windows[torch.arange(len(images), device=images.device), :, reach - down, reach - right]

    @staticmethod
    def backward(ctx, *grad_outputs: torch.Tensor) -> tuple[torch.Tensor, None, None, None]:
        """The shift back, itself differentiable."""
        down, right = ctx.saved_tensors
        shifted = _Shift.apply(grad_outputs[0], -down, -right, ctx.reach)
        return shifted, None, None, None  # pyright: ignore[reportReturnType]


def shift(images: torch.Tensor, down: torch.Tensor, right: torch.Tensor, reach: int) -> torch.Tensor:
    """Moves each picture by whole pixels and fills with zeros.

    Args:
        images: (N, C, H, W); channels_last comes out as channels_last.
        down: int64 (N,), pixels downwards, at most ``reach`` either way.
        right: int64 (N,), the same to the right.
        reach: how far a picture may move.
    """
    return _Shift.apply(images, down, right, reach)  # pyright: ignore[reportReturnType]


def cut(images: torch.Tensor, top: torch.Tensor, left: torch.Tensor, size: torch.Tensor) -> torch.Tensor:
    """Sets to zero the squares [top, top + size) x [left, left + size), as far as they lie in the picture.

    Args:
        images: (N, C, H, W).
        top: int64 (N,), may be negative.
        left: int64 (N,), may be negative.
        size: int64 (N,); 0 cuts nothing.
    """
    rows = torch.arange(images.shape[2], device=images.device) - top[:, None]
    columns = torch.arange(images.shape[3], device=images.device) - left[:, None]
    in_rows, in_columns = ((i >= 0) & (i < size[:, None]) for i in (rows, columns))
    return torch.where((in_rows[:, :, None] & in_columns[:, None, :])[:, None], 0, images)


def _product(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """The matrix product a b of (N, 2, 2) with (N, 2, k)."""
    return (a[:, :, :, None] * b[:, None]).sum(2)


def _matrix(a: torch.Tensor, b: torch.Tensor, c: torch.Tensor, d: torch.Tensor) -> torch.Tensor:
    """((a, b), (c, d)) of vectors (N,) as (N, 2, 2)."""
    return torch.stack((a, b, c, d), 1).view(-1, 2, 2)


def _turn(angle: torch.Tensor) -> torch.Tensor:
    """The matrix (N, 2, 2) of a rotation."""
    sine, cosine = angle.sin(), angle.cos()
    return _matrix(cosine, -sine, sine, cosine)


def source(
    flip: torch.Tensor,
    quarters: torch.Tensor,
    pixels: torch.Tensor,
    zoom: torch.Tensor,
    before: torch.Tensor,
    stretch: torch.Tensor,
    after: torch.Tensor,
    fraction: torch.Tensor,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Where the pixels of a picture come from that is transformed in this order (arXiv 2006.06676, appendix B).

    Positions are (x, y) in pixels from the picture's centre, x to the right and y downwards. Every argument is
    floating-point, one value per sample; flips, quarter turns and whole pixels stay exact.

    Args:
        flip: (N,), 1 mirrors left and right, 0 does not.
        quarters: (N,), 0, 1, 2 or 3 quarter turns counter-clockwise.
        pixels: (N, 2), translation by whole pixels.
        zoom: (N,), factor of an isotropic scaling.
        before: (N,), angle of the rotation before the stretch.
        stretch: (N,), x is scaled by it, y by its inverse.
        after: (N,), angle of the rotation after the stretch.
        fraction: (N, 2), translation by any number of pixels.

    Returns:
        ``linear`` (N, 2, 2) and ``offset`` (N, 2): the position ``linear @ position + offset`` of the original is seen
        at ``position`` of the result.
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


def _reflect(position: torch.Tensor, last: int) -> torch.Tensor:
    """Positions folded into [0, last] by mirrors that stand on the first and on the last pixel."""
    period = 2 * last
    return (position - period * (position / period).round()).abs().clamp(max=last)


def warp(images: torch.Tensor, linear: torch.Tensor, offset: torch.Tensor) -> torch.Tensor:
    """Samples pictures bilinearly at the positions of ``source``; beyond its edge a picture goes on mirrored.

    Args:
        images: (N, C, H, W), any memory format; comes out contiguous.
        linear: (N, 2, 2).
        offset: (N, 2).
    """
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

    def at(index: torch.Tensor) -> torch.Tensor:
        return pixels.gather(2, index.flatten(1)[:, None].expand(-1, pixels.shape[1], -1)).view(images.shape)

    share_x, share_y = (across - left)[:, None], (down - top)[:, None]
    upper = torch.lerp(at(first), at(first + right), share_x)
    lower = torch.lerp(at(first + below), at(first + below + right), share_x)
    return torch.lerp(upper, lower, share_y)
