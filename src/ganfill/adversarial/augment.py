"""Augmentations of all pictures that the discriminator sees, real and fake; the generator is trained through them.

``forward(images, generator, p)`` takes pictures (N, 3, R, R), draws each sample's parameters from the CPU
``generator`` and returns pictures of the same shape, float32 (float64 stays). ``p`` in [0, 1] is the schedule's factor of
all probabilities; at 0 pictures stay bit-identical. Samples do not affect each other. All operations can be
differentiated twice, so that penalties on gradients work through them.

``forward`` is ``draw`` on the CPU followed by ``transform`` on the device, which never waits for the device and takes
``p`` as a tensor as well, so that it can be captured or compiled. ``observe(real_logits)``, called once per step of the
discriminator, lets an augmentation adapt.
"""

import math
from abc import ABC, abstractmethod

import torch
from torch import Generator, Tensor, nn

from ganfill.adversarial.colour import jitter, matrix, recolour
from ganfill.adversarial.geometry import cut, shift, source, warp
from ganfill.devices import send


class Augment(nn.Module, ABC):
    """Base class: draws numbers on the CPU and transforms pictures on their device."""

    @abstractmethod
    def draw(self, n: int, generator: Generator) -> Tensor:
        """Draws numbers (n, k), a row per sample; several calls draw the same rows as one."""

    @abstractmethod
    def transform(self, images: Tensor, numbers: Tensor, p: float | Tensor) -> Tensor:
        """Transforms floating-point pictures by ``numbers`` of the same device and type."""

    def forward(self, images: Tensor, generator: Generator, p: float = 1.0) -> Tensor:
        """Returns the transformed pictures."""
        numbers = send(self.draw(len(images), generator), images.device)
        images = images.to(torch.promote_types(images.dtype, torch.float32))
        return self.transform(images, numbers.to(images.dtype), p)

    def observe(self, real_logits: Tensor) -> None:
        """Receives the discriminator's logits (N,) of augmented real pictures."""


class DiffAugment(Augment):
    """Differentiable augmentation (Zhao et al. 2020, arXiv 2006.10738): up to three transformations, in this order.

    Each is applied to a sample with probability ``p``, independently; 1 is the published policy. The memory format
    channels_last is kept.

    Args:
        colour: brightness + U(-0.5, 0.5), saturation x U(0, 2), contrast x U(0.5, 1.5).
        translation: by whole pixels, up to an eighth of the side in either direction, filled with zeros.
        cutout: a square of half the side, centred anywhere in the picture, is set to zero.
    """

    def __init__(self, colour: bool = True, translation: bool = True, cutout: bool = True) -> None:
        super().__init__()
        self.colour, self.translation, self.cutout = colour, translation, cutout

    def draw(self, n: int, generator: Generator) -> Tensor:
        """Draws uniform numbers (n, 10), whichever transformations are switched on."""
        return torch.rand(n, 10, generator=generator)

    def transform(self, images: Tensor, numbers: Tensor, p: float | Tensor) -> Tensor:
        """Transforms pictures by ``numbers``."""
        side = images.shape[2]
        colour, translation, cutout = (numbers[:, :3] < p).unbind(1)
        if self.colour:
            brightness, saturation, contrast = numbers[:, 3:6].unbind(1)
            images = jitter(
                images,
                torch.where(colour, brightness - 0.5, 0),
                torch.where(colour, 2 * saturation, 1),
                torch.where(colour, contrast + 0.5, 1),
            )
        if self.translation:
            reach = round(side / 8)
            steps = torch.where(translation[:, None], _below(numbers[:, 6:8], 2 * reach + 1) - reach, 0)
            images = shift(images, steps[:, 0], steps[:, 1], reach)
        if self.cutout:
            size = round(side / 2)
            centres = _below(numbers[:, 8:10], side + 1 - size % 2)
            corners = centres - size // 2
            images = cut(images, corners[:, 0], corners[:, 1], torch.where(cutout, size, 0))
        return images


def _below(numbers: Tensor, end: int) -> Tensor:
    """Maps uniform numbers in [0, 1) to int64 from 0 to ``end`` - 1."""
    return (numbers * end).long().clamp(max=end - 1)  # a product may be rounded up to ``end``


