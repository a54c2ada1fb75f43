"""Completes pictures for many clients: limits, shared models, and one search at a time."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import BinaryIO

import numpy as np
import torch
from PIL import Image

from ganfill.app.errors import RequestError, TooLarge, UnknownModel
from ganfill.app.limits import Limits, OnProgress, TimedProgress
from ganfill.app.queue import FifoQueue
from ganfill.cancellation import cancellable, check_cancelled
from ganfill.completion.pipeline import Filled, fill, find_placement
from ganfill.errors import UserError
from ganfill.images import masks
from ganfill.images.alignment import Given, find_alignment
from ganfill.images.bleeding import BLED, include_bleeding
from ganfill.images.holes import EMPTY, FULL, HoleSource, to_hole
from ganfill.images.photo import SEVERAL, CheckedBytes, Photo, opened
from ganfill.model_io import model_file
from ganfill.models.model import Model
from ganfill.search.presets import preset
from ganfill.search.result import SearchOptions

MAX_SCANS = 100  # of a progressive JPEG file; each takes a pass over the whole picture, and a usual file has about ten
METADATA_MEGABYTES = 4  # of colour profile and EXIF data, which every answer repeats


@dataclass(frozen=True)
class CompletionRequest:
    """A picture to complete.

    Args:
        photo: the content of its hole is ignored.
        hole: bool (H, W), True where a pixel is missing; pixels into which paint over it has bled are added, unless it is
            ``drawn``.
        model: a key of ``Service.models``.
        search: name of a preset.
        answers: number of answers.
        seed: of the search.
        align: where the model looks: ``face``, ``center``, ``none`` or ``box``.
        frames: number of intermediate results to keep.
        box: for ``box``: ``left,top,right,bottom`` in pixels of the upright photo; several are separated by semicolons.
        drawn: True if ganfill drew the hole, so that no paint covers it in the photo.

    Raises:
        ValueError: the hole has another size than the photo.
    """

    photo: Photo
    hole: np.ndarray
    model: str
    search: str = "standard"
    answers: int = 1
    seed: int = 0
    align: str = "face"
    frames: int = 0
    box: str | None = None
    drawn: bool = False
    bled: int = field(init=False)  # number of pixels that were added

    def __post_init__(self) -> None:
        if self.hole.shape != self.photo.pixels.shape[:2]:
            raise ValueError(f"the hole is {self.hole.shape}, the photo {self.photo.pixels.shape[:2]}")
        wider = self.hole if self.drawn else include_bleeding(self.photo.pixels, self.hole, self.photo.lossy)
        object.__setattr__(self, "bled", int((wider ^ self.hole).sum()))
        object.__setattr__(self, "hole", wider)


def _ignore(progress: float, picture: np.ndarray | None) -> None:
    pass


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
        # Bounds the memory; and Pillow's warnings are caught for the whole process.
        self._decoding = FifoQueue(self.limits.waiting + 1)
        for word in models:
            name = Path(word).name.removesuffix(".safetensors")
            if name in self.models:
                raise UserError(f"models={','.join(models)} has two models named {name}: rename one of the files")
            self.models[name] = model_file.load(word, device)
        if not self.models:
            raise UserError("models is empty: give faces64, or model files")

    def check(self, file: BinaryIO, name: str, answers: int = 1) -> None:
        """Checks an upload by its header alone, which takes no time; ``name`` is for error messages.

        Raises:
            TooLarge: it has too many bytes or pixels, or its answers together would have.
            RequestError: the number of answers is out of range.
            UserError: it is not a picture.
        """
        self.limits.check_answers(answers)
        size = file.seek(0, 2)
        file.seek(0)
        with self._opened(file, size, name, answers):
            pass
        file.seek(0)

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
        with self._opened(CheckedBytes(content), len(content), name) as image:
            if image.format in ("JPEG", "MPO") and (scans := content.count(b"\xff\xda")) > MAX_SCANS:
                raise TooLarge(f"{name} has {scans} scans, the limit is {MAX_SCANS}: save it anew")
            photo = Photo.of(image)
        megabytes = (len(photo.profile or b"") + len(photo.exif or b"")) / 1e6
        if megabytes > METADATA_MEGABYTES:
            raise TooLarge(
                f"{name} has {megabytes:.3g} MB of EXIF data and colour profile, the limit is {METADATA_MEGABYTES}: "
                "remove them"
            )
        return photo

    @contextmanager
    def _opened(self, file: BinaryIO, size: int, name: str, answers: int = 1) -> Iterator[Image.Image]:
        """Opens an upload of this size in bytes within the limits; raises as ``check`` does."""
        self.limits.check_bytes(size, name)
        try:
            with self._decoding.slot(check_cancelled), opened(file, name) as image:
                self.limits.check_pixels(image.width * image.height, name, answers)
                yield image
        except UserError as error:
            if not isinstance(error.__cause__, Image.DecompressionBombError | Image.DecompressionBombWarning):
                raise
            megapixels = (Image.MAX_IMAGE_PIXELS or 0) / 1e6
            limit = self.limits.megapixels
            raise TooLarge(
                f"{name} has more than {megapixels:.3g} megapixels, the limit is {limit:g}: shrink it"
            ) from None

    def draw_hole(self, photo: Photo, kind: str, model: str, seed: int = 0) -> np.ndarray:
        """Draws a hole, bool (H, W), of one of ``masks.KINDS``, as ``Model.complete`` does, for a request that is ``drawn``.

        Raises:
            RequestError: the kind or the model is unknown.
        """
        if kind not in masks.KINDS:
            raise RequestError(f"hole={kind} is unknown: use {', '.join(masks.KINDS)}, or send a mask")
        return HoleSource(kind, self._find_model(model).resolution, seed)(photo, photo.digest)

    @contextmanager
    def slot(self, on_progress: OnProgress | None = None) -> Iterator[TimedProgress]:
        """Waits in the queue, then serves a request for the duration of the block, within the time limit.

        Everything that takes long for a request belongs into the block: decoding, completing, encoding.

        Args:
            on_progress: called in the calling thread with the share that is done, 0 to 1, and either an intermediate
                picture, uint8 (h, w, 3), or None; while the request waits, several times a second with 0 and None. An
                exception that it raises, such as ``Cancelled``, ends the request.

        Yields:
            The progress, for ``complete``.

        Raises:
            QueueFull: too many requests are waiting.
            RequestTimeout: the block takes too long.
        """
        report = on_progress or _ignore
        with self.queue.slot(lambda: report(0.0, None)), self.time_limit(report) as progress:
            yield progress

    @contextmanager
    def time_limit(self, on_progress: OnProgress = _ignore) -> Iterator[TimedProgress]:
        """Limits the time of the block, like ``slot``, but without the queue."""
        progress = TimedProgress(on_progress, self.limits.seconds)
        with cancellable(progress.check):
            yield progress

    def complete(self, request: CompletionRequest, progress: TimedProgress) -> Filled:
        """Completes a picture; the answers equal those of ``Model.complete`` for the hole ``request.hole``.

        If paint has bled, that hole is wider than the one that was sent, which ``Model.complete`` would take literally.

        Args:
            request: picture and options.
            progress: of the slot in which the request is served.

        Raises:
            RequestError: an option is out of range, or the request takes too long.
            TooLarge: a box is too large.
            UserError: an option is unknown, or the search does not support the model.
        """
        model, pixels, hole = self._find_model(request.model), request.photo.pixels, request.hole
        self.limits.check_answers(request.answers)
        alignment = find_alignment(request.align, request.box)
        for square in alignment.squares if isinstance(alignment, Given) else ():  # they may be larger than the photo
            self.limits.check_pixels(square.side * square.side, f"box={request.box}")
        filled = fill(
            model,
            [pixels],
            [hole],
            preset(request.search),
            placements=[find_placement(alignment, pixels, hole, model.resolution)],
            options=SearchOptions(request.answers, request.seed, frames=request.frames),
            advance=progress.advance,
            preview=progress.set_preview,
        )[0]
        remarks = [EMPTY] * (not hole.any()) + [FULL] * bool(hole.all())
        remarks += [request.photo.lost] if request.photo.lost else []
        remarks += [SEVERAL.format(request.photo.frames)] if request.photo.frames > 1 else []
        remarks += [BLED.format(request.bled)] if request.bled else []
        return replace(filled, remarks=[*remarks, *filled.remarks])

    def _find_model(self, name: str) -> Model:
        if name not in self.models:
            raise UnknownModel(f"model={name} is unknown: use {', '.join(self.models)}")
        return self.models[name]
