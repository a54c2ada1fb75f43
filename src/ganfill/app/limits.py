"""Limits of requests in size and time."""

import math
import time
from collections.abc import Callable
from dataclasses import astuple, dataclass

import numpy as np
from PIL import Image

from ganfill.app.errors import RequestError, RequestTimeout, TooLarge
from ganfill.errors import UserError

FOLDER = 100  # times the largest upload

OnProgress = Callable[[float, np.ndarray | None], object]


@dataclass(frozen=True)
class Limits:
    """Limits of a request; raises ``UserError`` if they would refuse every request, or could not be reached.

    Args:
        megabytes: size of an upload.
        megapixels: size of a picture.
        waiting: requests in the queue; one more is refused.
        seconds: duration of a request from decoding to encoding, without the time in the queue.
        answers: answers for one picture.
        total_megapixels: size of all answers of a request together.
    """

    megabytes: float = 20.0
    megapixels: float = 24.0
    waiting: int = 32
    seconds: float = 120.0
    answers: int = 16
    total_megapixels: float = 100.0

    def __post_init__(self) -> None:
        if min(astuple(self)) < 0 or min(self.megabytes, self.megapixels, self.seconds, self.answers) <= 0:
            raise UserError(f"limits must be above 0, and waiting at least 0, got {self}")
        highest = (Image.MAX_IMAGE_PIXELS or math.inf) / 1e6
        if self.megapixels > highest:
            raise UserError(f"megapixels={self.megapixels:g} is above {highest}, the most that Pillow opens: lower it")
        if self.total_megapixels < self.megapixels:
            raise UserError(
                f"total_megapixels={self.total_megapixels:g} is below megapixels={self.megapixels:g}: raise it"
            )

    @property
    def folder_bytes(self) -> int:
        """Size of the files that the page keeps for all visitors together."""
        return int(FOLDER * self.megabytes * 1e6)

    def check_bytes(self, size: int, name: str) -> None:
        """Raises ``TooLarge`` if an upload has too many bytes; ``name`` is for the message."""
        if size > self.megabytes * 1e6:
            raise TooLarge(f"{name} is {size / 1e6:.3g} MB, the limit is {self.megabytes:g} MB: shrink it")

    def check_answers(self, answers: int) -> None:
        """Raises ``RequestError`` if a number of answers is out of range."""
        if not 1 <= answers <= self.answers:
            raise RequestError(f"answers must be from 1 to {self.answers}, got {answers!s:.40}")

    def check_pixels(self, pixels: float, name: str, answers: int = 1) -> None:
        """Raises ``TooLarge`` if a picture, or all answers for it together, have too many pixels."""
        megapixels, total = pixels / 1e6, answers * pixels / 1e6
        if megapixels > self.megapixels:
            raise TooLarge(f"{name} has {megapixels:.3g} megapixels, the limit is {self.megapixels:g}: shrink it")
        if total > self.total_megapixels:
            raise TooLarge(
                f"{answers} answers of {megapixels:.3g} megapixels have {total:.3g} in total, the limit is "
                f"{self.total_megapixels:g}: ask for fewer answers, or shrink {name}"
            )


class TimedProgress:
    """Sums up the progress of a request and ends it after ``seconds``, or when ``report`` raises an exception."""

    def __init__(self, report: OnProgress, seconds: float) -> None:
        self.report, self.seconds, self.end = report, seconds, time.monotonic() + seconds
        self.done, self.preview = 0.0, None

    def set_preview(self, preview: np.ndarray) -> None:
        """Adds a picture, uint8 (h, w, 3), to the next report."""
        self.preview = preview

    def advance(self, share: float) -> None:
        """Adds a share and reports; raises ``RequestTimeout`` after the time limit."""
        self.done = min(self.done + share, 1.0)
        self.check()

    def check(self) -> None:
        """Reports; raises ``RequestTimeout`` after the time limit."""
        if time.monotonic() > self.end:
            raise RequestTimeout(
                f"the picture took more than {self.seconds:g} s: use search=fast, fewer answers or a smaller picture"
            )
        preview, self.preview = self.preview, None
        self.report(self.done, preview)
