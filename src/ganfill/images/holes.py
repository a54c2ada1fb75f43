"""Holes of photos: synthetic ones, alpha channels and mask files."""

import difflib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from ganfill.errors import UserError
from ganfill.files import identify
from ganfill.images import masks
from ganfill.images.formats import suffixes
from ganfill.images.photo import Photo, enlarge

ALPHA = "alpha"
NOTHING = "nothing"


@dataclass(frozen=True)
class HoleSource:
    """Finds the holes of photos.

    Args:
        mask: one of ``masks.KINDS``, drawn over the largest square in the middle of the photo; ``alpha``, missing where the
            photo's alpha is 0; ``nothing``; a mask file, white where pixels are missing; or a folder of masks named like the
            pictures.
        resolution: at which synthetic holes are drawn; each of their pixels becomes a block of a larger photo.
        seed: of synthetic holes, mixed with the picture's name.
        invert: exchange missing and known.

    Raises:
        UserError: ``mask`` is none of these.
    """

    mask: str
    resolution: int
    seed: int = 0
    invert: bool = False

    def __post_init__(self) -> None:
        kinds = [*masks.KINDS, ALPHA]
        if self.mask not in (*kinds, NOTHING) and not (Path(self.mask).is_file() or Path(self.mask).is_dir()):
            near = difflib.get_close_matches(self.mask, kinds, n=1)
            hint = f"did you mean {near[0]}?" if near else f"use {', '.join(kinds)}, a mask file or a folder of masks"
            raise UserError(f"mask={self.mask} is no kind of hole and no file: {hint}")

    @property
    def label(self) -> str:
        """The kind, or the name of the file without its suffix."""
        return self.mask if self._is_word else identify(Path(self.mask)).stem

    def __call__(self, photo: Photo, name: str) -> np.ndarray:
        """The hole of the picture ``name``: bool (H, W), True where a pixel is missing.

        Raises:
            UserError: the photo has no alpha channel; or its mask does not exist, cannot be read, or has other proportions.
        """
        return self._find(photo, name) ^ self.invert

    def file_of(self, name: str) -> Path | None:
        """The mask file of the picture ``name``; None if no file is needed.

        Raises:
            UserError: the folder holds no mask for it.
        """
        if self._is_word:
            return None
        path = Path(self.mask)
        if path.is_file():
            return path
        files = (
            file
            for file in path.iterdir()
            if file.is_file() and file.stem == name and file.suffix.lower() in suffixes()
        )
        if (first := min(files, default=None)) is None:
            raise UserError(f"{path} holds no mask for {name}: add {path / name}.png, white where it is missing")
        return first

    @property
    def _is_word(self) -> bool:
        return self.mask in masks.KINDS or self.mask in (ALPHA, NOTHING)

    def _find(self, photo: Photo, name: str) -> np.ndarray:
        height, width = photo.pixels.shape[:2]
        if (path := self.file_of(name)) is not None:
            return to_hole(Photo.read(path), (height, width), str(path))
        if self.mask == ALPHA:
            if photo.alpha is None:
                raise UserError(f"{name} has no alpha channel: save it with transparency, or give mask=FILE")
            return photo.alpha == 0
        if self.mask == NOTHING:
            return np.zeros((height, width), dtype=bool)
        small = masks.draw(masks.KINDS[self.mask], [name], self.resolution, self.resolution, self.seed)[0, 0].numpy()
        side = min(height, width)
        top, left = (height - side) // 2, (width - side) // 2
        hole = np.zeros((height, width), dtype=bool)
        hole[top : top + side, left : left + side] = enlarge(small, side, side)
        return hole


def to_hole(mask: Photo | Image.Image, size: tuple[int, int], name: str = "the mask") -> np.ndarray:
    """Converts a mask to a hole, bool (H, W), missing where the mask is lighter than middle grey.

    Args:
        mask: any picture; colours are read as grey, transparency is ignored.
        size: (H, W) of the picture; a mask of the same proportions is scaled to it, by nearest pixels.
        name: for the message.

    Raises:
        UserError: the proportions differ by more than one pixel.
    """
    photo = mask if isinstance(mask, Photo) else Photo.of(mask)
    hole = np.asarray(Image.fromarray(photo.pixels).convert("L")) > 127
    (height, width), (mask_height, mask_width) = size, hole.shape
    if abs(mask_height * width - mask_width * height) > max(height, width, mask_height, mask_width):
        raise UserError(
            f"{name} is {mask_width}x{mask_height}, but its picture {width}x{height}: give a mask of the same proportions"
        )
    return enlarge(hole, height, width)
