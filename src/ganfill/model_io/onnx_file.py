"""Exports generators to ONNX files, for programs without torch."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from ganfill import seeding
from ganfill.errors import require
from ganfill.files import write_atomically
from ganfill.models.model import Model

TOLERANCE = 1e-3


def save_onnx(path: Path, model: Model) -> float:
    """Writes the generator, z (N, d) -> images (N, 3, R, R) in [-1, 1] for any N, and verifies it with onnxruntime.

    Returns:
        The largest difference from torch over four pictures, at most ``TOLERANCE``.

    Raises:
        UserError: packages of the extra ``onnx`` are missing.
        RuntimeError: onnxruntime and torch differ by more; no file is written.
    """
    require("format=onnx", "onnx", "onnx", "onnxscript", "onnxruntime")
    import onnxruntime

    z = model.latent.sample(4, seeding.generator(0, "onnx"))
    generator = model.to("cpu").generator
    difference = np.nan

    def write(partial: Path) -> None:
        nonlocal difference
        export_network(partial, generator, z, "z", "images")
        with torch.no_grad():
            expected = generator(z).numpy()
        session = onnxruntime.InferenceSession(partial, providers=["CPUExecutionProvider"])
        images = np.asarray(session.run(["images"], {"z": z.numpy()})[0])
        difference = float(np.abs(images - expected).max())
        if not difference <= TOLERANCE:
            raise RuntimeError(f"onnxruntime differs from torch by {difference:.2g}: please report this as a bug")

    write_atomically(path, write)
    return difference


def export_network(path: Path, network: nn.Module, example: torch.Tensor, given: str, result: str) -> None:
    """Writes a network of one input and one output as an ONNX file; any number of rows can be given to it.

    The file does not hold the exporter's notes, which name files of this machine.

    Args:
        path: of the file.
        network: in eval mode.
        example: an input of at least two rows.
        given: name of the input.
        result: name of the output.
    """
    import onnx

    torch.onnx.export(
        network,
        (example,),
        path,
        input_names=[given],
        output_names=[result],
        dynamic_shapes=({0: torch.export.Dim.DYNAMIC},),
        dynamo=True,
        external_data=False,
        verbose=False,
    )
    model = onnx.load(path)
    remove_notes(model)
    onnx.save(model, path)


def remove_notes(model: Any) -> None:
    """Removes the metadata and documentation of an ``onnx.ModelProto`` and of everything in its graph."""
    graph = model.graph
    for part in (model, graph, *graph.node, *graph.initializer, *graph.value_info, *graph.input, *graph.output):
        part.ClearField("metadata_props")
        part.ClearField("doc_string")
