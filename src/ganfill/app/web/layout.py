"""The page: a photo, a brush, and what ganfill makes of them."""

from pathlib import Path
from typing import Any

import gradio as gr
from fastapi import FastAPI
from gradio.components import Component
from pydantic import ValidationError
from starlette.routing import Mount

from ganfill.app import uploads
from ganfill.app.errors import Unusable
from ganfill.app.service import Service
from ganfill.app.web import html, theme
from ganfill.app.web.canvas import BRUSH, PAINT
from ganfill.app.web.handlers import EXAMPLES, Events
from ganfill.app.web.route_filter import RouteFilter
from ganfill.app.web.updates import SearchUpdate, UploadUpdate
from ganfill.images.alignment import ALIGNMENTS
from ganfill.search.presets import PRESETS

# What is said of them to people who have never heard of a latent space.
SEARCHES = {
    "fast": "a first guess, at once",
    "standard": "the one to use",
    "best": "more steps, and an average answer",
    "posterior": "what may have been there, and how sure that is",
    "auto": "tiny holes from what is beside them",
    "from_pool": "begins with random faces instead of a guess",
    "amos2016": "as published in 2016",
    "yeh2017": "as published in 2017",
}
PLACES = {"face": "find the face", "center": "the middle of the photo", "none": "the whole photo"}
USUAL = 4  # answers
DELETED = 600, 6 * 3600  # seconds between two looks for old files, and their age
UPLOADS = 10  # times the service's limit are uploaded at all: Gradio has no words for more, the service has for less
ROOM = 10_000  # bytes of an upload beside its files
BARE: dict[str, Any] = {"show_label": False, "buttons": []}
TO_CLICK: dict[str, Any] = {"allow_preview": False, "interactive": False, "height": "auto"}
TO_RESULT = "() => document.querySelector('#found').scrollIntoView({behavior: 'smooth', block: 'nearest'})"


class Page(gr.Blocks):
    """Gradio's, which looks at what clients send before Gradio does.

    Args:
        pictures: folder of the uploads.
        options: Gradio's.
    """

    def __init__(self, pictures: Path, **options: Any) -> None:
        super().__init__(**options)
        self.pictures = pictures

    async def preprocess_data(self, block_fn: Any, inputs: list[Any], *others: Any, **named: Any) -> list[Any]:
        """Refuses values that no page sends; of a mounted page Gradio would copy any file that they name."""
        try:
            if len(inputs) != len(block_fn.inputs):
                raise Unusable(f"{len(inputs)} values were sent instead of {len(block_fn.inputs)}: reload the page")
            return await super().preprocess_data(block_fn, uploads.cleaned(inputs, self.pictures), *others, **named)
        except Unusable as error:
            raise gr.Error(str(error), print_exception=False) from None
        except ValidationError:
            raise gr.Error("the values are not those of this page: reload it", print_exception=False) from None


def build(service: Service, pictures: Path) -> gr.Blocks:
    """The page of a service; ``mount`` gives it its theme."""
    with Page(pictures, title="ganfill", analytics_enabled=False, delete_cache=DELETED) as page:
        events = Events(service, page.upload_file_set, pictures)
        easel, found = gr.State(None), gr.State(None)
        gr.HTML(html.HEAD)
        with gr.Column(elem_id="start") as start:
            words = "# Drop a portrait here\nor click to choose one"
            drop = gr.Image(sources=["upload"], placeholder=words, height=300, elem_id="drop", **BARE)
            refusal = gr.HTML(elem_id="refusal")
            gr.HTML(html.TRY)
            files = [str(path) for path in EXAMPLES]
            examples = gr.Gallery(files, columns=len(files), container=False, elem_id="examples", **BARE, **TO_CLICK)
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
                    height=480,
                    elem_id="editor",
                    **BARE,
                )
                said = gr.HTML(elem_id="said")
                go = gr.Button("Complete", variant="primary", elem_id="go")
                stop = gr.Button("Cancel", variant="stop", visible=False, elem_id="stop")
                with gr.Row():
                    again = gr.Button("Another photo", size="sm", elem_id="again")
                    mask = gr.UploadButton("Use a mask file", size="sm", file_types=["image"], elem_id="mask")
                settings = _settings(service)
            with gr.Column(elem_id="found"):
                progress = gr.HTML(html.NOTHING_YET, elem_id="progress")
                with gr.Column(visible=False, elem_id="outcome") as outcome:
                    gr.HTML(html.COMPARE)
                    slider = gr.ImageSlider(format="png", interactive=False, elem_id="slider", **BARE)
                    remarks = gr.HTML(elem_id="remarks")
                    gr.HTML(html.CHOOSE)
                    gallery = gr.Gallery(columns=4, elem_id="answers", **BARE, **TO_CLICK)
                    with gr.Row():
                        download = gr.DownloadButton("Download", variant="primary", elem_id="download")
                        other = gr.Button("Other answers", elem_id="other")
                    with gr.Accordion("How it was found", open=False, elem_id="how") as how, gr.Row():
                        gif = gr.Image(label="The search", interactive=False, buttons=["download"], elem_id="gif")
                        extras = gr.Gallery(columns=2, elem_id="extras", **BARE, **TO_CLICK)
        gr.HTML(html.FOOT.format(resolution=max(model.resolution for model in service.models.values())))

        opening = list(UploadUpdate(easel, drop, refusal, start, work, hint, editor, said, progress, outcome))
        turn = list(
            SearchUpdate(go, stop, said, progress, outcome, slider, remarks, gallery, download, how, gif, extras, found)
        )
        quiet: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
        drop.upload(events.choose, drop, opening, preprocess=False, show_progress_on=drop, api_visibility="private")
        editor.upload(events.paint, easel, [easel, editor], **quiet)
        examples.select(events.example, None, opening, **quiet)
        mask.upload(events.mask, [mask, easel], opening, preprocess=False, **quiet)
        again.click(events.again, None, opening, **quiet)
        complete: dict[str, Any] = {
            "fn": events.complete,
            "inputs": [easel, editor, *settings],
            "outputs": turn,
            "preprocess": False,
            **quiet,
        }
        go.click(**complete, concurrency_limit=None)
        other.click(lambda seed: int(seed or 0) + 1, settings[-1], settings[-1], **quiet).then(
            **complete, concurrency_limit=None
        )
        gr.on([go.click, other.click], None, js=TO_RESULT, api_visibility="private")
        stop.click(events.cancel, None, None, **quiet)
        gallery.select(events.pick, found, [slider, download], **quiet)
        page.unload(events.cancel)
        page.queue(api_open=False, default_concurrency_limit=8)
    return page


def _settings(service: Service) -> list[Component]:
    """Model, search, answers, alignment and seed, in this order."""
    with gr.Accordion("Settings", open=False, elem_id="settings"):
        models = list(service.models)
        searches = [(f"{name}: {SEARCHES[name]}", name) for name in PRESETS]
        most = service.limits.answers
        return [
            gr.Dropdown(models, value=models[0], label="Model"),
            gr.Dropdown(searches, value="standard", label="Search"),
            gr.Slider(1, most, value=min(USUAL, most), step=1, label="Answers"),
            gr.Dropdown([(PLACES[name], name) for name in ALIGNMENTS], value="face", label="Where it looks"),
            gr.Number(0, precision=0, minimum=0, label="Seed", info="Another seed, other answers."),
        ]


def mount(app: FastAPI, service: Service, pictures: Path) -> None:
    """Puts the page at the root of an app, with our theme, nothing from outside, and no more of Gradio than it needs."""
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
    mounted.app = RouteFilter(mounted.app, pictures, limit + ROOM)
