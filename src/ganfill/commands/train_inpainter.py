"""``ganfill train-inpainter``: trains an inpainter for a model and writes a copy of the model file that contains it."""

from pathlib import Path

from omegaconf import DictConfig

from ganfill.commands.train_part import train_part
from ganfill.config import build
from ganfill.training.inpainter_module import InpainterTraining


def run(config: DictConfig) -> Path:
    """Trains, or continues the training in ``config.out``; returns the path of the model file with the inpainter."""
    return train_part(
        config,
        "inpainter",
        lambda inpainter, model: InpainterTraining(
            inpainter, model, build(config.loss), build(config.regularizer), build(config.optimizer),
            build(config.discriminator_optimizer), build(config.search), config.kimg, config.regression_kimg,
            config.error_weight, config.feature_weight, config.ema_half_life_kimg, config.log_kimg, config.seed,
        ),
        kept="inpainter_ema",
    )  # fmt: skip
