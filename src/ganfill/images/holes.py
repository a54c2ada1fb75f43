"""Holes of photos: synthetic ones, alpha channels and mask files."""

import difflib
import os
import unicodedata
from collections import defaultdict
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from ganfill.errors import UserError
from ganfill.files import identify, is_same, walk
from ganfill.images import mask_values, masks
from ganfill.images.formats import suffixes
from ganfill.images.photo import Photo, enlarge

ALPHA = "alpha"
NOTHING = "nothing"
MASK_END = "_mask"  # of the name of a mask that may lie beside its picture
EMPTY = "nothing is missing, so the picture stays as it is"
FULL = "everything is missing: no pixel of the picture is known, so the answers are random samples of the model"


@dataclass(frozen=True)
class HoleSource:
    """Finds the holes of photos.

    Args:
        mask: one of ``masks.KINDS``, drawn over the largest square in the middle of the photo; ``alpha``, missing where the
            photo's alpha is 0; ``nothing``; a mask file, white where pixels are missing; or a folder of masks named like the
            pictures, with or without ``_mask`` at the end; those in a sub-folder are for pictures in a folder of its name.
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
            raise UserError(f"mask={self.mask} is neither a kind of hole nor a file: {hint}")

    @property
    def is_drawn(self) -> bool:
        """True for synthetic holes."""
        return self.mask in masks.KINDS

    @property
    def label(self) -> str:
        """The kind, or the name of the file without its suffix."""
        return self.mask if self._is_word else identify(Path(self.mask)).stem

    def __call__(self, photo: Photo, picture: Path | str) -> np.ndarray:
        """The hole of a picture: bool (H, W), True where a pixel is missing.

        Args:
            photo: the picture.
            picture: its path or name.

        Raises:
            UserError: the photo has no alpha channel; or its mask does not exist, cannot be read, or has other proportions.
        """
        return self._find(photo, Path(picture)) ^ self.invert

    def file_of(self, picture: Path | str) -> Path | None:
        """The mask file of a picture, given by its path or name; None if no file is needed.

        Raises:
            UserError: the folder holds no mask for it, or several.
        """
        if self._is_word:
            return None
        path, stem = Path(self.mask), _normalize(Path(picture).stem)
        if path.is_file():
            return path
        found = self._masks_of(f"{stem}{MASK_END}", picture) or self._masks_of(stem, picture)
        if not found:
            names = stem, f"{stem}{MASK_END}"
            near = next((self._folded[name.casefold()] for name in names if name.casefold() in self._folded), None)
            if near and _normalize(near.stem) not in names:
                raise UserError(
                    f"{path} holds no mask for {stem}, but {near}: write both with the same capital letters"
                )
            raise UserError(
                f"{path} holds no mask for {stem}: add {path / stem}{MASK_END}.png, white where it is missing"
            )
        if len(found) > 1 and not any(is_same(mask, Path(picture)) for mask in found):
            raise UserError(f"{found[0]} and {found[1]} are both masks of {stem}: keep one of them")
        return found[0]

    def _masks_of(self, stem: str, picture: Path | str) -> list[Path]:
        """The masks of a stem in the deepest folder that has the name of the picture's own folder."""
        folder = Path(_normalize(os.path.abspath(picture))).parent.parts  # noqa: PTH100  # a link keeps its name
        fitting = defaultdict[int, list[Path]](list)
        for mask in self._masks.get(stem, ()):
            parts = Path(_normalize(str(mask.relative_to(self.mask)))).parent.parts
            if folder[len(folder) - len(parts) :] == parts:
                fitting[len(parts)].append(mask)
        return fitting[max(fitting)] if fitting else []

    @cached_property
    def _masks(self) -> dict[str, list[Path]]:
        """The masks in the folder by stem, listed once, because there may be many."""
        by_stem = defaultdict[str, list[Path]](list)
        for file in walk(Path(self.mask)):
            if file.suffix.lower() in suffixes() and file.is_file():
                by_stem[_normalize(file.stem)].append(file)
        return dict(by_stem)

    @cached_property
    def _folded(self) -> dict[str, Path]:
        """A mask of each stem without the difference of capital and small letters."""
        return {stem.casefold(): files[0] for stem, files in self._masks.items()}

    @property
    def _is_word(self) -> bool:
        return self.is_drawn or self.mask in (ALPHA, NOTHING)

    def _find(self, photo: Photo, picture: Path) -> np.ndarray:
        height, width = photo.pixels.shape[:2]
        if (path := self.file_of(picture)) is not None:
            return to_hole(Photo.read(path), (height, width), str(path))
        if self.mask == ALPHA:
            if photo.alpha is None:
                raise UserError(f"{picture.stem} has no alpha channel: save it with transparency, or give mask=FILE")
            return photo.alpha == 0
        if self.mask == NOTHING:
            return np.zeros((height, width), dtype=bool)
        kind, resolution = masks.KINDS[self.mask], self.resolution
        small = masks.draw(kind, [picture.stem], resolution, resolution, self.seed)[0, 0].numpy()
        side = min(height, width)
        top, left = (height - side) // 2, (width - side) // 2
        hole = np.zeros((height, width), dtype=bool)
        hole[top : top + side, left : left + side] = enlarge(small, side, side)
        return hole


