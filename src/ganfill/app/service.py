"""Completing pictures for many people at once: limits, models that all share, and one search at a time."""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from ganfill.app.errors import Cancelled, NoModel, NoPicture, Refused, TooLarge, TooLong, Unusable
from ganfill.app.queue import FifoQueue
from ganfill.completion.pipeline import Filled, fill, find_placement
from ganfill.errors import UserError
from ganfill.images import masks
from ganfill.images.alignment import find_alignment
from ganfill.images.holes import HoleSource, to_hole
from ganfill.images.photo import Photo, opened
from ganfill.model_io import model_file
from ganfill.models.model import Model
from ganfill.search.presets import preset

__all__ = ["Cancelled", "CompletionRequest", "Limits", "Refused", "Service"]

FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "GIF", "PPM", "TIFF")  # of uploads; Pillow hands others to outside programs
EMPTY = "nothing is missing, the picture stays as it is"
FULL = "nothing of the picture is known: the answers are samples of what the model makes up"

Watch = Callable[[float, np.ndarray | None], object]


@dataclass(frozen=True)
class Limits:
    """What one request may cost; raises ``UserError`` for values that would let none through.

    Args:
        megabytes: of one upload.
        megapixels: of one picture.
        waiting: requests in line; one more is refused.
        seconds: of one search, from when its turn comes.
        answers: for one picture.
    """

    megabytes: float = 20.0
    megapixels: float = 24.0
    waiting: int = 32
    seconds: float = 120.0
    answers: int = 16

    def __post_init__(self) -> None:
        if min(self.megabytes, self.megapixels, self.seconds, self.answers) <= 0 or self.waiting < 0:
            raise UserError(f"{self}: give numbers above 0, and waiting from 0")


@dataclass(frozen=True)
class CompletionRequest:
    """A picture to complete.

    Args:
        photo: what its hole holds plays no part.
        hole: bool (H, W), True where a pixel is missing.
        model: one of ``Service.models``.
        search: a preset's name.
        answers: how many.
        seed: of the search.
        align: where the model looks: ``face``, ``center`` or ``none``.
        frames: moments of the search to keep.
    """

    photo: Photo
    hole: np.ndarray
    model: str
    search: str = "standard"
    answers: int = 1
    seed: int = 0
    align: str = "face"
    frames: int = 0


