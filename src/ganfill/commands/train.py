"""``ganfill train``: builds the parts that the configuration names and trains them."""

import logging
import time
from pathlib import Path

import torch
from omegaconf import DictConfig

from ganfill import seeding
from ganfill.commands.summary import commit, versions, write_summary
from ganfill.config import as_words, build, to_plain
from ganfill.devices import choose_device, describe
from ganfill.training import distributed
from ganfill.training.callbacks.collapse import Collapse
from ganfill.training.callbacks.completions import Completions
from ganfill.training.callbacks.distances import Distances
from ganfill.training.callbacks.samples import Samples
from ganfill.training.callbacks.wandb_artifact import ModelArtifact
from ganfill.training.fit import fit
from ganfill.training.gan import GAN
from ganfill.training.run_directory import init_run_dir, read_checkpoint
from ganfill.training.trainer import choose_precision

log = logging.getLogger(__name__)


def run(config: DictConfig) -> Path:
    """Trains, or continues the training in ``config.out``; returns that directory."""
    build(config.trainer).launch(choose_device(config.device), train, config)
    return Path(str(config.out))


def train(device: torch.device, config: DictConfig) -> None:
    """What ``run`` does in each process."""
    started, out, plain = time.perf_counter(), Path(str(config.out)), to_plain(config)
    length = config.kimg, config.minutes
    precision = choose_precision(config.precision, device)
    callbacks = [
        Samples(out, config.sample_kimg, *length),
        Completions(out, config.completion_kimg, *length),
        Distances(out, config.fd_kimg, *length, as_words(config.features), config.fd_samples),
        Collapse(config.sample_kimg),
        ModelArtifact(out),
    ]
    if distributed.rank() == 0:
        init_run_dir(out, plain)
    gan = build_gan(config)
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
        where = {"device": describe(device), "processes": distributed.world()}
        write_summary(out, "train", config, {"kimg": kimg} | counts | where, time.perf_counter() - started)


def build_gan(config: DictConfig) -> GAN:
    """The GAN that a configuration of ``train`` describes, with the fresh weights that its seed gives."""
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
