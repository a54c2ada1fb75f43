"""Expansion of photos beyond their edges, for outpainting: the canvas grows, and its new part is the hole."""

import re
from dataclasses import dataclass, replace

import numpy as np

from ganfill.errors import UserError
from ganfill.images.photo import Photo

SIDES = ("left", "right", "top", "bottom")
FORM = "left, right, top or bottom, a colon, and pixels or percent of the photo, such as left:25%,top:100"


@dataclass(frozen=True)
class Expansion:
    """Adds missing pixels to the sides of photos.

    Args:
        amounts: by side, ``left``, ``right``, ``top`` or ``bottom``: a number above 0, and True if it is in percent of the
            photo's width or height, at most 100, or False if it is in pixels.
    """

    amounts: dict[str, tuple[float, bool]]

    @classmethod
    def parse(cls, text: str) -> "Expansion":
        """Parses ``left:25%,top:100``.

        Raises:
            UserError: the text has another form, names a side twice, or an amount cannot be used.
        """
        amounts: dict[str, tuple[float, bool]] = {}
        for word in text.split(","):
            match = re.fullmatch(r"\s*(\w+):(\d+(?:\.\d+)?)(%?)\s*", word)
            if not match or match[1] not in SIDES or match[1] in amounts:
                raise UserError(f"expand={text} is not known at {word!r}: give each side once, as {FORM}")
            amount, percent = float(match[2]), bool(match[3])
            if not 0 < amount <= (100 if percent else amount) or (not percent and amount != int(amount)):
                raise UserError(f"expand={text}: {word} cannot be used: give whole pixels from 1, or up to 100 percent")
            amounts[match[1]] = amount, percent
        return cls(amounts)

    def __call__(self, photo: Photo, hole: np.ndarray) -> tuple[Photo, np.ndarray]:
        """Returns the larger photo, black in its new part, and its hole, bool (H, W), with the new part missing.

        Raises:
            UserError: the photo would be more than three times as wide or high.
        """
        height, width = hole.shape
        added = {
            side: max(1, round(amount * length / 100)) if percent else int(amount)
            for side, (amount, percent) in self.amounts.items()
            for length in [width if side in ("left", "right") else height]
        }
        left, right, top, bottom = (added.get(side, 0) for side in SIDES)
        if max(left, right) > width or max(top, bottom) > height:
            raise UserError(f"expand adds more pixels to a side than the photo has, {width}x{height}: give fewer")
        margins = (top, bottom), (left, right)
        larger = replace(
            photo,
            pixels=np.pad(photo.pixels, (*margins, (0, 0))),
            alpha=None if photo.alpha is None else np.pad(photo.alpha, margins, constant_values=255),
            deep=None if photo.deep is None else np.pad(photo.deep, margins),
        )
        return larger, np.pad(hole, margins, constant_values=True)
