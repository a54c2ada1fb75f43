"""The trained model among wandb's artifacts."""

import logging
from pathlib import Path

import pytorch_lightning as pl
import wandb
from pytorch_lightning.loggers import WandbLogger

from ganfill.errors import UserError
from ganfill.model_io import model_file
from ganfill.training.export import from_run

log = logging.getLogger(__name__)


class ModelArtifact(pl.Callback):
    """Gives wandb, if it is a logger, the model file at the end: an artifact of the type model, its card the metadata.

    It is what ``ganfill export`` makes of ``last.ckpt``. The file stays in the run directory, under ``wandb/``, from where
    ``wandb sync`` takes it after a training that was offline. A training that is continued later gives another version.

    Args:
        out: the run directory.
    """

    def __init__(self, out: Path) -> None:
        self.out = out

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Writes and logs the file; a model that cannot be exported costs a line in the log and not the training."""
        for logger in trainer.loggers:
            if not isinstance(logger, WandbLogger) or logger.experiment.disabled:
                continue
            run = logger.experiment
            try:
                model = from_run(self.out, "last")
            except UserError as error:
                log.warning("wandb gets no model file: %s", error)
                return
            path = self.out.resolve() / "wandb" / f"model-{round(1000 * model.card['kimg'])}.safetensors"
            path.parent.mkdir(exist_ok=True)
            model_file.save(path, model)
            artifact = wandb.Artifact(f"model-{run.id}", "model", metadata=model.card)
            # wandb would copy a mutable file into the user's home directory, and keep the copy.
            artifact.add_file(str(path), "model.safetensors", policy="immutable", skip_cache=True)
            run.log_artifact(artifact)
