"""``ganfill complete``: fills the holes of files and folders of pictures."""

import logging
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from omegaconf import DictConfig
from tqdm import tqdm

from ganfill import modelfile
from ganfill.commands.summary import write_summary
from ganfill.completion import fill
from ganfill.completion.folder import Job, ResultFolder, find_pictures
from ganfill.completion.holes import ALPHA, HoleSource, find_source
from ganfill.completion.masks import KINDS
from ganfill.completion.photo import Photo
from ganfill.config import as_list, build, to_plain
from ganfill.devices import choose_device
from ganfill.errors import Incomplete, UserError
from ganfill.modelfile import Model

log = logging.getLogger(__name__)

PICTURES_AT_ONCE = 32
PIXELS_AT_ONCE = 50_000_000
FRAMES = 40
BAR = "{desc}: {percentage:3.0f}% {bar} {n:.0f}/{total} [{elapsed}<{remaining}]"

Work = tuple[Job, Photo, np.ndarray]


def run(config: DictConfig) -> Path:
    """Completes ``config.images`` with every mask of ``config.mask``; returns ``config.out``.

    Raises:
        UserError: there is nothing to complete, or no such mask or model.
        Incomplete: some pictures could not be completed; the others are.
    """
    started, out = time.perf_counter(), Path(str(config.out))
    if not isinstance(config.answers, int) or config.answers < 1:
        raise UserError(f"answers={config.answers} is no number of answers: give 1 or more")
    masks = _words(config.mask)
    pictures = find_pictures(
        _words(config.images), leave_out=[out, *(Path(mask) for mask in masks if mask not in (*KINDS, ALPHA))]
    )
    model = modelfile.load(config.model, choose_device(config.device))
    sources = dict(find_source(mask, model.resolution, config.seed, config.invert) for mask in masks)
    if len(sources) < len(masks):
        raise UserError(f"mask={','.join(masks)}: two masks share a name, and so would their results; rename one")
    figures: dict[str, Any] = {"completed": 0, "skipped": 0, "failed": {}}
    for label, source in sources.items():
        place = out / label if len(sources) > 1 else out
        folder = ResultFolder(place, _settings(config, model, label), show_original=label in KINDS and label in masks)
        jobs = list(_choose(pictures, source, folder, figures))
        with tqdm(total=len(jobs), desc=label, unit="picture", bar_format=BAR, disable=not jobs) as bar:
            for work in _together(_read(jobs, source, folder, figures)):
                _complete(work, folder, model, config, bar, figures)
    write_summary(out, "complete", config, figures, time.perf_counter() - started)
    if figures["failed"]:
        reasons = "\n  ".join(figures["failed"].values())
        raise Incomplete(f"{len(figures['failed'])} of {len(pictures) * len(sources)} not completed:\n  {reasons}")
    return out


def _choose(
    pictures: dict[str, Path], source: HoleSource, folder: ResultFolder, figures: dict[str, Any]
) -> Iterator[Job]:
    """The jobs that are not done yet."""
    for name, path in pictures.items():
        try:
            job = folder.job(name, path, source)
        except UserError as error:
            figures["failed"][str(folder.path / name)] = str(error)
            continue
        if folder.has(job):
            figures["skipped"] += 1
        else:
            yield job


def _read(jobs: Iterable[Job], source: HoleSource, folder: ResultFolder, figures: dict[str, Any]) -> Iterator[Work]:
    """Jobs with photo and hole, less those that cannot be read."""
    for job in jobs:
        try:
            photo, hole = job.read(source)
        except UserError as error:
            figures["failed"][str(folder.path / job.name)] = str(error)
            continue
        if not hole.any():
            log.warning("%s: nothing is missing, the picture stays as it is", job.path)
        yield job, photo, hole


def _together(work: Iterable[Work]) -> Iterator[list[Work]]:
    """Groups that are searched at once, bounded in pictures and pixels."""
    group: list[Work] = []
    for item in work:
        group.append(item)
        if len(group) == PICTURES_AT_ONCE or sum(hole.size for _, _, hole in group) >= PIXELS_AT_ONCE:
            yield group
            group = []
    if group:
        yield group


def _complete(
    work: list[Work], folder: ResultFolder, model: Model, config: DictConfig, bar: tqdm, figures: dict[str, Any]
) -> None:
    """Completes a group of photos and writes their results."""
    filled = fill(
        model,
        [photo.pixels for _, photo, _ in work],
        [hole for _, _, hole in work],
        build(config.search),
        build(config.blend) if config.blend else None,
        answers=config.answers,
        seed=config.seed,
        deterministic=config.deterministic,
        frames=FRAMES if config.gif else 0,
        advance=lambda pictures: bar.update(min(pictures, bar.total - bar.n)),  # shares may add up to a little more
    )
    for (job, photo, hole), result in zip(work, filled, strict=True):
        try:
            folder.add(job, photo, hole, result)
        except OSError as error:
            reason = f"{job.path}: its results cannot be written ({error.strerror})"
            figures["failed"][str(folder.path / job.name)] = reason
        else:
            figures["completed"] += 1
    folder.flush()


def _settings(config: DictConfig, model: Model, label: str) -> dict[str, Any]:
    """Everything but the picture that its results depend on."""
    plain = to_plain(config)
    names = ("search", "blend", "answers", "seed", "deterministic", "gif", "invert")
    return {"model": model.digest, "mask": label} | {name: plain[name] for name in names}


def _words(value: Any) -> list[str]:
    """A word or a list of words, as a list."""
    return [str(word) for word in as_list(value)]
