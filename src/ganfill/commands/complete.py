"""``ganfill complete``: fills the holes of pictures in files and folders."""

import logging
import time
from collections import Counter, defaultdict
from collections.abc import Generator, Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

from omegaconf import DictConfig
from tqdm import tqdm
from tqdm.contrib.logging import logging_redirect_tqdm

from ganfill.commands.completers import build_completers, words
from ganfill.commands.ray_engine import check_ray, complete_on_cluster
from ganfill.commands.summary import write_summary
from ganfill.completion.completer import Completer, Outcome
from ganfill.completion.find_pictures import find_others, find_pictures
from ganfill.completion.result_folder import JSONL, RECORD, Job
from ganfill.completion.shard import Shard, hold_shard
from ganfill.config import suggest
from ganfill.errors import Incomplete, UserError
from ganfill.files import identify, is_same
from ganfill.images.holes import ALPHA, NOTHING, HoleSource, masks_beside
from ganfill.images.masks import KINDS
from ganfill.locks import hold_directory
from ganfill.progress import WITHOUT_RATE, progress_bar

log = logging.getLogger(__name__)

ENGINES = ("local", "ray")
SHOWN = 3  # pictures of a mask that are named


def run(config: DictConfig) -> Path:
    """Completes ``config.images`` with every mask of ``config.mask``; returns ``config.out``.

    Raises:
        UserError: nothing is to be completed, there are no pictures, or a mask or the model does not exist.
        Incomplete: some pictures could not be completed; the others were.
    """
    out, images, shard = Path(str(config.out)), words(config.images), Shard.parse(str(config.shard))
    if config.engine not in ENGINES:
        raise UserError(f"engine={config.engine} is not known: {suggest(config.engine, list(ENGINES))}")
    if config.engine == "ray":
        check_ray(config)
    if out.is_dir() and any(is_same(Path(place), out) for place in images):
        raise UserError(f"out={out} is the folder of the pictures: give another out")
    leave_out = [*([out] if out.is_dir() else []), *_mask_files(words(config.mask), images)]
    if results := _earlier_results(images, out):
        log.warning("passed over %s: earlier results of ganfill", ", ".join(map(str, results)))
        leave_out += results
    pictures, others = find_pictures(images, leave_out), find_others(images, leave_out)
    pictures = {name: path for name, path in pictures.items() if name in shard}
    for (suffix, reason), count in Counter((Path(name).suffix, why) for name, why in others.items()).items():
        log.warning("passed over %d files %s: %s", count, suffix or "without suffix", reason)
    started = time.perf_counter()
    figures: dict[str, Any] = {"completed": 0, "skipped": 0, "failed": {}, "converted": {}, "passed_over": others}
    with hold_shard(out, shard):
        completers = build_completers(config)
        for label, completer in completers.items():
            _name_shared_masks(completer.source, pictures)
            _complete(config, label, completer, list(_choose(completer, pictures, figures)), figures)
        summary = shard.file("summary", ".json")
        write_summary(out, "complete", config, figures, time.perf_counter() - started, summary)
        with hold_directory(out, wait=True):
            if all((out / name).exists() for name in shard.files("summary", ".json")):
                for completer in completers.values():
                    completer.folder.write_results()
    if figures["failed"]:
        reasons = "\n  ".join(figures["failed"].values())
        raise Incomplete(f"{len(figures['failed'])} of {len(pictures) * len(completers)} not completed:\n  {reasons}")
    return out


def _choose(completer: Completer, pictures: dict[str, Path], figures: dict[str, Any]) -> Iterator[Job]:
    """Yields the jobs that are not done yet."""
    for name, path in pictures.items():
        try:
            job = completer.folder.job(name, path, completer.source)
        except UserError as error:
            figures["failed"][str(completer.folder.path / name)] = str(error)
            continue
        if completer.folder.has(job):
            figures["skipped"] += 1
        else:
            yield job


def _complete(config: DictConfig, label: str, completer: Completer, jobs: list[Job], figures: dict[str, Any]) -> None:
    """Completes jobs and records their outcomes."""
    folder = completer.folder
    bar = progress_bar(total=len(jobs), desc=label, unit="picture", bar_format=WITHOUT_RATE, disable=not jobs)
    with bar, logging_redirect_tqdm(), closing(_outcomes(config, label, completer, jobs, bar)) as outcomes:
        for outcome in outcomes:
            if outcome.converted:
                figures["converted"][str(outcome.job.path)] = outcome.converted
            if outcome.entry is None:
                figures["failed"][str(folder.path / outcome.job.name)] = outcome.failure
            else:
                folder.finish(outcome.job, outcome.entry)
                figures["completed"] += 1


def _outcomes(
    config: DictConfig, label: str, completer: Completer, jobs: list[Job], bar: tqdm
) -> Generator[Outcome, None, None]:
    """Completes jobs in this process or on a cluster."""

    def advance(pictures: float) -> None:
        bar.update(min(pictures, bar.total - bar.n))  # shares may add up to a little more

    if config.engine == "local":
        yield from completer(jobs, completer.folder.begin, advance)
    elif jobs:
        for outcome in complete_on_cluster(config, label, jobs, completer.folder.begin):
            advance(1)
            yield outcome


def _earlier_results(images: list[str], out: Path) -> list[Path]:
    """The folders below those of ``images`` that hold results, apart from ``out``."""
    records = [path for place in images for path in Path(place).rglob(f"{RECORD}*{JSONL}")]
    own = {out.resolve(), *(Path(place).resolve() for place in images)}
    folders = {path.parent: path.parent.resolve() for path in records}
    return [folder for folder, real in folders.items() if real not in own and out.resolve() not in real.parents]


def _name_shared_masks(source: HoleSource, pictures: dict[str, Path]) -> None:
    """Logs the masks in a folder that several pictures have in common."""
    if source.is_drawn or source.mask in (ALPHA, NOTHING) or not Path(source.mask).is_dir():
        return
    users = defaultdict[Path | None, list[Path]](list)
    for path in pictures.values():
        with suppress(UserError):  # the picture's job reports it
            users[source.file_of(path)].append(path)
    for mask, paths in users.items():
        if len(paths) > 1:
            log.warning("%s is the mask of %d pictures: %s", mask, len(paths), ", ".join(map(str, paths[:SHOWN])))


def _mask_files(masks: list[str], images: list[str]) -> Iterator[Path]:
    """The files and folders of masks, to be left out of the pictures; of a folder that holds both, only the masks."""
    places = {Path(place).resolve() for place in images}
    named = places | {identify(Path(place)) for place in images}
    around = named.union(*(place.parents for place in named))
    for mask in (Path(mask) for mask in masks if mask not in (*KINDS, ALPHA, NOTHING)):
        if mask.is_dir() and mask.resolve() in around:
            yield from masks_beside(mask)
        if not (mask.is_dir() and mask.resolve() in places):
            yield mask
