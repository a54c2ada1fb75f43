"""Completes pictures for many clients: limits, shared models, and one search at a time."""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from ganfill.app.errors import RequestError, SearchTimeout, TooLarge, UnknownModel
from ganfill.app.queue import FifoQueue
from ganfill.completion.pipeline import Filled, fill, find_placement
from ganfill.errors import UserError
from ganfill.images import masks
from ganfill.images.alignment import find_alignment
from ganfill.images.holes import EMPTY, FULL, HoleSource, to_hole
from ganfill.images.photo import Photo, opened
from ganfill.model_io import model_file
from ganfill.models.model import Model
from ganfill.search.presets import preset

FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "GIF", "PPM", "TIFF")  # Pillow runs external programs for some others

OnProgress = Callable[[float, np.ndarray | None], object]


@dataclass(frozen=True)
class Limits:
    """Limits of a request; raises ``UserError`` if they would refuse every request.

    Args:
        megabytes: size of an upload.
        megapixels: size of a picture.
        waiting: requests in the queue; one more is refused.
        seconds: duration of a search, without the time in the queue.
        answers: answers for one picture.
    """

    megabytes: float = 20.0
    megapixels: float = 24.0
    waiting: int = 32
    seconds: float = 120.0
    answers: int = 16

    def __post_init__(self) -> None:
        if min(self.megabytes, self.megapixels, self.seconds, self.answers) <= 0 or self.waiting < 0:
            raise UserError(f"limits must be above 0, and waiting at least 0, got {self}")


