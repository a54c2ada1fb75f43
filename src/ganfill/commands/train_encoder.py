"""``ganfill train-encoder``: trains an encoder for a model and writes a copy of the model file that contains it."""

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from omegaconf import DictConfig

from ganfill import seeding
from ganfill.commands.summary import commit, versions, write_summary
from ganfill.config import build, to_plain
from ganfill.devices import choose_device
from ganfill.locks import hold_directory
from ganfill.model_io import model_file
from ganfill.models.model import Model
from ganfill.training.encoder_module import EncoderTraining
from ganfill.training.export import part
from ganfill.training.fit import fit
from ganfill.training.run_directory import init_run_dir, last_metrics, read_checkpoint
from ganfill.training.trainer import choose_precision


def run(config: DictConfig) -> Path:
    """Trains, or continues the training in ``config.out``; returns the path of the model file with the encoder."""
    device = choose_device(config.device)
    precision = choose_precision(config.precision, device)
    model = model_file.load(config.model)
    config.resolution, config.latent_dim = model.resolution, model.latent.dim
    with hold_directory(Path(str(config.out))):
        return _train(config, device, precision, model)


def _train(config: DictConfig, device: torch.device, precision: str, model: Model) -> Path:
    started, out = time.perf_counter(), Path(str(config.out))
    plain: dict[str, Any] = to_plain(config) | {"model": model.digest}
    init_run_dir(out, plain)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seeding.derive_seed(config.seed, "weights"))
        encoder = build(config.encoder)
    module = EncoderTraining(
        encoder, model, build(config.optimizer), config.kimg, config.known_weight, config.latent_weight,
        config.log_kimg, config.seed,
    )  # fmt: skip
    fit(
        module,
        build(config.data),
        out,
        kimg=config.kimg,
        device=device,
        precision=precision,
        make_loggers=lambda: [build(config.logger)] if config.logger else [],
        provenance={"config": plain, "versions": versions(), "commit": commit(), "precision": precision},
        checkpoint_kimg=config.checkpoint_kimg,
    )
    checkpoint = read_checkpoint(out / "last.ckpt")
    state = checkpoint["state_dict"]
    encoder.load_state_dict({key.removeprefix("encoder."): state[key] for key in state if key.startswith("encoder.")})
    card = model.card | {
        "encoder": part(plain["encoder"])
        | {
            "kimg": checkpoint["images_seen"] / 1000,
            "data": checkpoint["ganfill"]["data_digest"],
            "pictures": checkpoint["ganfill"]["pictures"],
            "commit": checkpoint["ganfill"].get("commit"),
            "metrics": last_metrics(out / "metrics.csv", checkpoint["images_seen"] / 1000),
        }
    }
    file = out / "model.safetensors"
    digest = model_file.save(file, replace(model, encoder=encoder.eval(), card=card), config.half)
    figures = {"kimg": card["encoder"]["kimg"], "sha256_of_content": digest, "bytes": file.stat().st_size}
    write_summary(out, "train-encoder", config, figures, time.perf_counter() - started)
    return file