def to_hole(mask: Photo | Image.Image, size: tuple[int, int], name: str = "the mask") -> np.ndarray:
    """Converts a mask to a hole, bool (H, W), see ``ganfill.images.mask_values.read``.

    Args:
        mask: any picture.
        size: (H, W) of the picture; a mask of the same proportions is scaled to it, by nearest pixels.
        name: for the message.

    Raises:
        UserError: the proportions differ by more than one pixel, or the mask is ambiguous.
    """
    hole = mask_values.read(mask if isinstance(mask, Photo) else Photo.of(mask), name)
    (height, width), (mask_height, mask_width) = size, hole.shape
    if abs(mask_height * width - mask_width * height) > max(height, width, mask_height, mask_width):
        turned = ", or turn it by 90 degrees" if (mask_height, mask_width) == (width, height) else ""
        raise UserError(
            f"{name} is {mask_width}x{mask_height}, but its picture {width}x{height}: "
            f"give a mask of the same proportions{turned}"
        )
    return enlarge(hole, height, width)


def grow(hole: np.ndarray, pixels: float) -> np.ndarray:
    """Widens a hole, bool (H, W), by a number of pixels in every direction."""
    if pixels <= 0 or not hole.any():
        return hole
    return cv2.distanceTransform((~hole).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE) <= pixels


def soften(picture: np.ndarray, photo: np.ndarray, hole: np.ndarray, pixels: float) -> np.ndarray:
    """Lets a finished picture fade into the photo, in the outermost pixels of the hole.

    Args:
        picture: uint8 (H, W, 3).
        photo: uint8 (H, W, 3).
        hole: bool (H, W); its outermost ``pixels`` are known, see ``grow``.
        pixels: width of the transition.
    """
    if pixels <= 0 or hole.all():
        return picture
    inside = cv2.distanceTransform(hole.astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    # The edge was known before the hole was widened.
    edge = hole & (inside < pixels)
    share = (inside[edge] / pixels)[:, None]
    softened = picture.copy()
    softened[edge] = (share * picture[edge] + (1 - share) * photo[edge]).round()
    return softened


def masks_beside(folder: Path) -> list[Path]:
    """The masks in a folder, at any depth, that lie beside their pictures: ``NAME_mask.png`` beside ``NAME.jpg``."""
    files = [file for file in walk(folder) if file.suffix.lower() in suffixes()]
    pictures = {(file.parent, _normalize(file.stem)) for file in files}
    stems = ((file, _normalize(file.stem)) for file in files)
    ends = ((file, stem.removesuffix(MASK_END)) for file, stem in stems if stem.endswith(MASK_END))
    return [file for file, stem in ends if (file.parent, stem) in pictures]


def _normalize(name: str) -> str:
    """The composed form of a name: file systems of macOS store accents as characters of their own."""
    return unicodedata.normalize("NFC", name)
