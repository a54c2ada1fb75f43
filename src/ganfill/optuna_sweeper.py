"""A sweeper of Hydra that draws the settings of its jobs with Optuna (TPE), and prunes jobs that are behind others."""

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

from hydra.core.config_store import ConfigStore
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.plugins import Plugins
from hydra.plugins.sweeper import Sweeper

from ganfill.errors import UserError, require
from ganfill.files import write_atomically
from ganfill.locks import InUse, hold_directory
from ganfill.optuna_space import distribution, examples
from ganfill.runs.leaderboard import IMPORTANCE
from ganfill.runs.ranking import is_collapsed, measured
from ganfill.runs.reader import read_run
from ganfill.seeding import derive_seed
from ganfill.training.callbacks.pruning import STORAGE, column, open_study

# Hydra builds plugins of the namespace hydra_plugins only, and does not find it in an editable installation.
NAMESPACE = "hydra_plugins.ganfill"
KEYS = ("n_trials", "metric", "storage")
MAX_FAILURES = 3  # in a row; the reason is then not in the settings of the trials
PENALTY = 1e6  # of a collapsed training, above all distances
MIN_IMPORTANCE = 10  # finished trials; with fewer, importance is noise
previewing = ContextVar("previewing", default=False)


@dataclass
class OptunaSweeperConf:
    """Node ``hydra.sweeper``, see ``docs/sweeps.md``."""

    _target_: str = f"{NAMESPACE}.OptunaSweeper"
    n_trials: int = 40
    metric: str = "fd"
    storage: str | None = None
    params: dict[str, Any] = field(default_factory=dict)


class OptunaSweeper(Sweeper):
    """Draws trials, launches them, and tells Optuna their results, until ``n_trials`` of the study are finished or pruned.

    The trainings go to numbered directories in that of the sweep. Every process of a study draws its own trials. Trials of
    this directory that were interrupted are continued first.

    Args:
        n_trials: number of trials, of all processes of the study together.
        metric: column of ``distances.csv``, or how it begins; its lowest value in a training is minimized.
        storage: URL of a database, or path of a journal file; None: ``study.journal`` in the directory of the sweep.
        params: overrides in the configuration; the command line replaces them.
    """

    __module__ = NAMESPACE

    def __init__(self, n_trials: int, metric: str, storage: str | None, params: dict[str, Any]) -> None:
        self.n_trials, self.metric, self.params = n_trials, metric, params

    def setup(self, *, hydra_context: Any, task_function: Any, config: Any) -> None:
        """Builds the launcher.

        Raises:
            UserError: Optuna is not installed, or there are no trials.
        """
        require("sweeper=optuna", "sweep", "optuna")
        if self.n_trials < 1:
            raise UserError(f"n_trials must be at least 1, got {self.n_trials}")
        share_storage(config.hydra)
        self.slots = max(1, config.hydra.launcher.get("n_jobs") or config.hydra.launcher.get("array_parallelism") or 1)
        self.directory = Path(config.hydra.sweep.dir)
        self.parser = OverridesParser.create(config_loader=hydra_context.config_loader)
        launcher = Plugins.instance().instantiate_launcher(
            hydra_context=hydra_context, task_function=task_function, config=config
        )
        self.launch = launcher.launch

    def sweep(self, arguments: list[str]) -> None:
        """Runs the sweep that ``arguments`` describe; only examples of its jobs while ``preview`` is active.

        Raises:
            UserError: a range is not valid, nothing is to be varied, or too many trials fail.
        """
        import optuna

        words = [*(f"{key}={value}" for key, value in self.params.items()), *arguments]
        overrides = {override.get_key_element(): override for override in self.parser.parse_overrides(words)}
        space = {key: distribution(override) for key, override in overrides.items() if override.is_sweep_override()}
        if "out" in overrides:
            raise UserError(f"{overrides['out'].input_line}: give the directory of the sweep as hydra.sweep.dir=DIR")
        if not space:
            raise UserError("sweeper=optuna has nothing to vary: give a key several values or interval(low,high)")
        self.fixed = [f"{k}={o.get_value_element_as_str()}" for k, o in overrides.items() if k not in space]
        if previewing.get():
            chosen = enumerate(examples(space))
            jobs = [[*self._words(f"example{i}", params), "hydra.output_subdir=null"] for i, params in chosen]
            self.launch(jobs, initial_job_idx=0)
            return
        self.directory.mkdir(parents=True, exist_ok=True)
        # The study of the sampler has no pruner, since TPE would then learn from trials of the same bracket only.
        study = open_study(self.directory, pruner=optuna.pruners.NopPruner())
        interrupted, failures = self._interrupted(study), 0
        while trials := self._next(study, interrupted, space):
            jobs = [self._words(self._name(trial), trial.params) for trial in trials]
            self.launch(jobs, initial_job_idx=trials[0].number)
            for trial in trials:
                failures = failures + 1 if self._tell(study, trial) else 0
            if failures >= MAX_FAILURES:
                state = read_run(self.directory / self._name(trials[-1]), self.directory).state
                raise UserError(f"{failures} trials in a row {state}; the same command continues")

    def _next(self, study: Any, interrupted: list[Any], space: dict[str, Any]) -> list[Any]:
        """Returns the next trials, as many as run at once: interrupted ones, then new ones."""
        from optuna.samplers import TPESampler

        trials = [interrupted.pop(0) for _ in range(min(self.slots, len(interrupted)))]
        while (
            len(trials) < self.slots
            and sum(t.state.name != "FAIL" for t in study.get_trials(deepcopy=False)) < self.n_trials
        ):
            # By number, so that an interrupted sweep draws what an undisturbed one does.
            seed = derive_seed(0, "optuna", len(study.get_trials(deepcopy=False))) % 2**32
            study.sampler = TPESampler(seed=seed)
            trials.append(study.ask(space))
            (self.directory / self._name(trials[-1])).mkdir(exist_ok=True)  # marks it as a trial of this directory
        return trials

    def _interrupted(self, study: Any) -> list[Any]:
        """Returns the trials of this directory that no process works on."""
        found = []
        for trial in study.get_trials(deepcopy=False):
            directory = self.directory / self._name(trial)
            if trial.state.name == "RUNNING" and directory.is_dir():
                try:
                    with hold_directory(directory):
                        found.append(trial)
                except InUse:
                    continue
        return found

    def _tell(self, study: Any, trial: Any) -> bool:
        """Reads the result of a trial and tells it to the study; returns True if it failed.

        A collapsed training is worse than any other, whatever its distances: one grey picture can be near the mean.
        """
        from optuna.trial import TrialState

        run = read_run(self.directory / self._name(trial), self.directory)
        if run.finished:
            name = column(self.metric, [name for name in run.distances if name.startswith(("fd_", "kd_"))])
            value, collapsed = measured(run)[f"{name}_best"], is_collapsed(run)
            study.tell(trial.number, value + PENALTY * collapsed, skip_if_finished=True)
            outcome = f"{name} {value:.4g}" + " (collapsed or undertrained)" * collapsed
        elif run.pruned:
            study.tell(trial.number, state=TrialState.PRUNED, skip_if_finished=True)
            outcome = run.state
        elif run.state.startswith("failed"):
            study.tell(trial.number, state=TrialState.FAIL, skip_if_finished=True)
            outcome = run.state
        else:  # another process has it
            outcome = f"not finished, {run.state}"
        print(f"ganfill: trial {trial.number}: {outcome}", file=sys.stderr, flush=True)
        self._write_importance(study)
        return run.state.startswith("failed")

    def _write_importance(self, study: Any) -> None:
        """Writes each key's share in how good trials differ from others, for the leaderboard (PED-ANOVA, IJCAI 2023)."""
        from optuna.importance import get_param_importances

        known = [trial for trial in study.get_trials(deepcopy=False) if trial.state.name == "COMPLETE"]
        if len(known) >= MIN_IMPORTANCE:
            write_atomically(self.directory / IMPORTANCE, json.dumps(get_param_importances(study), indent=1))

    def _words(self, name: str, params: dict[str, Any]) -> list[str]:
        """Returns the overrides of a job."""
        out = self.directory / name
        pruning = f"_target_:ganfill.training.callbacks.pruning.Pruning,out:${{out}},metric:{self.metric}"
        pruning += ",kimg:${kimg},minutes:${minutes}"
        where = [f"out={json.dumps(str(out))}", f"hydra.sweep.subdir={name}", f"+callbacks.pruning={{{pruning}}}"]
        return [*self.fixed, *(f"{key}={value}" for key, value in params.items()), *where]

    @staticmethod
    def _name(trial: Any) -> str:
        return f"{trial.number:04d}"


