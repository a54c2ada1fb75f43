"""The image store: a directory of decoded square pictures of one size, with a fixed split."""

import hashlib
import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any
from zipfile import is_zipfile

import numpy as np

from ganfill.errors import UserError, first_line
from ganfill.files import walk
from ganfill.images.formats import suffixes
from ganfill.text_files import read_text

FORMAT = "ganfill-images-1"
SPLITS = ("train", "test")
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
            text = read_text(path / INDEX)
        except OSError:
            raise UserError(_explain_missing(path)) from None
        except ValueError as error:
            raise _damaged(path, error) from None
        try:
            index = json.loads(text)
            if index["format"] != FORMAT:
                raise ValueError(f"its format is {index['format']}, not {FORMAT}")
            size = index["resolution"]
            if type(size) is not int:
                raise ValueError(f"its resolution is {size!r:.40}, not a whole number")
            _check_pictures(index["pictures"])
            shape = (len(index["pictures"]), size, size, 3)
            if not (path / IMAGES).is_file():  # a pipe might be read without end
                raise FileNotFoundError(f"No such file: {IMAGES}")
            images = np.lib.format.open_memmap(path / IMAGES, mode="r")
            if images.shape != shape or images.dtype != np.uint8:
                raise ValueError(f"{IMAGES} holds {images.dtype} {images.shape}, {INDEX} says uint8 {shape}")
        except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
            raise _damaged(path, error) from None
        return cls(path, images, index, hashlib.sha256(text.encode()).hexdigest())

    @property
    def resolution(self) -> int:
        """Side of the pictures in pixels."""
        return self.index["resolution"]

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


def _check_pictures(pictures: Any) -> None:
    """Raises ``ValueError`` unless each picture has an id and a split."""
    if not isinstance(pictures, list):
        raise ValueError(f"its pictures are {type(pictures).__name__}, not a list")
    for number, picture in enumerate(pictures):
        if not isinstance(picture, dict) or not isinstance(picture.get("id"), str):
            raise ValueError(f"picture {number} has no id")
        if picture.get("split") not in SPLITS:
            raise ValueError(
                f"the split of picture {number} is {picture.get('split')!r:.40}, not {' or '.join(SPLITS)}"
            )


def _damaged(path: Path, error: Exception) -> UserError:
    reason = f"{error} is missing" if isinstance(error, KeyError) else first_line(error)
    return UserError(f"{path} is not an intact image store ({reason}): delete it and prepare it again")


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
