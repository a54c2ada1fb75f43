"""The state of a visitor's editor, and the updates of the page that handlers return."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import gradio as gr

from ganfill.app.web.canvas import Canvas


@dataclass(frozen=True)
class EditorState:
    """The photo that a visitor works on.

    Attributes:
        path: the uploaded file; it is decoded again when needed, so that idle visitors occupy no memory.
        shown: file of the photo at the size of the canvas.
        canvas: the drawing canvas.
        loading: True until the editor has loaded the photo; it accepts paint only after that.
    """

    path: Path
    shown: Path
    canvas: Canvas
    loading: bool = False

    def editor_value(self) -> dict[str, Any]:
        """Returns the value for Gradio's editor."""
        layers = [] if self.loading else self.canvas.layers()
        return {"background": str(self.shown), "layers": layers, "composite": None}


class UploadUpdate(NamedTuple):
    """Updates of the components of the page that change with the photo."""

    state: Any = gr.skip()
    upload: Any = None
    upload_message: Any = ""
    start: Any = gr.skip()
    work: Any = gr.skip()
    hint: Any = gr.skip()
    editor: Any = gr.skip()
    message: Any = ""
    progress: Any = gr.skip()
    outcome: Any = gr.skip()


class SearchUpdate(NamedTuple):
    """Updates of the components of the page that change with a search."""

    complete: Any = gr.skip()
    cancel: Any = gr.skip()
    message: Any = gr.skip()
    progress: Any = gr.skip()
    outcome: Any = gr.skip()
    slider: Any = gr.skip()
    remarks: Any = gr.skip()
    gallery: Any = gr.skip()
    download: Any = gr.skip()
    details: Any = gr.skip()
    gif: Any = gr.skip()
    extras: Any = gr.skip()
    results: Any = gr.skip()


def visible(value: bool) -> dict[str, Any]:
    """Shows or hides a component."""
    return gr.update(visible=value)
