"""Fading in of details after a network has grown (Karras et al. 2018, arXiv 1710.10196, section 2)."""

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor
from torch.nn.functional import avg_pool2d, interpolate


def reduce(images: Tensor, factor: int) -> Tensor:
    """Averages squares of ``factor`` pixels: (N, C, H, W) -> (N, C, H / factor, W / factor)."""
    return avg_pool2d(images, factor)


def enlarge(images: Tensor, factor: int) -> Tensor:
    """Interpolates linearly: (N, C, H, W) -> (N, C, factor H, factor W)."""
    return interpolate(images, scale_factor=float(factor), mode="bilinear")


@dataclass(frozen=True)
class Fade:
    """Withholds details from the discriminator at first: it sees pictures blended with a reduced and enlarged copy.

    Karras et al. blend in two places, in the pictures that the discriminator sees and between an old and a new RGB layer of
    the generator. Only the first is done here, for real and generated pictures alike. The second would make the generator
    another network while it fades, so that no model exported before the end would be the one that was trained. Its purpose,
    a generator that does not begin with noise, is achieved by ``ganfill.training.growing``. The share of details is a
    function of the images seen, so a fade has no state.

    Args:
        factor: ratio of the new resolution to the old one, a power of two from 2.
        kimg: thousand images after which the discriminator sees the pictures as they are.
    """

    factor: int
    kimg: float

    def at(self, images_seen: int) -> Callable[[Tensor], Tensor]:
        """Returns the function of pictures (N, 3, H, W) that applies after ``images_seen`` images."""
        details = images_seen / (1000 * self.kimg) if self.kimg > 0 else 1.0

        def fade(images: Tensor) -> Tensor:
            if details >= 1:
                return images
            return enlarge(reduce(images, self.factor), self.factor).lerp(images, details)

        return fade
