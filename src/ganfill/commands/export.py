"""``ganfill export``: makes a model file from a run directory."""

import time
from pathlib import Path

from omegaconf import DictConfig

from ganfill.commands.summary import write_summary
from ganfill.errors import UserError
from ganfill.locks import hold_file
from ganfill.model_io import model_file
from ganfill.model_io.onnx_file import save_onnx
from ganfill.training.export import from_run

SUFFIXES = {".safetensors": "safetensors", ".onnx": "onnx"}


def run(config: DictConfig) -> Path:
    """Writes ``config.out`` and ``NAME.summary.json`` beside it; returns the path of the model file."""
    started, out = time.perf_counter(), Path(config.out)
    if config.format not in ("safetensors", "onnx"):
        raise UserError(f"format={config.format} is not known: use safetensors or onnx")
    if out.is_dir():
        raise UserError(f"out={out} is a directory: name a file, such as {out / 'model'}.{config.format}")
    if (suffix := SUFFIXES.get(out.suffix.lower())) != config.format:
        remedy = f"format={suffix}" if suffix else f"out={out.with_suffix(f'.{config.format}')}"
        raise UserError(f"out={out} is not the name of a file of format={config.format}: give {remedy}")
    if config.checkpoint not in ("last", "best"):
        raise UserError(f"checkpoint={config.checkpoint} is not known: use last or best")
    if config.half and config.format == "onnx":
        raise UserError("half=true is for format=safetensors; ONNX files hold 32 bits: leave it out")
    model = from_run(Path(config.run), config.checkpoint)
    with hold_file(out):
        if config.format == "onnx":
            figures = {"largest_difference_to_torch": save_onnx(out, model)}
        else:
            figures = {"sha256_of_content": model_file.save(out, model, config.half)}
        figures |= {"bytes": out.stat().st_size, "kimg": model.card["kimg"]}
        seconds = time.perf_counter() - started
        write_summary(out.parent, "export", config, figures, seconds, out.with_suffix(".summary.json").name)
    return out
