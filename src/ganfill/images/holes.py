"""Where the hole of a photo comes from: drawn, an alpha channel, or a mask file."""

import difflib
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from PIL import Image

from ganfill.errors import UserError
from ganfill.images import masks
from ganfill.images.photo import Photo, enlarge, has_picture_suffix

ALPHA = "alpha"


class HoleSource(Protocol):
    """Finds the hole of a photo."""

    def __call__(self, photo: Photo, name: str) -> np.ndarray:
        """The hole of the picture ``name``: bool (H, W), True where a pixel is missing.

        Raises:
            UserError: there is none for it.
        """
        ...

    def file_of(self, name: str) -> Path | None:
        """The file that the hole comes from, if any.

        Raises:
            UserError: there should be one.
        """
        ...


@dataclass(frozen=True)
class Drawn:
    """A synthetic hole over the largest square in the middle of a photo, drawn at the model's resolution.

    Args:
        kind: one of ``masks.KINDS``.
        resolution: R; each of its pixels becomes a block of a larger photo.
        seed: mixed with the picture's name.
    """

    kind: masks.Kind
    resolution: int
    seed: int = 0

    def __call__(self, photo: Photo, name: str) -> np.ndarray:
        """Draws the hole of the picture ``name``."""
        small = masks.draw(self.kind, [name], self.resolution, self.resolution, self.seed)[0, 0].numpy()
        height, width = photo.pixels.shape[:2]
        side = min(height, width)
        top, left = (height - side) // 2, (width - side) // 2
        hole = np.zeros((height, width), dtype=bool)
        hole[top : top + side, left : left + side] = enlarge(small, side, side)
        return hole

    def file_of(self, name: str) -> None:
        """No file."""


class Alpha:
    """Missing where the photo's own alpha is 0."""

    def __call__(self, photo: Photo, name: str) -> np.ndarray:
        """Reads the alpha channel.

        Raises:
            UserError: the photo has none.
        """
        if photo.alpha is None:
            raise UserError(f"{name} has no alpha channel: save it with transparency, or give mask=FILE")
        return photo.alpha == 0

    def file_of(self, name: str) -> None:
        """No file but the photo's."""


@dataclass(frozen=True)
class FromFile:
    """A mask file, white where pixels are missing: one for all pictures, or a folder with one of each picture's name."""

    path: Path

    def __call__(self, photo: Photo, name: str) -> np.ndarray:
        """Reads the mask of the picture ``name``.

        Raises:
            UserError: there is none, it cannot be read, or its proportions are not the picture's.
        """
        path = self.file_of(name)
        return to_hole(Photo.read(path), photo.pixels.shape[:2], str(path))

    def file_of(self, name: str) -> Path:
        """The file that holds the mask of the picture ``name``."""
        if self.path.is_file():
            return self.path
        inside = (file for file in self.path.iterdir() if file.is_file())
        found = sorted(file for file in inside if file.stem == name and has_picture_suffix(file))
        if not found:
            raise UserError(
                f"{self.path} holds no mask for {name}: add {self.path / name}.png, white where it is missing"
            )
        return found[0]


@dataclass(frozen=True)
class Inverted:
    """The complement of another source."""

    source: HoleSource

    def __call__(self, photo: Photo, name: str) -> np.ndarray:
        """Missing where the source says known."""
        return ~self.source(photo, name)

    def file_of(self, name: str) -> Path | None:
        """The other source's."""
        return self.source.file_of(name)


def to_hole(mask: Photo | Image.Image, size: tuple[int, int], name: str = "the mask") -> np.ndarray:
    """A mask picture as a hole: missing where it is lighter than middle grey.

    Args:
        mask: any picture; its colours are read as grey, its transparency is ignored.
        size: (H, W) of the picture; a mask of the same proportions is scaled to it, by nearest pixels.
        name: for the message.

    Raises:
        UserError: its proportions differ by more than one pixel.
    """
    photo = mask if isinstance(mask, Photo) else Photo.of(mask)
    hole = np.asarray(Image.fromarray(photo.pixels).convert("L")) > 127
    (height, width), (own_height, own_width) = size, hole.shape
    if abs(own_height * width - own_width * height) > max(height, width, own_height, own_width):
        raise UserError(
            f"{name} is {own_width}x{own_height}, but its picture {width}x{height}: give a mask of the same proportions"
        )
    return enlarge(hole, height, width)


def find_source(word: str, resolution: int, seed: int = 0, invert: bool = False) -> tuple[str, HoleSource]:
    """Reads a word as people write it: a kind, ``alpha``, a file or a folder.

    Returns:
        A short label for the source, and the source.

    Raises:
        UserError: it is none of them.
    """
    path = Path(word)
    source: HoleSource
    if word in masks.KINDS:
        label, source = word, Drawn(masks.KINDS[word], resolution, seed)
    elif word == ALPHA:
        label, source = word, Alpha()
    elif path.exists():
        label, source = path.resolve().stem, FromFile(path)
    else:
        kinds = [*masks.KINDS, ALPHA]
        near = difflib.get_close_matches(word, kinds, n=1)
        hint = f"did you mean {near[0]}?" if near else f"use {', '.join(kinds)}, a mask file or a folder of masks"
        raise UserError(f"mask={word} is no kind of hole and no file: {hint}")
    return label, Inverted(source) if invert else source
