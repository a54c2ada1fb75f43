"""The value of the page's editor, of which the paint alone is read."""

import threading
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

from ganfill.app import uploads
from ganfill.app.errors import TooLarge
from ganfill.images.photo import opened

LAYERS = 4  # the page's editor has one
SIDE = 2048  # of a layer; the editor's canvas may be larger than the picture on it
MEGABYTES = SIDE * SIDE * 4 / 1e6  # of its file
FORMATS = ("PNG", "WEBP")

_decoding = threading.Lock()  # bounds the memory, and Pillow's warnings are caught for the whole process


def read(value: dict[str, Any] | None, pictures: Path) -> list[np.ndarray]:
    """The layers of an editor, uint8 (h, w, 4).

    Args:
        value: what the client sent, of Gradio's ``EditorData``; Gradio itself would open all its files, of any format and
            size.
        pictures: folder of the uploads.

    Raises:
        UserError: a layer is no upload or no picture, or too large, or there are too many.
    """
    layers = value["layers"] or [] if value else []
    if len(layers) > LAYERS:
        raise TooLarge(f"the paint has {len(layers)} layers: at most {LAYERS} are taken")
    return [_decode(uploads.read(layer, pictures, MEGABYTES)) for layer in layers]


def _decode(content: bytes) -> np.ndarray:
    with _decoding, opened(BytesIO(content), "the paint", FORMATS) as layer:
        width, height = layer.size
        if max(width, height) <= SIDE:
            return np.asarray(layer.convert("RGBA"))
    raise TooLarge(f"the paint is {width}x{height}: at most {SIDE}x{SIDE} is taken")
