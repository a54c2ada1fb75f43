"""What happens on the page: each method is called by Gradio with values, and gives values or updates."""

import asyncio
import logging
import tempfile
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import gradio as gr
import numpy as np
from pydantic import ValidationError

from ganfill.app import uploads
from ganfill.app.errors import Cancelled, Unusable
from ganfill.app.http.schemas import Options
from ganfill.app.jobs import Searches
from ganfill.app.service import CompletionRequest, Service, Watch
from ganfill.app.web import editor_layers, html, result_files
from ganfill.app.web.canvas import Canvas, shown
from ganfill.app.web.updates import EditorState, SearchUpdate, UploadUpdate, seen
from ganfill.errors import UserError
from ganfill.images.holes import to_hole
from ganfill.images.photo import Photo
from ganfill.images.sheets import save
from ganfill.model_io.model_file import PACKAGED

EXAMPLES = sorted((PACKAGED / "demo").glob("*.png"))
EXAMPLE_HOLE = "freeform"
FRAMES = 24  # of the GIF
PAUSE = 0.15  # seconds between two looks at a search

Each = TypeVar("Each")

log = logging.getLogger(__name__)


class Events:
    """Answers what visitors do.

    Args:
        service: completes their photos.
        kept: files that Gradio deletes when they are old; those of results are added.
        pictures: folder of the uploads, and of all files that Gradio hands out.
    """

    def __init__(self, service: Service, kept: set[str], pictures: Path) -> None:
        self.service, self.kept, self.pictures, self.searches = service, kept, pictures, Searches()

    def choose(self, upload: dict[str, Any] | None) -> UploadUpdate:
        """Opens an uploaded photo; what is transparent counts as painted over."""
        if upload is None:
            return UploadUpdate()
        try:
            path, photo = self._decode(upload)
        except UserError as error:
            return UploadUpdate(refusal=html.message(str(error)))
        hole = np.zeros(photo.pixels.shape[:2], bool) if photo.alpha is None else photo.alpha == 0
        return self._open(path, photo, hole)

    def example(self, chosen: gr.SelectData) -> UploadUpdate:
        """Opens an example, with a hole to begin with."""
        photo = Photo.read(path := _chosen(chosen, EXAMPLES))
        return self._open(path, photo, self.service.draw(photo, EXAMPLE_HOLE, next(iter(self.service.models))))

    def mask(self, upload: dict[str, Any] | None, easel: EditorState | None) -> UploadUpdate:
        """Paints an uploaded mask, in place of what is painted."""
        if upload is None or easel is None:
            return UploadUpdate()
        try:
            hole = to_hole(self._decode(upload)[1], easel.canvas.hole.shape)
        except UserError as error:
            return UploadUpdate(said=html.message(str(error)))
        painted = replace(easel, canvas=replace(easel.canvas, hole=hole))
        return UploadUpdate(painted, hint=html.hint(hole), editor=painted.editor())

    def paint(self, easel: EditorState | None) -> tuple[Any, Any]:
        """Paints the hole that a photo begins with, when the editor is ready."""
        if easel is None or not easel.waiting:
            return gr.skip(), gr.skip()
        ready = replace(easel, waiting=False)
        return ready, ready.editor() if easel.canvas.hole.any() else gr.skip()

    def again(self, request: gr.Request) -> UploadUpdate:
        """Goes back to the choice of a photo."""
        self.searches.stop(str(request.session_hash))
        return UploadUpdate(None, None, "", seen(True), seen(False), "", None, "", html.NOTHING_YET, seen(False))

    async def complete(
        self,
        easel: EditorState | None,
        painted: dict[str, Any] | None,
        model: str,
        search: str,
        answers: int,
        align: str,
        seed: float | None,
        request: gr.Request,
    ) -> AsyncIterator[SearchUpdate]:
        """Searches, and tells how far it is until it is done; all values but the easel are as the client sent them."""
        if easel is None:
            yield SearchUpdate(said=html.message("there is no photo: choose one first"))
            return
        try:
            options = Options.model_validate(
                {"model": model, "search": search, "answers": answers, "align": align, "seed": seed or 0}
            )
            hole = easel.canvas.read(await asyncio.to_thread(editor_layers.read, painted, self.pictures))
        except ValidationError as error:
            wrong = error.errors()[0]
            yield SearchUpdate(said=html.message(f"{wrong['loc'][0]}: {wrong['msg']}"))
            return
        except UserError as error:
            yield SearchUpdate(said=html.message(str(error)))
            return
        if not hole.any():
            yield SearchUpdate(said=html.message("nothing is painted over: paint over what shall be filled"))
            return

        def work(watch: Watch) -> result_files.Results:
            photo = self._photo(easel)
            order = CompletionRequest(
                photo, hole, model, options.search, options.answers, options.seed, options.align, FRAMES
            )
            filled = self.service.complete(order, watch)
            return result_files.write(photo, hole, filled, easel.path.stem, easel.shown, self._folder())

        yield SearchUpdate(seen(False), seen(True), "", html.progress(0, None), seen(False))
        running = self.searches.start(str(request.session_hash), work)
        try:
            told = None
            while not running.done:
                if told != (told := (running.share, running.picture is not None)):
                    waiting = not running.share and len(self.service.queue) > 1
                    yield SearchUpdate(progress=html.progress(running.share, running.picture, waiting))
                await asyncio.sleep(PAUSE)
            end = self._show(running.result())
        except Cancelled:
            end = SearchUpdate(said=html.message("cancelled"), progress=html.NOTHING_YET)
        except UserError as error:
            end = SearchUpdate(said=html.message(str(error)), progress=html.NOTHING_YET)
        except Exception:
            log.exception("a search failed")
            words = "this went wrong, and it is not your fault; the server's log tells what happened"
            end = SearchUpdate(said=html.message(words), progress=html.NOTHING_YET)
        finally:
            running.stop()  # of a visitor who has left
        yield end._replace(go=seen(True), stop=seen(False))

    def cancel(self, request: gr.Request) -> None:
        """Ends the visitor's search."""
        self.searches.stop(str(request.session_hash))

    def pick(self, chosen: gr.SelectData, found: result_files.Results | None) -> tuple[tuple[str, str], str]:
        """Shows another answer, and hands it out."""
        if found is None:
            raise gr.Error("there are no answers yet: press Complete first", print_exception=False)
        answer = _chosen(chosen, found.answers)
        return (str(found.before), str(answer.shown)), str(answer.full)

    def _show(self, found: result_files.Results) -> SearchUpdate:
        self.kept.update(map(str, found.files()))
        best = found.answers[0]
        return SearchUpdate(
            progress="",
            outcome=seen(True),
            slider=(str(found.before), str(best.shown)),
            remarks=html.remarks(found.remarks),
            gallery=[(str(answer.shown), answer.caption) for answer in found.answers],
            download=str(best.full),
            how=seen(bool(found.gif or found.extras)),
            gif=gr.update(value=found.gif and str(found.gif), visible=bool(found.gif)),
            extras=gr.update(
                value=[(str(path), caption) for path, caption in found.extras], visible=bool(found.extras)
            ),
            found=found,
        )

    def _open(self, path: Path, photo: Photo, hole: np.ndarray) -> UploadUpdate:
        """Puts a photo on an easel."""
        handy = self._folder() / "shown.png"
        save(shown(photo.pixels), handy)
        self.kept.add(str(handy))
        easel = EditorState(path, handy, Canvas.of(photo.pixels, hole), waiting=True)
        return UploadUpdate(
            easel=easel,
            start=seen(False),
            work=seen(True),
            hint=html.hint(hole),
            editor=easel.editor(),
            progress=html.NOTHING_YET,
            outcome=seen(False),
        )

    def _decode(self, upload: object) -> tuple[Path, Photo]:
        path = uploads.locate(upload, self.pictures)
        return path, self.service.decode(self._read(path, self.pictures), path.name)

    def _read(self, path: Path, folder: Path) -> bytes:
        return uploads.read({"path": str(path)}, folder, self.service.limits.megabytes)

    def _photo(self, easel: EditorState) -> Photo:
        """The photo on an easel.

        Raises:
            UserError: its file has been deleted in the meantime.
        """
        try:
            content = self._read(easel.path, easel.path.parent)  # an example, or an upload that was looked at before
        except Unusable:
            raise UserError("this photo has been here for so long that it was deleted: choose it again") from None
        return self.service.decode(content, easel.path.name)

    def _folder(self) -> Path:
        """A new one among the files that Gradio hands out."""
        return Path(tempfile.mkdtemp(dir=self.pictures))


def _chosen(chosen: gr.SelectData, among: Sequence[Each]) -> Each:
    """The one whose number a client sent."""
    index = chosen.index
    if not isinstance(index, int) or not 0 <= index < len(among):
        raise gr.Error(f"there is no number {index!r:.40} to choose: reload the page", print_exception=False)
    return among[index]
