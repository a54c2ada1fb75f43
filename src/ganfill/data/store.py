"""The image store: a directory of decoded square pictures of one size, with a fixed split."""

import hashlib
import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any
from zipfile import is_zipfile

import numpy as np

from ganfill.errors import UserError
from ganfill.files import walk
from ganfill.images.formats import suffixes

FORMAT = "ganfill-images-1"
IMAGES, INDEX, UNFINISHED = "images.npy", "index.json", ".partial"


@dataclass(frozen=True)
class ImageStore:
    """The output of ``ganfill prepare``: ``images.npy`` and ``index.json``.

    Attributes:
        path: the directory.
        images: uint8 (N, H, W, 3), a read-only memmap; H = W = ``resolution``.
        index: content of ``index.json``: the settings, and id, SHA-256, split and source of each picture.
        digest: SHA-256 of ``index.json``, which contains a SHA-256 of every picture.
    """

    path: Path
    images: np.ndarray
    index: dict[str, Any]
    digest: str

    @classmethod
    def open(cls, path: Path) -> "ImageStore":
        """Opens a finished store.

        Raises:
            UserError: there is no store, or it is unfinished, from another program, or damaged.
        """
        try:
            content = (path / INDEX).read_bytes()
        except OSError:
            raise UserError(_explain_missing(path)) from None
        try:
            index = json.loads(content)
            if index["format"] != FORMAT:
                raise ValueError(f"its format is {index['format']}, not {FORMAT}")
            size = int(index["resolution"])
            shape = (len(index["pictures"]), size, size, 3)
            images = np.lib.format.open_memmap(path / IMAGES, mode="r")
            if images.shape != shape or images.dtype != np.uint8:
                raise ValueError(f"{IMAGES} holds {images.dtype} {images.shape}, {INDEX} says uint8 {shape}")
        except (OSError, ValueError, KeyError, TypeError) as error:
            reason = f"{error} is missing" if isinstance(error, KeyError) else error
            raise UserError(f"{path} is not an intact image store ({reason}): delete it and prepare it again") from None
        return cls(path, images, index, hashlib.sha256(content).hexdigest())

    @property
    def resolution(self) -> int:
        """Side of the pictures in pixels."""
        return int(self.index["resolution"])

    @cached_property
    def ids(self) -> list[str]:
        """Unique names of the pictures, such as ``ffhq64/01000``."""
        return [picture["id"] for picture in self.index["pictures"]]

    @cached_property
    def splits(self) -> list[str]:
        """``train`` or ``test`` for each picture."""
        return [picture["split"] for picture in self.index["pictures"]]

    def rows(self, split: str) -> np.ndarray:
        """Returns the rows of ``images`` in split ``train`` or ``test``; int64 (M,), ascending."""
        return np.flatnonzero(np.asarray(self.splits) == split).astype(np.int64)


def _explain_missing(path: Path) -> str:
    if (path / UNFINISHED).is_dir():
        return f"{path} is an unfinished image store: run the same ganfill prepare command again to continue"
    if is_zipfile(path) or any(file.suffix.lower() in suffixes() for file in walk(path)):
        return (
            f"{path} holds pictures that are not prepared: train with data={path}, or prepare them with "
            f"ganfill prepare source={path} out={path.with_suffix('')}_store"
        )
    return (
        f"{path} holds no prepared pictures. FFHQ is at https://github.com/NVlabs/ffhq-dataset: download "
        "thumbnails128x128 (2 GB) or images1024x1024 (89 GB), as a folder or as a zip, then run "
        f"ganfill prepare source=thumbnails128x128 out={path} split=ffhq "
        f"(pictures of your own: ganfill prepare source=FOLDER out={path})"
    )
