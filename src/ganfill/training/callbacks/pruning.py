"""Trials of an Optuna study: their directories, their study, and the early end of those that are behind."""

import os
import warnings
from pathlib import Path
from typing import Any

import pytorch_lightning as pl

from ganfill.errors import UserError, first_line
from ganfill.files import write_atomically
from ganfill.runs.reader import PRUNED
from ganfill.training.callbacks.distances import Distances
from ganfill.training.callbacks.periodic import StepCallback
from ganfill.training.training_module import GanfillModule

# Environment variable with the storage of the study. A setting would be stored in model files, with the password of a
# database.
STORAGE = "GANFILL_STUDY_STORAGE"
# Shares of a training in percent: no trial is pruned before the first, and all reach the second otherwise.
MIN_RESOURCE, MAX_RESOURCE = 10, 100


class Pruned(Exception):
    """The training is behind others of its study and has ended."""


class Pruning(StepCallback):
    """Reports each measured distance to a study, and ends the training if the Hyperband pruner says so.

    Trainings are compared at equal shares of their length, whether ``kimg`` or ``minutes`` limits it (Li et al.,
    "Hyperband", JMLR 2018). ``out`` is ``STUDY/NUMBER``: the names of the study and of the trial.

    Args:
        out: the run directory.
        metric: column of ``distances.csv``, or how it begins, such as ``fd``.
        kimg: length of the training in thousand images.
        minutes: limit of the time spent on steps; None: no limit.
    """

    def __init__(self, out: str | Path, metric: str, kimg: float, minutes: float | None = None) -> None:
        self.out, self.metric, self.kimg, self.minutes = Path(out), metric, kimg, minutes
        self.trial: Any = None

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Finds the trial.

        Raises:
            UserError: the training does not measure the metric, or the study cannot be opened.
        """
        import optuna

        column(self.metric, self._distances(trainer).names)
        study = open_study(self.out.parent, pruner=optuna.pruners.HyperbandPruner(MIN_RESOURCE, MAX_RESOURCE))
        number = study._storage.get_trial_id_from_study_id_trial_number(study._study_id, int(self.out.name))
        self.trial = optuna.trial.Trial(study, number)

    def after_step(self, trainer: pl.Trainer, module: GanfillModule, before: int) -> None:
        """Reports a new measurement.

        Raises:
            Pruned: the training is to end; ``pruned.txt`` says where it stood.
        """
        distances = self._distances(trainer)
        share = module.images_seen / (1000 * self.kimg)
        if self.minutes is not None:
            share = max(share, module.seconds / (60 * self.minutes))
        if distances.measured.get("kimg") != module.images_seen / 1000 or share >= 1:
            return
        name = column(self.metric, distances.names)
        with module.paused(), warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # a resumed training reports some measurements again
            self.trial.report(distances.measured[name], max(1, int(MAX_RESOURCE * share)))
            pruned = self.trial.should_prune()
        if pruned:
            message = f"pruned at {module.images_seen / 1000:g} kimg, {name} {distances.measured[name]:.4g}"
            write_atomically(self.out / PRUNED, f"{message}\n")
            raise Pruned(message)

    @staticmethod
    def _distances(trainer: pl.Trainer) -> Distances:
        callbacks: list[Any] = trainer.callbacks  # pyright: ignore[reportAttributeAccessIssue]
        found = [callback for callback in callbacks if isinstance(callback, Distances) and callback.every_kimg]
        if not found:
            raise UserError("sweeper=optuna needs distances: give fd_kimg=N, and keep callbacks.distances")
        return found[0]


def open_study(directory: Path, **arguments: Any) -> Any:
    """Opens the study of a sweep, or creates it: in ``study.journal`` of its directory, or where ``STORAGE`` says.

    Args:
        directory: of the sweep; its name is that of the study.
        arguments: sampler and pruner.

    Raises:
        UserError: the storage cannot be opened.
    """
    import optuna
    from optuna.storages.journal import JournalFileBackend

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    storage = os.environ.get(STORAGE) or str(directory / "study.journal")
    try:
        opened: Any = storage if "://" in storage else optuna.storages.JournalStorage(JournalFileBackend(storage))
        name = directory.resolve().name
        return optuna.create_study(storage=opened, study_name=name, load_if_exists=True, **arguments)
    except Exception as error:
        shown = storage.rpartition("@")[2]  # without a password
        raise UserError(f"storage={shown} cannot be opened: {first_line(error)}") from None


def column(metric: str, names: Any) -> str:
    """Returns the first name that is ``metric`` or begins with it, as ``fd_pyramid`` begins with ``fd``.

    Raises:
        UserError: there is none.
    """
    for name in names:
        if f"{name}_".startswith(f"{metric}_"):
            return name
    raise UserError(f"metric={metric} is not measured: choose from {', '.join(names)}")