@dataclass(frozen=True)
class CompletionRequest:
    """A picture to complete.

    Args:
        photo: the content of its hole is ignored.
        hole: bool (H, W), True where a pixel is missing.
        model: a key of ``Service.models``.
        search: name of a preset.
        answers: number of answers.
        seed: of the search.
        align: where the model looks: ``face``, ``center`` or ``none``.
        frames: number of intermediate results to keep.
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
        models: model files or names, as ``ganfill.load`` takes them; each is loaded once and shared by all requests.
        device: runs the searches.
        limits: of each request.

    Attributes:
        models: the models by name; the name of a file is that without its suffix.
        queue: of the requests.

    Raises:
        UserError: there are no models, one cannot be loaded, or two have the same name.
    """

    def __init__(self, models: Sequence[str], device: torch.device | str, limits: Limits | None = None) -> None:
        self.limits = limits or Limits()
        self.queue = FifoQueue(self.limits.waiting)
        self.models: dict[str, Model] = {}
        self._decoding = threading.Lock()  # bounds the memory; and Pillow's warnings are caught for the whole process
        for word in models:
            name = Path(word).name.removesuffix(".safetensors")
            if name in self.models:
                raise UserError(f"models={','.join(models)} has two models named {name}: rename one of the files")
            self.models[name] = model_file.load(word, device)
        if not self.models:
            raise UserError("models is empty: give faces64, or model files")

    def decode_with_hole(self, picture: bytes, mask: bytes | None = None) -> tuple[Photo, np.ndarray]:
        """Decodes the files of a picture and its mask.

        Args:
            picture: content of the file.
            mask: content of a picture file of the same proportions, white where pixels are missing. Without a mask, fully
                transparent pixels of the picture are missing.

        Returns:
            The photo and its hole, bool (H, W).

        Raises:
            UserError: a file is too large or not a picture, the mask does not fit, or there is neither mask nor
                transparency.
        """
        photo = self.decode(picture, "picture")
        if mask is not None:
            return photo, to_hole(self.decode(mask, "mask"), photo.pixels.shape[:2], "the mask")
        if photo.alpha is None:
            raise RequestError("the picture has neither a mask nor transparency: send a mask of its missing pixels")
        return photo, photo.alpha == 0

    def decode(self, content: bytes, name: str) -> Photo:
        """Decodes the content of a picture file; ``name`` is for error messages.

        Raises:
            TooLarge: it has too many bytes or pixels.
            UserError: it is not a picture, or damaged.
        """
        limits, megabytes = self.limits, len(content) / 1e6
        if megabytes > limits.megabytes:
            raise TooLarge(f"{name} is {megabytes:.3g} MB, the limit is {limits.megabytes:g} MB: shrink it")
        try:
            with self._decoding, opened(BytesIO(content), name, FORMATS) as image:
                megapixels = image.width * image.height / 1e6
                if megapixels <= limits.megapixels:
                    return Photo.of(image)
                size = f"{megapixels:.3g}"
        except UserError as error:
            if not isinstance(error.__cause__, Image.DecompressionBombError | Image.DecompressionBombWarning):
                raise
            size = f"more than {(Image.MAX_IMAGE_PIXELS or 0) / 1e6:.3g}"
        raise TooLarge(f"{name} has {size} megapixels, the limit is {limits.megapixels:g}: shrink it")

    def draw_hole(self, photo: Photo, kind: str, model: str, seed: int = 0) -> np.ndarray:
        """Draws a hole, bool (H, W), of one of ``masks.KINDS``; ``Model.complete`` draws the same.

        Raises:
            RequestError: the kind or the model is unknown.
        """
        if kind not in masks.KINDS:
            raise RequestError(f"hole={kind} is unknown: use {', '.join(masks.KINDS)}, or send a mask")
        return HoleSource(kind, self._find_model(model).resolution, seed)(photo, photo.digest)

    def complete(self, request: CompletionRequest, on_progress: OnProgress | None = None) -> Filled:
        """Waits in the queue, then completes a picture; the answers equal those of ``Model.complete``.

        Args:
            request: picture and options.
            on_progress: called in the calling thread with the share that is done, 0 to 1, and either an intermediate
                picture, uint8 (h, w, 3), or None; while the request waits, several times a second with 0 and None. An
                exception that it raises, such as ``Cancelled``, ends the search.

        Raises:
            RequestError: an option is out of range, too many requests are waiting, or the search takes too long.
            UserError: an option is unknown, or the search does not support the model.
            ValueError: the hole has another size than the photo.
        """
        model, pixels, hole = self._find_model(request.model), request.photo.pixels, request.hole
        if not 1 <= request.answers <= self.limits.answers:
            raise RequestError(f"answers must be from 1 to {self.limits.answers}, got {request.answers}")
        if hole.shape != pixels.shape[:2]:
            raise ValueError(f"the hole is {hole.shape}, the photo {pixels.shape[:2]}")
        search, alignment = preset(request.search), find_alignment(request.align)
        report = on_progress or (lambda progress, picture: None)
        with self.queue.slot(lambda: report(0.0, None)):
            progress = _TimedProgress(report, self.limits.seconds)
            filled = fill(
                model,
                [pixels],
                [hole],
                search,
                placements=[find_placement(alignment, pixels, hole, model.resolution)],
                answers=request.answers,
                seed=request.seed,
                frames=request.frames,
                advance=progress.advance,
                preview=progress.set_preview if on_progress else None,
            )[0]
        remarks = [EMPTY] * (not hole.any()) + [FULL] * bool(hole.all())
        remarks += [request.photo.lost] if request.photo.lost else []
        return replace(filled, remarks=[*remarks, *filled.remarks])

    def _find_model(self, name: str) -> Model:
        if name not in self.models:
            raise UnknownModel(f"model={name} is unknown: use {', '.join(self.models)}")
        return self.models[name]


class _TimedProgress:
    """Sums up the progress of a search and ends it after ``seconds``."""

    preview: np.ndarray | None = None

    def __init__(self, report: OnProgress, seconds: float) -> None:
        self.report, self.seconds, self.end = report, seconds, time.monotonic() + seconds
        self.done = 0.0

    def set_preview(self, preview: np.ndarray) -> None:
        """Adds a picture to the next report."""
        self.preview = preview

    def advance(self, share: float) -> None:
        """Adds a share and reports; raises ``SearchTimeout`` after the time limit."""
        if time.monotonic() > self.end:
            raise SearchTimeout(f"the search took more than {self.seconds:g} s: use search=fast, or fewer answers")
        self.done = min(self.done + share, 1.0)
        self.report(self.done, self.preview)
        self.preview = None
