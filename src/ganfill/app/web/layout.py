"""The layout of the page, and the handlers of its events."""

import asyncio
from pathlib import Path
from typing import Any

import gradio as gr
from fastapi import FastAPI
from gradio.components import Component
from pydantic import ValidationError
from starlette.routing import Mount

from ganfill.app import upload_folder, uploads
from ganfill.app.errors import RequestError
from ganfill.app.service import Service
from ganfill.app.web import html, theme
from ganfill.app.web.canvas import BRUSH, PAINT
from ganfill.app.web.handlers import EXAMPLES, EventHandlers
from ganfill.app.web.route_filter import RouteFilter
from ganfill.app.web.updates import SearchUpdate, UploadUpdate
from ganfill.images.alignment import ALIGNMENTS
from ganfill.search.presets import PRESETS

# Descriptions for visitors who do not know what a latent space is.
SEARCHES = {
    "fast": "a first guess, at once",
    "standard": "recommended",
    "best": "more steps, and an average answer",
    "posterior": "a range of possible answers, and how certain they are",
    "auto": "fills tiny holes from their surroundings",
    "from_pool": "starts from random faces instead of a guess",
    "amos2016": "as published in 2016",
    "yeh2017": "as published in 2017",
}
PLACES = {"face": "the face", "center": "the middle of the photo", "none": "the whole photo"}
ANSWERS = 4  # by default
DELETE_CACHE = 600, 6 * 3600  # seconds between two searches for old files, and their age
UPLOADS = 10  # times the service's limit can be uploaded: the service explains its limit, Gradio does not
FORM_BYTES = 10_000  # of an upload besides its files
BARE: dict[str, Any] = {"show_label": False, "buttons": []}
CLICKABLE: dict[str, Any] = {"allow_preview": False, "interactive": False, "height": "auto"}
SCROLL = "() => document.querySelector('#found').scrollIntoView({behavior: 'smooth', block: 'nearest'})"
MOVE_LINE = "position => ({__type__: 'update', slider_position: position})"
# Gradio's own event would upload the paint after every stroke.
CLEAR_ON_PAINT = """document.addEventListener('pointerdown', event => {
  if (event.target.closest('#editor canvas')) props.value = '';
});"""


class Page(gr.Blocks):
    """Gradio's blocks, with checks of the values that clients send, and of the room for files.

    Args:
        pictures: folder of the uploads.
        room: bytes of the folder with which no event is handled that could write into it.
        options: Gradio's.
    """

    def __init__(self, pictures: Path, room: int, **options: Any) -> None:
        super().__init__(**options)
        self.pictures, self.room = pictures, room

    async def preprocess_data(self, block_fn: Any, inputs: list[Any], *args: Any, **options: Any) -> list[Any]:
        """Refuses values that the page does not send; a mounted Gradio would copy any file that they name."""
        try:
            if len(inputs) != len(block_fn.inputs):
                raise RequestError(f"expected {len(block_fn.inputs)} values, got {len(inputs)}: reload the page")
            if block_fn.outputs:
                await asyncio.to_thread(upload_folder.check_room, self.pictures, self.room)
            return await super().preprocess_data(block_fn, uploads.sanitize(inputs, self.pictures), *args, **options)
        except RequestError as error:
            raise gr.Error(str(error), print_exception=False) from None
        except ValidationError:
            raise gr.Error("the values do not fit this page: reload it", print_exception=False) from None


