"""The forms in which pictures and masks may be given from Python: Pillow pictures, files and uint8 arrays."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from ganfill.images.photo import Photo

Picture = Image.Image | np.ndarray | str | Path
FORMS = "Pillow pictures, paths, uint8 arrays (H, W, 3), or a float tensor (N, 3, H, W)"


def as_list(pictures: Any) -> tuple[list[Any], bool]:
    """Returns pictures as a list, and True if they are a single one.

    Raises:
        ValueError: they have another form.
    """
    if isinstance(pictures, Picture) and getattr(pictures, "ndim", 2) < 4:
        return [pictures], True
    if not isinstance(pictures, Iterable):
        raise ValueError(f"images must be {FORMS}, not {type(pictures).__name__}")
    return list(pictures), False


def to_photo(picture: Picture, name: str) -> Photo:
    """Converts a picture to a photo.

    Raises:
        ValueError: it has another form or no pixels.
        UserError: a file cannot be read.
    """
    if isinstance(picture, str | Path):
        return Photo.read(Path(picture))
    if isinstance(picture, np.ndarray):
        if picture.dtype != np.uint8 or picture.ndim not in (2, 3) or picture.shape[2:] not in ((), (3,), (4,)):
            raise ValueError(f"{name} must be uint8 (H, W, 3), not {picture.dtype} {picture.shape}")
        picture = Image.fromarray(picture) if picture.size else Image.new("RGB", (0, 0))
    if not isinstance(picture, Image.Image):
        raise ValueError(f"images and holes must be {FORMS}, not {type(picture).__name__}")
    if 0 in picture.size:
        raise ValueError(f"{name} has no pixels")
    return Photo.of(picture)


def to_mask(mask: Picture, name: str) -> Image.Image | Photo:
    """Converts a mask, also a bool array (H, W), for ``images.holes.to_hole``; the errors are those of ``to_photo``."""
    if isinstance(mask, np.ndarray) and mask.dtype == bool and mask.ndim == 2 and mask.size:
        return Image.fromarray(mask)
    return to_photo(mask, name)