class Service:
    """Completes pictures for any number of threads, one at a time, in the order of arrival.

    Args:
        models: model files or names, as ``ganfill.load`` takes them; each is loaded once, and all share it.
        device: where searches run.
        limits: of each request.

    Attributes:
        models: by name: a file's without its suffix.
        limits: of each request.
        line: of those who wait.

    Raises:
        UserError: there are no models, one cannot be loaded, or two have the same name.
    """

    def __init__(self, models: Sequence[str], device: torch.device | str, limits: Limits | None = None) -> None:
        self.limits = limits or Limits()
        self.queue = FifoQueue(self.limits.waiting)
        self.models: dict[str, Model] = {}
        self._decoding = threading.Lock()  # Pillow's warnings are caught for the whole process; and memory is bounded
        for word in models:
            name = Path(word).name.removesuffix(".safetensors")
            if name in self.models:
                raise UserError(f"models={','.join(models)}: two are named {name}, rename one")
            self.models[name] = model_file.load(word, device)
        if not self.models:
            raise UserError("models= names no model: give faces64, or model files")

    def read(self, picture: bytes, mask: bytes | None = None, name: str = "picture") -> tuple[Photo, np.ndarray]:
        """Decodes an upload.

        Args:
            picture: the file's content.
            mask: a picture of the same proportions, white where pixels are missing; without one, missing is what is
                fully transparent.
            name: of the picture, for messages.

        Returns:
            The photo and its hole, bool (H, W).

        Raises:
            Refused: one is too large, or no picture, or the mask does not fit, or nothing tells what is missing.
        """
        photo = self.decode(picture, name)
        if mask is None:
            if photo.alpha is None:
                raise Unusable(f"nothing tells what is missing of {name}: send a mask, or save it with transparency")
            return photo, photo.alpha == 0
        try:
            return photo, to_hole(self.decode(mask, "mask"), photo.pixels.shape[:2], "the mask")
        except Refused:
            raise
        except UserError as error:
            raise Unusable(str(error)) from None

    def decode(self, content: bytes, name: str) -> Photo:
        """The picture that a file's content holds; raises ``Refused`` if it is too large or none."""
        megabytes = len(content) / 1e6
        if megabytes > self.limits.megabytes:
            raise TooLarge(f"{name} is {megabytes:.3g} MB: at most {self.limits.megabytes:g} MB are taken, shrink it")
        try:
            with self._decoding, opened(BytesIO(content), name, FORMATS) as image:
                megapixels = image.width * image.height / 1e6
                if megapixels <= self.limits.megapixels:
                    return Photo.of(image)
                found = f"{megapixels:.3g}"
        except UserError as error:
            if not isinstance(error.__cause__, Image.DecompressionBombError | Image.DecompressionBombWarning):
                raise NoPicture(str(error)) from None
            found = f"more than {(Image.MAX_IMAGE_PIXELS or 0) / 1e6:.3g}"
        raise TooLarge(f"{name} has {found} megapixels: at most {self.limits.megapixels:g} are taken, shrink it")

    def draw(self, photo: Photo, kind: str, model: str, seed: int = 0) -> np.ndarray:
        """A made-up hole, bool (H, W), of one of ``masks.KINDS``, the same that ``Model.complete`` draws.

        Raises:
            Refused: there is no such kind or model.
        """
        if kind not in masks.KINDS:
            raise Unusable(f"hole={kind} is no kind of hole: use {', '.join(masks.KINDS)}, or send a mask")
        return HoleSource(kind, self._find(model).resolution, seed)(photo, photo.digest)

    def complete(self, order: CompletionRequest, watch: Watch | None = None) -> Filled:
        """Completes a picture when its turn has come; the answers are those of ``Model.complete``.

        Args:
            order: what to do.
            watch: is told, from the thread that calls, the share that is done, 0 to 1, and from time to time the picture as
                it is, uint8 (h, w, 3); 0 and None a few times a second while others are served. What it raises ends the
                search at once, ``Cancelled`` for one.

        Raises:
            Refused: an option is out of its range, too many wait, or the search takes too long.
            UserError: the search does not suit the model.
            ValueError: the hole is not of the photo's size.
        """
        model, limits = self._find(order.model), self.limits
        if not 1 <= order.answers <= limits.answers:
            raise Unusable(f"answers={order.answers} is not possible: give 1 to {limits.answers}")
        if order.hole.shape != order.photo.pixels.shape[:2]:
            raise ValueError(f"the hole is {order.hole.shape}, the photo {order.photo.pixels.shape[:2]}")
        try:
            search, alignment = preset(order.search), find_alignment(order.align)
        except UserError as error:
            raise Unusable(str(error)) from None
        tell = watch or (lambda share, picture: None)
        with self.queue.slot(lambda: tell(0.0, None)):
            progress = _Progress(tell, limits.seconds)
            filled = fill(
                model,
                [order.photo.pixels],
                [order.hole],
                search,
                placements=[find_placement(alignment, order.photo.pixels, order.hole, model.resolution)],
                answers=order.answers,
                seed=order.seed,
                frames=order.frames,
                advance=progress.advance,
                preview=progress.show if watch else None,
            )[0]
        remarks = [EMPTY] * (not order.hole.any()) + [FULL] * bool(order.hole.all())
        return replace(filled, remarks=[*remarks, *filled.remarks])

    def _find(self, name: str) -> Model:
        if name not in self.models:
            raise NoModel(f"model={name} is not served: use {', '.join(self.models)}")
        return self.models[name]


class _Progress:
    """Passes on how far a search is, until its time is over."""

    def __init__(self, watch: Watch, seconds: float) -> None:
        self.watch, self.seconds, self.end = watch, seconds, time.monotonic() + seconds
        self.share = 0.0
        self.picture: np.ndarray | None = None

    def show(self, picture: np.ndarray) -> None:
        """Keeps a picture for the next call."""
        self.picture = picture

    def advance(self, share: float) -> None:
        """Takes a further share; raises ``TooLong`` when the time is over."""
        if time.monotonic() > self.end:
            raise TooLong(f"the search took more than {self.seconds:g} s: use search=fast, or fewer answers")
        self.share = min(self.share + share, 1.0)
        self.watch(self.share, self.picture)
        self.picture = None
