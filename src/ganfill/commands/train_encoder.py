"""``ganfill train-encoder``: trains an encoder for a model and writes a copy of the model file that contains it."""

from pathlib import Path

from omegaconf import DictConfig

from ganfill.commands.train_part import train_part
from ganfill.config import build
from ganfill.training.encoder_module import EncoderTraining


def run(config: DictConfig) -> Path:
    """Trains, or continues the training in ``config.out``; returns the path of the model file with the encoder."""
    return train_part(
        config,
        "encoder",
        lambda encoder, model: EncoderTraining(
            encoder, model, build(config.optimizer), config.kimg, config.known_weight, config.latent_weight,
            config.log_kimg, config.seed,
        ),
        kept="encoder",
    )  # fmt: skip
