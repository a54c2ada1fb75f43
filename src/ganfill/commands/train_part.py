"""Trains a further network for a model and writes a copy of the model file that contains it."""

import logging
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from omegaconf import DictConfig
from torch import nn

from ganfill import seeding
from ganfill.commands.summary import commit, versions, write_summary
from ganfill.config import build, to_plain
from ganfill.devices import choose_device
from ganfill.errors import UserError
from ganfill.locks import hold_directory
from ganfill.model_io import model_file
from ganfill.models.model import Model
from ganfill.training.export import part
from ganfill.training.fit import fit
from ganfill.training.run_directory import check_fits, check_resumable, init_run_dir, last_metrics, read_checkpoint
from ganfill.training.trainer import choose_precision
from ganfill.training.training_module import GanfillModule
from ganfill.training.warm_start import warm_start

log = logging.getLogger(__name__)

CHECKPOINT = "last.ckpt"


def train_part(
    config: DictConfig,
    name: str,
    make_module: Callable[[nn.Module, Model], GanfillModule],
    kept: str,
    enlarged: int = 1,
) -> Path:
    """Trains, or continues the training in ``config.out``; returns the path of the model file with the network.

    Args:
        config: of the command; ``config[name]`` describes the network.
        name: of the network, a field of ``Model``.
        make_module: makes the training of a network for a model.
        kept: name of the module's attribute whose weights go into the model file.
        enlarged: resolution of the network, relative to the model's.
    """
    device = choose_device(config.device)
    precision = choose_precision(config.precision, device)
    model = model_file.load(config.model)
    for key, value in (("resolution", enlarged * model.resolution), ("latent_dim", model.latent.dim)):
        if key in config:
            if config[key] not in (None, value):
                raise UserError(f"{key}={config[key]} must be {value} for this model: leave it out")
            config[key] = value
    with hold_directory(Path(str(config.out))):
        return _train(config, name, make_module, kept, device, precision, model)


def _train(
    config: DictConfig,
    name: str,
    make_module: Callable[[nn.Module, Model], GanfillModule],
    kept: str,
    device: torch.device,
    precision: str,
    model: Model,
) -> Path:
    started, out = time.perf_counter(), Path(str(config.out))
    plain: dict[str, Any] = to_plain(config) | {"model": model.digest}
    check_resumable(out, plain)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seeding.derive_seed(config.seed, "weights"))
        network = build(config[name])
    init = "" if config.init is None or (out / CHECKPOINT).exists() else str(config.init)
    from_run = bool(init) and (Path(init) / CHECKPOINT).exists()
    if init and not from_run:
        _start_from_model(network, name, init)
    module = make_module(network, model)
    if from_run:
        _start_from_run(module, name, init)
    fit(
        module,
        build(config.data),
        out,
        kimg=config.kimg,
        device=device,
        precision=precision,
        make_loggers=lambda: [build(config.logger)] if config.logger else [],
        provenance={"config": plain, "versions": versions(), "commit": commit(), "precision": precision},
        on_accepted=lambda: init_run_dir(out, plain),
        checkpoint_kimg=config.checkpoint_kimg,
    )
    checkpoint = read_checkpoint(out / CHECKPOINT)
    state, prefix = checkpoint["state_dict"], f"{kept}."
    network.load_state_dict({key.removeprefix(prefix): state[key] for key in state if key.startswith(prefix)})
    kimg = checkpoint["images_seen"] / 1000
    provenance = {
        "kimg": kimg,
        "data": checkpoint["ganfill"]["data_digest"],
        "pictures": checkpoint["ganfill"]["pictures"],
        "commit": checkpoint["ganfill"].get("commit"),
        "metrics": last_metrics(out / "metrics.csv", kimg),
    }
    card = model.card | {name: part(plain[name]) | provenance}
    network.eval().requires_grad_(False)
    file = out / "model.safetensors"
    digest = model_file.save(file, replace(model, **{name: network}, card=card), config.half)
    figures = {"kimg": kimg, "sha256_of_content": digest, "bytes": file.stat().st_size}
    write_summary(out, f"train-{name}", config, figures, time.perf_counter() - started)
    return file


def _start_from_model(network: nn.Module, name: str, init: str) -> None:
    """Gives a network the weights that the model ``init`` has for it, as far as names and shapes fit."""
    source = model_file.load(init)
    trained = getattr(source, name)
    if trained is None and name == "upsampler":
        trained = source.inpainter  # the same network, of another resolution
    if trained is None:
        raise UserError(f"init={init}: this model has no {name}: leave init out, or give another model")
    warm_start(network, trained, name, from_input=True)


def _start_from_run(module: GanfillModule, name: str, init: str) -> None:
    """Gives all networks of a training the weights of another one, in the run directory ``init``."""
    file = Path(init) / CHECKPOINT
    remedy = f"leave init out, or give a run of train-{name} with the same networks"
    state = read_checkpoint(file, remedy)["state_dict"]
    check_fits(state, module.state_dict(), file, remedy)
    module.load_state_dict(state)
    log.warning("all networks of the training in %s taken over", init)
