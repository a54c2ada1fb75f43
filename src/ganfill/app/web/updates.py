"""What a visitor works on, and what handlers give back to the page."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import gradio as gr

from ganfill.app.web.canvas import Canvas


@dataclass(frozen=True)
class EditorState:
    """A photo on its easel: what a visitor is working on.

    Attributes:
        path: of the photo as it was uploaded; it is decoded anew when needed, so that nobody holds memory.
        shown: a file of the photo at the size of the canvas.
        canvas: that is painted on.
        waiting: True while the editor is being made ready for the photo; it takes paint only then.
    """

    path: Path
    shown: Path
    canvas: Canvas
    waiting: bool = False

    def editor(self) -> dict[str, Any]:
        """What the editor shall show."""
        layers = [] if self.waiting else self.canvas.layers()
        return {"background": str(self.shown), "layers": layers, "composite": None}


class UploadUpdate(NamedTuple):
    """The page's parts that an opened photo changes, or what becomes of them."""

    easel: Any = gr.skip()
    drop: Any = None
    refusal: Any = ""
    start: Any = gr.skip()
    work: Any = gr.skip()
    hint: Any = gr.skip()
    editor: Any = gr.skip()
    said: Any = ""
    progress: Any = gr.skip()
    outcome: Any = gr.skip()


class SearchUpdate(NamedTuple):
    """The page's parts that a search changes, or what becomes of them."""

    go: Any = gr.skip()
    stop: Any = gr.skip()
    said: Any = gr.skip()
    progress: Any = gr.skip()
    outcome: Any = gr.skip()
    slider: Any = gr.skip()
    remarks: Any = gr.skip()
    gallery: Any = gr.skip()
    download: Any = gr.skip()
    how: Any = gr.skip()
    gif: Any = gr.skip()
    extras: Any = gr.skip()
    found: Any = gr.skip()


def seen(visible: bool) -> dict[str, Any]:
    """Shows or hides a part of the page."""
    return gr.update(visible=visible)