class ADA(Augment):
    """Adaptive discriminator augmentation (Karras et al. 2020, arXiv 2006.06676), pipeline "bgc".

    Thirteen transformations, each with probability ``p`` per sample: pixel blitting, general geometry, colour (appendix B).
    Every 4 steps ``p`` rises by images / (1000 ``speed_kimg``) if the mean sign of the logits of real pictures is above
    ``target``, and falls by as much otherwise (section 3). It stays in [0, 1]; the published code has no upper bound.

    The paper's wavelet filter for the warp is omitted: it would gather four times as many pixels, and without it fractional
    shifts blur and shrinking aliases by only about a pixel, in real and fake pictures alike. Returns contiguous pictures.

    Args:
        initial: p at the start, in [0, 1].
        target: mean of sign(logit) over real pictures to aim at, in (-1, 1); None keeps p at ``initial``.
        speed_kimg: thousand images in which p can rise from 0 to 1.

    Raises:
        ValueError: an argument is out of range.
    """

    ADJUST_EVERY = 4
    p: Tensor
    signs: Tensor
    seen: Tensor
    steps: Tensor

    def __init__(self, initial: float = 0.0, target: float | None = 0.6, speed_kimg: float = 500.0) -> None:
        super().__init__()
        if not 0 <= initial <= 1:
            raise ValueError(f"initial must be from 0 to 1, not {initial}")
        if target is not None and not -1 < target < 1:
            raise ValueError(f"target must be between -1 and 1, or null for a fixed p, not {target}")
        if not speed_kimg > 0:
            raise ValueError(f"speed_kimg must be above 0, not {speed_kimg}")
        self.target, self.speed_kimg = target, speed_kimg
        self.register_buffer("p", torch.tensor(float(initial)))
        self.register_buffer("signs", torch.zeros(()))
        self.register_buffer("seen", torch.zeros((), dtype=torch.int64))
        self.register_buffer("steps", torch.zeros((), dtype=torch.int64))

    def draw(self, n: int, generator: Generator) -> Tensor:
        """Draws numbers (n, 28): 13 uniform ones to compare with p, then 8 uniform and 7 normal amounts."""
        numbers = torch.rand(n, 28, generator=generator)
        # torch.randn gives other rows when a batch is drawn in parts. Half a step (2^-25) keeps away from 0.
        numbers[:, 21:] = torch.special.ndtri(numbers[:, 21:].double() + 2**-25).float()
        return numbers

    def transform(self, images: Tensor, numbers: Tensor, p: float | Tensor) -> Tensor:
        """Transforms pictures by ``numbers``."""
        side = images.shape[2]
        chance = (self.p * p).clamp(max=1).to(numbers.dtype)
        on = (numbers[:, :11] < chance).unbind(1)
        turns = (numbers[:, 11:13] < 1 - (1 - chance).sqrt()).unbind(1)  # at least one of two with chance p
        flip, quarters, right, down, before, after, luma_flip, hue = numbers[:, 13:21].unbind(1)
        zoom, stretch, move_x, move_y, brightness, contrast, saturation = numbers[:, 21:].unbind(1)
        pixels = (torch.stack((right, down), 1) * 2 - 1) * side / 8
        fraction = torch.stack((move_x, move_y), 1) * side / 8
        linear, offset = source(
            flip=torch.where(on[0], (2 * flip).floor(), 0),
            quarters=torch.where(on[1], (4 * quarters).floor(), 0),
            pixels=torch.where(on[2][:, None], pixels.round(), 0),
            zoom=torch.where(on[3], (0.2 * zoom).exp2(), 1),
            before=torch.where(turns[0], (2 * before - 1) * math.pi, 0),
            stretch=torch.where(on[4], (0.2 * stretch).exp2(), 1),
            after=torch.where(turns[1], (2 * after - 1) * math.pi, 0),
            fraction=torch.where(on[5][:, None], fraction, 0),
        )
        images = warp(images, linear, offset)
        colours = matrix(
            brightness=torch.where(on[6], 0.2 * brightness, 0),
            contrast=torch.where(on[7], (0.5 * contrast).exp2(), 1),
            luma_flip=torch.where(on[8], (2 * luma_flip).floor(), 0),
            hue=torch.where(on[9], (2 * hue - 1) * math.pi, 0),
            saturation=torch.where(on[10], saturation.exp2(), 1),
        )
        return recolour(images, *colours)

    @torch.no_grad()
    def observe(self, real_logits: Tensor) -> None:
        """Counts the signs of the logits (N,); every 4th call moves p. Never waits for the device."""
        if self.target is None:
            return
        self.signs += real_logits.float().sign().sum()
        self.seen += real_logits.numel()
        self.steps += 1
        due = self.steps == self.ADJUST_EVERY
        change = (self.signs - self.target * self.seen).sign() * self.seen / (1000 * self.speed_kimg)
        self.p.copy_(torch.where(due, (self.p + change).clamp(0, 1), self.p))
        for counter in (self.signs, self.seen, self.steps):
            counter.masked_fill_(due, 0)
