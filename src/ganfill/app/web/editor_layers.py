"""Reads the paint layers of the editor's value and ignores its other files."""

import threading
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

from ganfill.app import uploads
from ganfill.app.errors import TooLarge
from ganfill.images.photo import opened

MAX_LAYERS = 4  # the page's editor has one
MAX_SIDE = 2048  # of a layer; the editor's canvas may be larger than the picture on it
MEGABYTES = MAX_SIDE * MAX_SIDE * 4 / 1e6  # of its file
FORMATS = ("PNG", "WEBP")

_decoding = threading.Lock()  # bounds the memory; and Pillow's warnings are caught for the whole process


def read(value: dict[str, Any] | None, pictures: Path) -> list[np.ndarray]:
    """Returns the layers of an editor, uint8 (h, w, 4).

    Gradio itself would open all files of the value, of any format and size.

    Args:
        value: Gradio's ``EditorData`` as the client sent it.
        pictures: the upload folder.

    Raises:
        UserError: there are too many layers, or one is not an upload, not a picture, or too large.
    """
    layers = value["layers"] or [] if value else []
    if len(layers) > MAX_LAYERS:
        raise TooLarge(f"the paint has {len(layers)} layers, the limit is {MAX_LAYERS}: reload the page")
    return [_decode(uploads.read(layer, pictures, MEGABYTES)) for layer in layers]


def _decode(content: bytes) -> np.ndarray:
    with _decoding, opened(BytesIO(content), "the paint", FORMATS) as layer:
        width, height = layer.size
        if max(width, height) <= MAX_SIDE:
            return np.asarray(layer.convert("RGBA"))
    raise TooLarge(f"the paint is {width}x{height}, the limit is {MAX_SIDE}x{MAX_SIDE}: reload the page")
