"""The trained model as an artifact of wandb."""

import logging
from pathlib import Path

import pytorch_lightning as pl
from pytorch_lightning.loggers import WandbLogger

from ganfill.errors import UserError
from ganfill.model_io import model_file
from ganfill.training.export import from_run

log = logging.getLogger(__name__)


class ModelArtifact(pl.Callback):
    """Logs the model file to wandb, if it is a logger, at the end: an artifact of type model with the card as metadata.

    The file is what ``ganfill export half=true`` makes of ``last.ckpt``. It stays in the run directory, under ``wandb/``,
    where ``wandb sync`` finds it after an offline training. A training that is continued later logs another version.

    Args:
        out: the run directory.
    """

    def __init__(self, out: str | Path) -> None:
        self.out = Path(out)

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Writes and logs the file; a model that cannot be exported only costs a warning."""
        for run in [logger.experiment for logger in trainer.loggers if isinstance(logger, WandbLogger)]:
            if run.disabled:
                continue
            import wandb

            try:
                model = from_run(self.out, "last")
            except UserError as error:
                log.warning("wandb gets no model file: %s", error)
                return
            path = self.out.resolve() / "wandb" / f"model-{round(1000 * model.card['kimg'])}.safetensors"
            path.parent.mkdir(exist_ok=True)
            model_file.save(path, model, half=True)
            artifact = wandb.Artifact(f"model-{run.id}", "model", metadata=model.card)
            # wandb would copy a mutable file into the user's home directory, and keep the copy.
            artifact.add_file(str(path), "model.safetensors", policy="immutable", skip_cache=True)
            run.log_artifact(artifact)
