"""``ganfill import``: makes a model file of official StyleGAN2 weights."""

import time
from pathlib import Path

from omegaconf import DictConfig

from ganfill.commands.summary import write_summary
from ganfill.errors import UserError
from ganfill.locks import hold_file
from ganfill.model_io import model_file, stylegan2_file


def run(config: DictConfig) -> Path:
    """Writes ``config.out`` and ``NAME.summary.json`` beside it; returns the path of the model file.

    Raises:
        UserError: the file contains no StyleGAN2 networks, or asks for code to be run.
    """
    started, source, out = time.perf_counter(), Path(config.file), Path(config.out)
    if out.is_dir():
        raise UserError(f"out={out} is a directory: name a file, such as {out / source.stem}.safetensors")
    if out.suffix.lower() != ".safetensors":
        raise UserError(f"out={out} is not the name of a model file: give out={out.with_suffix('.safetensors')}")
    if out.exists() and out.samefile(source):
        raise UserError(f"out={out} is the file to import: name another")
    model = stylegan2_file.load(source, config.terms)
    with hold_file(out):
        figures = {"sha256_of_content": model_file.save(out, model, config.half), "bytes": out.stat().st_size}
        seconds = time.perf_counter() - started
        write_summary(out.parent, "import", config, figures, seconds, out.with_suffix(".summary.json").name)
    return out
