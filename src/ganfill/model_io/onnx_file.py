"""Exports generators to ONNX files, for programs without torch."""

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch

from ganfill import seeding
from ganfill.errors import UserError
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
    missing = [name for name in ("onnx", "onnxscript", "onnxruntime") if not find_spec(name)]
    if missing:
        raise UserError(f"format=onnx needs {', '.join(missing)}: pip install 'ganfill[onnx]'")
    import onnxruntime

    z = model.latent.sample(4, seeding.generator(0, "onnx"))
    generator = model.to("cpu").generator
    difference = np.nan

    def write(partial: Path) -> None:
        nonlocal difference
        torch.onnx.export(
            generator,
            (z,),
            partial,
            input_names=["z"],
            output_names=["images"],
            dynamic_shapes=({0: torch.export.Dim.DYNAMIC},),
            dynamo=True,
            external_data=False,
            verbose=False,
        )
        with torch.no_grad():
            expected = generator(z).numpy()
        session = onnxruntime.InferenceSession(partial, providers=["CPUExecutionProvider"])
        images = np.asarray(session.run(["images"], {"z": z.numpy()})[0])
        difference = float(np.abs(images - expected).max())
        if not difference <= TOLERANCE:
            raise RuntimeError(f"onnxruntime differs from torch by {difference:.2g}: please report this as a bug")

    write_atomically(path, write)
    return difference
