"""Pieces of the page that are HTML of our own. Texts that come from elsewhere are escaped here."""

import base64
from collections.abc import Sequence
from html import escape
from io import BytesIO

import numpy as np

from ganfill.images.sheets import fit

PREVIEW = 384  # pixels of the preview's square

HEAD = """
<header>
<p class="kind">ganfill</p>
<h1>Fill in what a portrait has lost</h1>
<p>Paint over a scratch, a stain, or whatever is in the way. ganfill looks for a face that goes with the rest and blends it
in; what you do not paint stays as it is, to the last bit.</p>
</header>
"""
FOOT = """
<footer>
<p>What is filled in is made up: plausible at best, never what was there. The model draws {resolution} × {resolution} pixels,
so it is soft in a large photo. It knows faces from the front, and the pictures it was trained on.</p>
<p>Examples: FFHQ test pictures (NVIDIA, CC BY-NC-SA 4.0) that the packaged model has never seen, and Eileen Collins (NASA,
public domain). Programs can ask too: <a href="docs">the HTTP API</a>.</p>
</footer>
"""
NOTHING_YET = "<div class='nothing'><p>What it finds will appear here.</p></div>"
TRY = "<p class='hint'>Or try one of these:</p>"
COMPARE = "<p class='hint'><b>Before and after:</b> drag the line.</p>"
CHOOSE = "<p class='hint'><b>All answers:</b> click one. The smaller its score, the better it goes with the rest.</p>"


def hint(hole: np.ndarray) -> str:
    """What to do next with a photo whose hole, bool (H, W), is this one."""
    if hole.any():
        return "<p class='hint'><b>Painted already:</b> paint more, erase some, or press Complete.</p>"
    return "<p class='hint'><b>Paint over</b> what shall be filled, then press Complete.</p>"


def message(text: str) -> str:
    """What went wrong or has to be done, in a box that screen readers read out."""
    return f"<p class='message' role='alert'>{escape(text[:1].upper() + text[1:])}</p>"


def progress(share: float, picture: np.ndarray | None, waiting: bool = False) -> str:
    """How far a search is.

    Args:
        share: that is done, 0 to 1; of 0 nothing is known.
        picture: as it is by now, uint8 (h, w, 3).
        waiting: True if others are served first.
    """
    value = f" value='{share:.3f}'" if share else ""
    words = (
        "Others are served first …" if waiting else f"Searching … {share:.0%}" if share else "Looking at the photo …"
    )
    image = f"<img alt='The search as it is' src='{_address(picture)}'>" if picture is not None else "<div></div>"
    return f"<div class='running'>{image}<progress max='1'{value}></progress><p role='status'>{words}</p></div>"


def remarks(sentences: Sequence[str]) -> str:
    """What the visitor should know of a result."""
    return "".join(f"<p class='remark'>{escape(sentence)}</p>" for sentence in sentences)


def _address(picture: np.ndarray) -> str:
    fit(picture, PREVIEW).save(file := BytesIO(), "PNG", compress_level=1)
    return f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}"