def build(service: Service, pictures: Path) -> gr.Blocks:
    """Builds the page of a service; ``mount`` adds the theme."""
    room = service.limits.folder_bytes
    with Page(pictures, room, title="ganfill", analytics_enabled=False, delete_cache=DELETE_CACHE) as page:
        state, results = gr.State(None), gr.State(None)
        gr.HTML(html.HEAD)
        with gr.Column(elem_id="start") as start:
            placeholder = "# Drop a portrait here\nor click to choose one"
            upload = gr.Image(sources=["upload"], placeholder=placeholder, height=300, elem_id="upload", **BARE)
            upload_message = gr.HTML(elem_id="upload-message")
            gr.HTML(html.EXAMPLES)
            files = [str(path) for path in EXAMPLES]
            examples = gr.Gallery(files, columns=len(files), container=False, elem_id="examples", **BARE, **CLICKABLE)
        with gr.Column(visible=False, elem_id="work") as work, gr.Row():
            with gr.Column(elem_id="paint"):
                hint = gr.HTML()
                editor = gr.ImageEditor(
                    sources=(),
                    transforms=(),
                    layers=False,
                    brush=gr.Brush(BRUSH, colors=["rgb({}, {}, {})".format(*PAINT)], color_mode="fixed"),
                    eraser=gr.Eraser(BRUSH),
                    format="png",
                    canvas_size=(16, 16),  # Gradio centres a hole that is sent later on the larger of canvas and photo
                    height=480,
                    elem_id="editor",
                    **BARE,
                )
                box = gr.Textbox(label="Or type a box to be filled", submit_btn="Add", max_lines=1, elem_id="box")
                message = gr.HTML(elem_id="message", js_on_load=CLEAR_ON_PAINT)
                complete = gr.Button("Complete", variant="primary", elem_id="complete")
                cancel = gr.Button("Cancel", variant="stop", visible=False, elem_id="cancel")
                with gr.Row():
                    close_photo = gr.Button("Another photo", size="sm", elem_id="close-photo")
                    mask = gr.UploadButton("Use a mask file", size="sm", file_types=["image"], elem_id="mask")
                settings = _settings(service)
            with gr.Column(elem_id="found"):
                progress = gr.HTML(html.NOTHING_YET, elem_id="progress")
                with gr.Column(visible=False, elem_id="outcome") as outcome:
                    gr.HTML(html.COMPARE)
                    slider = gr.ImageSlider(format="png", interactive=False, elem_id="slider", **BARE)
                    # The picture's own line is no Tab stop.
                    line = gr.Slider(0, 100, 50, label="before and after", elem_id="line", container=False, **BARE)
                    remarks = gr.HTML(elem_id="remarks")
                    gr.HTML(html.CHOOSE)
                    gallery = gr.Gallery(columns=4, elem_id="answers", **BARE, **CLICKABLE)
                    with gr.Row():
                        download = gr.DownloadButton("Download", variant="primary", elem_id="download")
                        other_answers = gr.Button("Other answers", elem_id="other-answers")
                    with gr.Accordion("Details", open=False, elem_id="details") as details, gr.Row():
                        gif = gr.Image(label="The search", interactive=False, buttons=["download"], elem_id="gif")
                        extras = gr.Gallery(columns=2, elem_id="extras", **BARE, **CLICKABLE)
        gr.HTML(html.FOOT.format(resolution=max(model.finest_resolution for model in service.models.values())))

        handlers = EventHandlers(service, page.upload_file_set, pictures)
        private: dict[str, Any] = {"api_visibility": "private"}
        quiet: dict[str, Any] = {"show_progress": "hidden", **private}
        photo = list(
            UploadUpdate(state, upload, upload_message, start, work, hint, editor, box, message, progress, outcome)
        )
        # One at a time: a hole that is added while the editor reports its photo would be lost.
        in_turn: dict[str, Any] = {"concurrency_id": "hole", "concurrency_limit": 1, **quiet}
        upload.upload(handlers.open_upload, upload, photo, preprocess=False, show_progress_on=upload, **private)
        editor.upload(handlers.paint_hole, state, [state, editor], **in_turn)
        examples.select(handlers.open_example, None, photo, **quiet)
        mask.upload(handlers.open_mask, [mask, state], photo, preprocess=False, **in_turn)
        close_photo.click(handlers.close_photo, None, photo, **quiet)
        shown = (complete, cancel, message, progress, outcome, slider, remarks, gallery, download, details, gif, extras)
        search: dict[str, Any] = {
            "fn": handlers.complete,
            "inputs": [state, editor, *settings],
            "outputs": list(SearchUpdate(*shown, results)),
            "preprocess": False,
            "concurrency_limit": None,
            **quiet,
        }
        complete.click(**search)
        seed = settings[-1]
        other_answers.click(lambda value: int(value or 0) + 1, seed, seed, **quiet).then(**search)
        gr.on([complete.click, other_answers.click], None, js=SCROLL, **private)
        cancel.click(handlers.cancel, None, None, **quiet)
        gallery.select(handlers.show_answer, results, [slider, download], **quiet)
        box.submit(handlers.add_box, [box, state, editor], photo, preprocess=False, **in_turn)
        line.input(None, line, slider, js=MOVE_LINE, **private)
        page.unload(handlers.cancel)
        page.queue(api_open=False, default_concurrency_limit=8)
    return page


def _settings(service: Service) -> list[Component]:
    """Creates the inputs for model, search, answers, alignment and seed, in this order."""
    with gr.Accordion("Settings", open=False, elem_id="settings"):
        models = list(service.models)
        searches = [(f"{name}: {SEARCHES[name]}", name) for name in PRESETS]
        places = [(PLACES[name], name) for name in ALIGNMENTS]
        limit = service.limits.answers
        return [
            gr.Dropdown(models, value=models[0], label="Model"),
            gr.Dropdown(searches, value="standard", label="Search"),
            gr.Slider(1, limit, value=min(ANSWERS, limit), step=1, label="Answers"),
            gr.Dropdown(places, value="face", label="Where to look"),
            gr.Number(0, precision=0, minimum=0, label="Seed", info="Another seed gives other answers."),
        ]


def mount(app: FastAPI, service: Service, pictures: Path) -> None:
    """Adds the page at the root of an application, without Gradio's other routes and without external resources."""
    limit = int(UPLOADS * service.limits.megabytes * 1e6)
    gr.mount_gradio_app(
        app,
        build(service, pictures),
        "/",
        footer_links=[],
        run_history=False,
        show_error=False,
        max_file_size=limit,
        ssr_mode=False,
        mcp_server=False,
        theme=theme.theme(),
        css=theme.STYLE,
        head=f"<style>{theme.COLOURS}</style>",
    )
    mounted = app.routes[-1]
    assert isinstance(mounted, Mount)
    mounted.app = RouteFilter(mounted.app, pictures, limit + FORM_BYTES, service.limits.folder_bytes)
