"""HTML of the page. Texts from elsewhere are escaped here."""

from collections.abc import Sequence
from html import escape

import numpy as np

from ganfill.images.sheets import data_url, encode, fit
from ganfill.report.table_format import duration

PREVIEW = 384  # side of the preview in pixels

HEAD = """
<header>
<p class="kind">ganfill</p>
<h1>Fill in what a portrait has lost</h1>
<p>Paint over a scratch, a stain, or anything else that should go. ganfill searches for a face that fits the rest of the
photo and blends it in. Pixels that you do not paint over stay exactly as they are.</p>
</header>
"""
FOOT = """
<footer>
<p>The filled part is invented: plausible at best, never what was really there. The model draws {resolution} × {resolution}
pixels at most, so the result is soft in a large photo. It knows faces from the front, like those it was trained on.</p>
<p>Examples: FFHQ test pictures (NVIDIA, CC BY-NC-SA 4.0) that the packaged model has never seen, and Eileen Collins (NASA,
public domain). For programs: <a href="docs">the HTTP API</a>.</p>
</footer>
"""
NOTHING_YET = "<div class='nothing'><p>The results will appear here.</p></div>"
EXAMPLES = "<p class='hint'>Or try one of these:</p>"
BOX = "left, top, right, bottom in pixels, of {} × {}"
COMPARE = "<p class='hint'><b>Before and after:</b> drag the line, or move the control below the picture.</p>"
CHOOSE = "<p class='hint'><b>All answers:</b> click one. A smaller score is a better fit to the rest of the photo.</p>"


def hint(hole: np.ndarray) -> str:
    """Returns the next step for a photo with this hole, bool (H, W)."""
    if hole.any():
        return "<p class='hint'><b>Already painted:</b> paint more, erase some, or press Complete.</p>"
    return "<p class='hint'><b>Paint over</b> the part to be filled, then press Complete.</p>"


def message(text: str) -> str:
    """Returns an error message in a box that screen readers announce."""
    return f"<p class='message' role='alert'>{escape(text[:1].upper() + text[1:])}</p>"


def progress(share: float, picture: np.ndarray, waiting: bool = False, seconds_left: float | None = None) -> str:
    """Returns the progress of a search, 0 to 1, with the photo or an intermediate result, uint8 (h, w, 3)."""
    value = f" value='{share:.3f}'" if share else ""
    status = "Waiting for other visitors …" if waiting else f"Searching … {share:.0%}" if share else "Starting …"
    if seconds_left is not None:
        status += f", about {duration(max(1, round(seconds_left)))} left"
    image = f"<img alt='Intermediate result' src='{_data_url(picture)}'>"
    return f"<div class='running'>{image}<progress max='1'{value}></progress><p role='status'>{status}</p></div>"


def remarks(sentences: Sequence[str]) -> str:
    """Returns the warnings about a result."""
    return "".join(f"<p class='remark'>{escape(sentence)}</p>" for sentence in sentences)


def holes(reports: Sequence[str]) -> str:
    """Returns how each part of the hole was filled."""
    return "".join(f"<p class='hint'>Hole {number}: {escape(text)}.</p>" for number, text in enumerate(reports, 1))


def _data_url(picture: np.ndarray) -> str:
    return data_url(encode(fit(picture, PREVIEW), ".png", compress_level=1))
