"""Damaged pictures as a search sees them: the known pixels, without the content of the hole."""

import hashlib
from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class Target:
    """Damaged pictures.

    Attributes:
        image: float (N, 3, R, R) in [-1, 1], 0 in the hole.
        known: float (N, 1, R, R), 1 where a pixel is known and 0 in the hole.
        keys: a hash of each picture's known pixels and hole, which seeds its random numbers. So an answer depends neither on
            the position in the batch nor on the content of the hole.
    """

    image: torch.Tensor
    known: torch.Tensor
    keys: tuple[str, ...]

    @classmethod
    def of(cls, images: torch.Tensor, holes: torch.Tensor, device: torch.device | str = "cpu") -> "Target":
        """Removes the content of the holes.

        Args:
            images: float (N, 3, R, R) in [-1, 1]; pixels in the hole may have any value, including NaN.
            holes: bool (N, 1, R, R), True where a pixel is missing.
            device: of the result.

        Raises:
            ValueError: a shape or type does not fit, or a known pixel is not finite.
        """
        if images.ndim != 4 or images.shape[1] != 3 or not images.is_floating_point():
            raise ValueError(f"images must be float (N, 3, H, W), got {images.dtype} {tuple(images.shape)}")
        expected = (len(images), 1, *images.shape[2:])
        if holes.dtype != torch.bool or holes.shape != expected:
            raise ValueError(f"holes must be bool {expected}, got {holes.dtype} {tuple(holes.shape)}")
        image = torch.where(holes, 0.0, images.float()).cpu().contiguous()
        holes = holes.cpu().contiguous()
        if not image.isfinite().all():
            raise ValueError("a known pixel is NaN or infinite; mark such pixels as missing in holes")
        keys = tuple(
            hashlib.blake2b(picture.numpy().tobytes() + hole.numpy().tobytes(), digest_size=16).hexdigest()
            for picture, hole in zip(image, holes, strict=True)
        )
        return cls(image.to(device), (~holes).float().to(device), keys)

    def __len__(self) -> int:
        return len(self.keys)

    def hide(self, held_out: torch.Tensor) -> "Target":
        """Returns the pictures with more pixels missing: float (N, 1, R, R), 1 where a pixel becomes missing."""
        known = self.known * (1 - held_out)
        return Target(self.image * known, known, self.keys)

    def mirror(self) -> "Target":
        """Returns the pictures flipped left to right, with the same keys."""
        return Target(self.image.flip(3), self.known.flip(3), self.keys)

    def pick(self, begin: int, end: int) -> "Target":
        """Returns the pictures ``begin`` to ``end`` (exclusive); beyond the last one, it is repeated."""
        rows = [min(i, len(self) - 1) for i in range(begin, end)]
        return Target(self.image[rows], self.known[rows], tuple(self.keys[i] for i in rows))
