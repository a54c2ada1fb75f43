"""The state of a visitor's editor, and the updates of the page that handlers return."""

from collections import namedtuple
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr

from ganfill.app.web.canvas import Canvas


@dataclass(frozen=True)
class EditorState:
    """The photo that a visitor works on.

    Attributes:
        path: the uploaded file; it is decoded again when needed, so that idle visitors occupy no memory.
        shown: file of the photo at the size of the canvas.
        canvas: the drawing canvas.
        loading: True until the editor has loaded the photo; it may drop paint that it gets before that.
    """

    path: Path
    shown: Path
    canvas: Canvas
    loading: bool = False

    def unpainted(self) -> dict[str, Any]:
        """Returns the editor's value that loads the photo."""
        return {"background": str(self.shown), "layers": [], "composite": None}

    def painted(self) -> dict[str, Any]:
        """Returns the update of the editor that paints the hole: none while it is loading the photo."""
        return gr.skip() if self.loading else self.unpainted() | {"layers": self.canvas.layers()}


# The components that change with the photo, and those that change with a search, named as in ``layout.build``.
UploadUpdate = namedtuple(
    "UploadUpdate",
    "state upload upload_message start work hint editor box message progress outcome",
    defaults=[gr.skip(), None, "", gr.skip(), gr.skip(), gr.skip(), gr.skip(), gr.skip(), "", gr.skip(), gr.skip()],
)
SearchUpdate = namedtuple(
    "SearchUpdate",
    "complete cancel message progress outcome slider remarks gallery download details gif extras results",
    defaults=[gr.skip()] * 13,
)


def visible(value: bool) -> dict[str, Any]:
    """Shows or hides a component."""
    return gr.update(visible=value)
