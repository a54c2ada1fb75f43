"""Event handlers of the page; Gradio calls them with values of components and applies the updates that they return."""

import asyncio
import logging
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import gradio as gr
import numpy as np
from PIL import Image
from pydantic import ValidationError

from ganfill.app import uploads
from ganfill.app.errors import Cancelled, RequestError
from ganfill.app.http.schemas import Options
from ganfill.app.jobs import Searches, seconds_left
from ganfill.app.limits import OnProgress
from ganfill.app.service import CompletionRequest, Service
from ganfill.app.web import editor_layers, html, result_files
from ganfill.app.web.canvas import Canvas, parse_box, scale_to_canvas
from ganfill.app.web.updates import EditorState, SearchUpdate, UploadUpdate, visible
from ganfill.errors import UserError
from ganfill.images.holes import to_hole
from ganfill.images.photo import Photo
from ganfill.images.sheets import save
from ganfill.model_io.model_file import PACKAGED

EXAMPLES = sorted((PACKAGED / "demo").glob("*.png"))
EXAMPLE_HOLE = "freeform"
FRAMES = 24  # of the GIF
POLL_SECONDS = 0.15  # between two updates of a search
DELETED = "this photo was deleted from the server after some hours: choose it again"

Item = TypeVar("Item")

log = logging.getLogger(__name__)


