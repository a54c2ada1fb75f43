"""``ganfill train``: builds the parts that the configuration names, and trains."""

import logging
import time
from contextlib import nullcontext
from pathlib import Path

import pytorch_lightning as pl
import torch
from omegaconf import DictConfig

from ganfill import seeding
from ganfill.commands.summary import commit, versions, write_summary
from ganfill.config import build, to_plain
from ganfill.devices import choose_device, describe
from ganfill.errors import UserError
from ganfill.locks import hold_directory
from ganfill.model_io import model_file
from ganfill.training import distributed
from ganfill.training.fit import fit
from ganfill.training.gan import GAN
from ganfill.training.growing import start_from
from ganfill.training.run_directory import check_resumable, init_run_dir, read_checkpoint
from ganfill.training.trainer import choose_precision

log = logging.getLogger(__name__)


def run(config: DictConfig) -> Path:
    """Trains, or continues the training in ``config.out``; returns that directory."""
    build(config.trainer).launch(choose_device(config.device), train, config)
    return Path(str(config.out))


def train(device: torch.device, config: DictConfig) -> None:
    """Trains in one process, of which ``run`` starts one or several."""
    precision = choose_precision(config.precision, device)
    # Built first, so that a mistake leaves no run directory.
    callbacks = build_callbacks(config)
    with hold_directory(Path(str(config.out))) if distributed.rank() == 0 else nullcontext():
        _train(device, config, precision, callbacks)


def _train(device: torch.device, config: DictConfig, precision: str, callbacks: list[pl.Callback]) -> None:
    started, out, plain = time.perf_counter(), Path(str(config.out)), to_plain(config)
    gan = build_gan(config)
    if config.init and not (out / "last.ckpt").exists():
        start_from(gan.to(device), model_file.load(config.init, device), str(config.init), config.fade_kimg)
    if distributed.rank() == 0:
        check_resumable(out, plain)
    trained = fit(
        gan,
        build(config.data),
        out,
        kimg=config.kimg,
        minutes=config.minutes,
        device=device,
        precision=precision,
        make_loggers=lambda: [build(config.logger)] if config.logger else [],
        provenance={"config": plain, "versions": versions(), "commit": commit(), "precision": precision},
        on_accepted=lambda: init_run_dir(out, plain),
        checkpoint_kimg=config.checkpoint_kimg,
        callbacks=callbacks,
    )
    if trained:
        kimg = gan.images_seen / 1000
    else:
        kimg = read_checkpoint(out / "last.ckpt")["images_seen"] / 1000
        log.warning("%s is already trained to %g kimg: nothing to do; a larger kimg continues it", out, kimg)
    if distributed.rank() == 0 and (trained or not (out / "summary.json").exists()):
        networks = {"generator": gan.generator, "discriminator": gan.discriminator}
        counts = {
            f"parameters_{name}": sum(p.numel() for p in network.parameters()) for name, network in networks.items()
        }
        figures = {"kimg": kimg} | counts | {"device": describe(device), "processes": distributed.world()}
        for callback in callbacks:
            figures |= getattr(callback, "figures", {})
        write_summary(out, "train", config, figures, time.perf_counter() - started)


def build_callbacks(config: DictConfig) -> list[pl.Callback]:
    """Returns the callbacks of a configuration of ``train``.

    Raises:
        UserError: a callback refuses its settings, or an object is not a callback of Lightning.
    """
    callbacks = []
    for name, node in config.callbacks.items():
        callback = build(node)
        if not isinstance(callback, pl.Callback):
            raise UserError(f"callbacks.{name}: {node._target_} is not a pytorch_lightning.Callback")
        callbacks.append(callback)
    return callbacks


def build_gan(config: DictConfig) -> GAN:
    """Returns the GAN of a configuration of ``train``, with initial weights by its seed."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seeding.derive_seed(config.seed, "weights"))
        return build(config.gan, _partial_=True)(
            generator=build(config.model.generator),
            discriminator=build(config.model.discriminator),
            latent=build(config.latent),
            loss=build(config.loss),
            generator_optimizer=build(config.optimizer.generator),
            discriminator_optimizer=build(config.optimizer.discriminator),
            regularizer=build(config.regularizer) if config.regularizer else None,
            augment=build(config.augment) if config.augment else None,
            schedule=build(config.schedule),
        )
