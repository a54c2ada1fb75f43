"""``ganfill train-upsampler``: trains an upsampler for a model and writes a copy of the model file that contains it."""

from pathlib import Path

import torch
from omegaconf import DictConfig
from torch import nn

from ganfill import seeding
from ganfill.commands.train_part import train_part
from ganfill.config import build
from ganfill.models.model import Model
from ganfill.training.upsampler_module import UpsamplerTraining
from ganfill.training.warm_start import warm_start


def run(config: DictConfig) -> Path:
    """Trains, or continues the training in ``config.out``; returns the path of the model file with the upsampler."""
    return train_part(
        config,
        "upsampler",
        lambda upsampler, model: UpsamplerTraining(
            upsampler, _build_discriminator(config, model), model, loss=build(config.loss),
            regularizer=build(config.regularizer), optimizer=build(config.optimizer),
            discriminator_optimizer=build(config.discriminator_optimizer), search=build(config.search),
            kimg=config.kimg, regression_kimg=config.regression_kimg, error_weight=config.error_weight,
            feature_weight=config.feature_weight, ema_half_life_kimg=config.ema_half_life_kimg,
            log_kimg=config.log_kimg, seed=config.seed,
        ),
        kept="inpainter_ema",
        enlarged=2,
    )  # fmt: skip


def _build_discriminator(config: DictConfig, model: Model) -> nn.Module:
    """Returns a discriminator of the upsampler's pictures, with the model's weights wherever their shapes fit."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seeding.derive_seed(config.seed, "discriminator"))
        discriminator: nn.Module = build(config.discriminator)
    trained = model.discriminator
    if trained is not None and type(trained) is type(discriminator):
        warm_start(discriminator, trained, "discriminator", from_input=True)
    return discriminator