def split(command: str, words: list[str]) -> list[str]:
    """Returns words in which ``sweeper=optuna``, ``n_trials``, ``metric`` and ``storage`` have the names of Hydra.

    ``out`` becomes the directory of the sweep.

    Raises:
        UserError: there is no such sweeper, the command does not train, or ``out`` is missing.
    """
    given = {word.partition("=")[0]: word.partition("=")[2] for word in words}
    names = {key: f"hydra.sweeper.{key}" for key in KEYS}
    if "sweeper" not in given:  # a file may choose it
        names = names if given.keys() & {"-cn", "--config-name"} else {}
    elif given["sweeper"] != "optuna":
        raise UserError(f"sweeper={given['sweeper']} is not known: use sweeper=optuna, or leave it out for a grid")
    elif command != "train":
        raise UserError(f"sweeper=optuna searches settings of ganfill train, not of ganfill {command}")
    elif not given.keys() & {"out", "hydra.sweep.dir", "-cn", "--config-name"}:
        raise UserError(
            "sweeper=optuna needs out=DIR, the directory of the sweep; each training gets a directory in it"
        )
    else:
        names |= {"sweeper": "hydra/sweeper", "out": "hydra.sweep.dir"}
    return ["=".join((names.get(key, key), *value)) for key, *value in (word.split("=", 1) for word in words)]


def is_used(hydra: Any) -> bool:
    """Returns whether the settings of Hydra of a job choose this sweeper."""
    return hydra.sweeper._target_ == OptunaSweeperConf._target_


def share_storage(hydra: Any) -> None:
    """Tells the callbacks of a job in this process where the study is."""
    os.environ[STORAGE] = (hydra.sweeper.get("storage") or "") if is_used(hydra) else ""


@contextmanager
def preview() -> Iterator[None]:
    """Context in which the sweeper launches examples of its jobs, to check them, in place of trials."""
    token = previewing.set(True)
    try:
        yield
    finally:
        previewing.reset(token)


ConfigStore.instance().store(group="hydra/sweeper", name="optuna", node=OptunaSweeperConf, provider="ganfill")
Plugins.instance().register(OptunaSweeper)
sys.modules.setdefault("hydra_plugins", ModuleType("hydra_plugins"))
sys.modules[NAMESPACE] = sys.modules[__name__]
