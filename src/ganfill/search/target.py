"""What a search may see of damaged pictures: the known pixels, and nothing of the hole."""

import hashlib
from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class Target:
    """Damaged pictures, ready to be searched for.

    Attributes:
        image: float (N, 3, R, R) in [-1, 1], 0 in the hole whatever was there, or what is expected there.
        known: float (N, 1, R, R), 1 where a pixel is known and 0 in the hole.
        keys: one word for each picture, made of its known pixels and hole: the seed of its random numbers, so that an
            answer depends neither on the place in the batch nor on what the hole holds.
    """

    image: torch.Tensor
    known: torch.Tensor
    keys: tuple[str, ...]

    @classmethod
    def of(cls, images: torch.Tensor, holes: torch.Tensor, device: torch.device | str = "cpu") -> "Target":
        """Hides the holes.

        Args:
            images: float (N, 3, R, R) in [-1, 1]; the hole's pixels may be anything, NaN too.
            holes: bool (N, 1, R, R), True where a pixel is missing.
            device: where the search runs.

        Raises:
            ValueError: shapes or types do not fit, or a known pixel is not finite.
        """
        if images.ndim != 4 or images.shape[1] != 3 or not images.is_floating_point():
            raise ValueError(f"images must be float (N, 3, H, W), not {images.dtype} {tuple(images.shape)}")
        if holes.dtype != torch.bool or holes.shape != (len(images), 1, *images.shape[2:]):
            expected = (len(images), 1, *images.shape[2:])
            raise ValueError(f"holes must be bool {expected}, not {holes.dtype} {tuple(holes.shape)}")
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

    def hide(self, held: torch.Tensor) -> "Target":
        """The same pictures with some more pixels missing: float (N, 1, R, R), 1 where one is hidden."""
        known = self.known * (1 - held)
        return Target(self.image * known, known, self.keys)

    def mirror(self) -> "Target":
        """The same pictures, left and right exchanged."""
        return Target(self.image.flip(3), self.known.flip(3), self.keys)

    def repeat(self, count: int) -> "Target":
        """Each picture ``count`` times in a row."""
        keys = tuple(key for key in self.keys for _ in range(count))
        return Target(self.image.repeat_interleave(count, 0), self.known.repeat_interleave(count, 0), keys)

    def pick(self, begin: int, end: int) -> "Target":
        """Pictures ``begin`` to ``end`` (excluded); past the last one, the last is repeated."""
        rows = [min(i, len(self) - 1) for i in range(begin, end)]
        return Target(self.image[rows], self.known[rows], tuple(self.keys[i] for i in rows))