class EventHandlers:
    """Handles the events of the page.

    Args:
        service: completes the photos.
        expiring: files that Gradio deletes after some time; the files of results are added to it.
        pictures: folder of the uploads and of all files that the page shows.
    """

    def __init__(self, service: Service, expiring: set[str], pictures: Path) -> None:
        self.service, self.expiring, self.pictures, self.searches = service, expiring, pictures, Searches()

    def open_upload(self, upload: dict[str, Any] | None) -> UploadUpdate:
        """Opens an uploaded photo; its transparent pixels are painted."""
        if upload is None:
            return UploadUpdate()
        try:
            path, photo = self._decode(upload)
        except UserError as error:
            return UploadUpdate(upload_message=html.message(str(error)))
        hole = np.zeros(photo.pixels.shape[:2], bool) if photo.alpha is None else photo.alpha == 0
        return self._open(path, photo, hole)

    def open_example(self, selected: gr.SelectData) -> UploadUpdate:
        """Opens an example with a hole."""
        photo = Photo.read(path := _select(selected, EXAMPLES))
        return self._open(path, photo, self.service.draw_hole(photo, EXAMPLE_HOLE, next(iter(self.service.models))))

    def open_mask(self, upload: dict[str, Any] | None, state: EditorState | None) -> UploadUpdate:
        """Replaces the paint by an uploaded mask."""
        if upload is None or state is None:
            return UploadUpdate()
        try:
            hole = to_hole(self._decode(upload)[1], state.canvas.hole.shape)
        except UserError as error:
            return UploadUpdate(message=html.message(str(error)))
        state = replace(state, canvas=replace(state.canvas, hole=hole))
        return UploadUpdate(state, hint=html.hint(hole), editor=state.painted())

    def add_box(self, text: str, state: EditorState | None, editor: dict[str, Any] | None) -> UploadUpdate:
        """Adds a box, given by its coordinates, to what is painted; all values except the state come from the client."""
        if state is None:
            return UploadUpdate()
        try:
            box = parse_box(str(text), *state.canvas.hole.shape)
            hole = box | state.canvas.read(editor_layers.read(editor, self.pictures))
        except UserError as error:
            return UploadUpdate(message=html.message(str(error)))
        state = replace(state, canvas=replace(state.canvas, hole=hole))
        return UploadUpdate(state, hint=html.hint(hole), editor=state.painted(), box="")

    def paint_hole(self, state: EditorState | None) -> tuple[Any, Any]:
        """Paints the initial hole when the editor has loaded the photo."""
        if state is None or not state.loading:
            return gr.skip(), gr.skip()
        state = replace(state, loading=False)
        return state, state.painted() if state.canvas.hole.any() else gr.skip()

    def close_photo(self, request: gr.Request) -> UploadUpdate:
        """Returns to the choice of a photo."""
        self.cancel(request)
        return UploadUpdate(
            state=None,
            start=visible(True),
            work=visible(False),
            hint="",
            editor=None,
            progress=html.NOTHING_YET,
            outcome=visible(False),
        )

    async def complete(
        self,
        state: EditorState | None,
        editor: dict[str, Any] | None,
        model: str,
        search: str,
        answers: int,
        align: str,
        seed: float | None,
        request: gr.Request,
    ) -> AsyncIterator[SearchUpdate]:
        """Runs a search and shows its progress; all values except the state come from the client and may be invalid."""
        try:
            if state is None:
                raise RequestError("there is no photo: choose one first")
            options = _options(model=model, search=search, answers=answers, align=align, seed=seed or 0)
            start = _read_shown(state.shown)
            hole = state.canvas.read(await asyncio.to_thread(editor_layers.read, editor, self.pictures))
            if not hole.any():
                raise RequestError("nothing is painted: paint over the part to be filled")
            self.service.limits.check_answers(options.answers)
            self.service.limits.check_pixels(hole.size, "the photo", options.answers)
        except UserError as error:
            yield SearchUpdate(message=html.message(str(error)))
            return

        def work(on_progress: OnProgress) -> result_files.Results:
            with self.service.slot(on_progress) as progress:
                photo = self._decode_again(state.path)
                words = options.search, options.answers, options.seed, options.align, FRAMES
                # There is no paint in an example, also where the visitor changed its hole.
                wanted = CompletionRequest(photo, hole, model, *words, drawn=state.path in EXAMPLES)
                filled = self.service.complete(wanted, progress)
                return result_files.write(photo, wanted.hole, filled, state.path.stem, state.shown, self._new_folder())

        yield SearchUpdate(visible(False), visible(True), "", html.progress(0, start), visible(False))
        job = self.searches.start(str(request.session_hash), work)
        try:
            shown: tuple[float, bool] | None = None
            first: tuple[float, float] | None = None
            while not job.future.done():
                if shown != (shown := (job.progress, job.preview is not None)):
                    waiting = not job.progress and len(self.service.queue) > 1
                    if first is None and job.progress:
                        first = (job.progress, time.monotonic())
                    left = seconds_left(job.progress, *first) if first else None
                    picture = start if job.preview is None else job.preview
                    yield SearchUpdate(progress=html.progress(job.progress, picture, waiting, left))
                await asyncio.sleep(POLL_SECONDS)
            update = self._show(job.future.result())
        except (Cancelled, UserError) as error:
            update = SearchUpdate(message=html.message(str(error)), progress=html.NOTHING_YET)
        except Exception:
            log.exception("a search failed")
            text = "the server failed: the reason is in its log"
            update = SearchUpdate(message=html.message(text), progress=html.NOTHING_YET)
        finally:
            job.cancel()  # if the visitor left
        yield update._replace(complete=visible(True), cancel=visible(False))

    def cancel(self, request: gr.Request) -> None:
        """Cancels the visitor's search."""
        self.searches.cancel(str(request.session_hash))

    def show_answer(self, selected: gr.SelectData, results: result_files.Results | None) -> tuple[tuple[str, str], str]:
        """Shows another answer and offers it for download."""
        if results is None:
            raise gr.Error("there are no answers yet: press Complete first", print_exception=False)
        answer = _select(selected, results.answers)
        return (str(results.before), str(answer.shown)), str(answer.full)

    def _show(self, results: result_files.Results) -> SearchUpdate:
        best = results.answers[0]
        self.expiring.update(map(str, best.full.parent.iterdir()))
        return SearchUpdate(
            progress="",
            outcome=visible(True),
            slider=(str(results.before), str(best.shown)),
            remarks=html.remarks(results.remarks) + html.holes(results.holes),
            gallery=[(str(answer.shown), answer.caption) for answer in results.answers],
            download=str(best.full),
            details=visible(bool(results.gif or results.extras)),
            gif=gr.update(value=results.gif and str(results.gif), visible=bool(results.gif)),
            extras=gr.update(
                value=[(str(path), caption) for path, caption in results.extras], visible=bool(results.extras)
            ),
            results=results,
        )

    def _open(self, path: Path, photo: Photo, hole: np.ndarray) -> UploadUpdate:
        """Shows a photo in the editor."""
        shown = self._new_folder() / "shown.png"
        save(scale_to_canvas(photo.pixels), shown)
        self.expiring.add(str(shown))
        state = EditorState(path, shown, Canvas.of(photo.pixels, hole), loading=True)
        return UploadUpdate(
            state=state,
            start=visible(False),
            work=visible(True),
            hint=html.hint(hole),
            editor=state.unpainted(),
            box=gr.update(value="", info=html.BOX.format(*reversed(hole.shape))),
            progress=html.NOTHING_YET,
            outcome=visible(False),
        )

    def _decode(self, upload: object) -> tuple[Path, Photo]:
        content = uploads.read(upload, self.pictures, self.service.limits.megabytes)
        path = uploads.locate(upload, self.pictures)
        with self.service.time_limit():
            return path, self.service.decode(content, f"“{path.name}”")

    def _decode_again(self, path: Path) -> Photo:
        """Decodes an example, or an upload that was opened before."""
        if not path.is_file():
            raise RequestError(DELETED)
        content = uploads.read({"path": str(path)}, path.parent, self.service.limits.megabytes)
        return self.service.decode(content, f"“{path.name}”")

    def _new_folder(self) -> Path:
        return Path(tempfile.mkdtemp(dir=self.pictures))


def _options(**values: Any) -> Options:
    try:
        return Options.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        raise RequestError(f"{first['loc'][0]}: {first['msg']}") from None


def _read_shown(path: Path) -> np.ndarray:
    """Returns the photo at the size of the canvas."""
    try:
        with Image.open(path) as image:
            return np.asarray(image)
    except FileNotFoundError:
        raise RequestError(DELETED) from None


def _select(selected: gr.SelectData, items: Sequence[Item]) -> Item:
    """Returns the item with the index that the client sent."""
    index = selected.index
    if not isinstance(index, int) or not 0 <= index < len(items):
        raise gr.Error(f"there is no picture number {index!r:.40}: reload the page", print_exception=False)
    return items[index]
