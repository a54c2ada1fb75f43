"""``ganfill complete``: fills the holes of pictures in files and folders."""

import errno
import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import takewhile
from pathlib import Path
from typing import Any

import numpy as np
from omegaconf import DictConfig
from tqdm import tqdm
from tqdm.contrib.logging import logging_redirect_tqdm

from ganfill.commands.summary import write_summary
from ganfill.completion.pipeline import fill, find_placement
from ganfill.completion.result_folder import Job, ResultFolder, find_others, find_pictures
from ganfill.config import as_list, build, to_plain
from ganfill.devices import choose_device
from ganfill.errors import Incomplete, UserError
from ganfill.images.alignment import Alignment, Placement, center, find_alignment
from ganfill.images.expansion import Expansion
from ganfill.images.holes import ALPHA, EMPTY, FULL, NOTHING, HoleSource, grow, masks_beside, soften
from ganfill.images.masks import KINDS
from ganfill.images.photo import Photo
from ganfill.locks import hold_directory
from ganfill.model_io import model_file
from ganfill.models.model import Model

log = logging.getLogger(__name__)
log.setLevel(logging.INFO)

PICTURES_AT_ONCE = 32
PIXELS_AT_ONCE = 50_000_000
FRAMES = 40
UNWRITABLE = (
    errno.ENOSPC,
    errno.EDQUOT,
    errno.EROFS,
    errno.EIO,
)  # of the whole disk, so that no other picture succeeds
BAR = "{desc}: {percentage:3.0f}% {bar} {n:.0f}/{total} [{elapsed}<{remaining}]"


@dataclass(frozen=True)
class Work:
    """A picture to complete, with its hole and the region that the model sees."""

    job: Job
    photo: Photo
    hole: np.ndarray
    placement: Placement


def run(config: DictConfig) -> Path:
    """Completes ``config.images`` with every mask of ``config.mask``; returns ``config.out``.

    Raises:
        UserError: nothing is to be completed, there are no pictures, or a mask or the model does not exist.
        Incomplete: some pictures could not be completed; the others were.
    """
    out = Path(str(config.out))
    if config.mask is None and config.expand is None:
        raise UserError("complete needs mask=... or expand=...; see ganfill complete --help")
    masks = [NOTHING] if config.mask is None else _words(config.mask)
    expansion = None if config.expand is None else Expansion.parse(config.expand)
    box, landmarks = (None if config[key] is None else str(config[key]) for key in ("box", "landmarks"))
    alignment = find_alignment(str(config.align), box, landmarks)
    if expansion is not None and config.align == "face":
        alignment = center  # no face is known to reach into the new part
    leave_out = [out, *_mask_files(masks, _words(config.images))]
    pictures = find_pictures(_words(config.images), leave_out)
    others = find_others(_words(config.images), leave_out)
    for (suffix, reason), count in Counter((Path(name).suffix, why) for name, why in others.items()).items():
        log.warning("passed over %d files %s: %s", count, suffix or "without suffix", reason)
    model = model_file.load(config.model, choose_device(config.device))
    all_sources = [HoleSource(mask, model.resolution, config.seed, config.invert) for mask in masks]
    sources = {source.label: source for source in all_sources}
    if len(sources) < len(masks):
        raise UserError(f"mask={','.join(masks)}: two masks share a name, and so would their results; rename one")
    with hold_directory(out):
        return _complete_all(config, out, pictures, others, sources, model, alignment, expansion)


def _complete_all(
    config: DictConfig,
    out: Path,
    pictures: dict[str, Path],
    others: dict[str, str],
    sources: dict[str, HoleSource],
    model: Model,
    alignment: Alignment,
    expansion: Expansion | None,
) -> Path:
    started = time.perf_counter()
    figures: dict[str, Any] = {"completed": 0, "skipped": 0, "failed": {}, "converted": {}, "passed_over": others}
    for label, source in sources.items():
        place = out / label if len(sources) > 1 else out
        folder = ResultFolder(place, _settings(config, model, label), show_original=source.mask in KINDS)
        jobs = list(_choose(pictures, source, folder, figures))
        growth = config.mask_grow + config.mask_soften
        read = _Reader(source, expansion, growth, alignment, model.resolution, folder, figures)
        bar = tqdm(total=len(jobs), desc=label, unit="picture", bar_format=BAR, disable=not jobs)
        with bar, logging_redirect_tqdm():
            for work in _ahead(jobs, lambda jobs, read=read: _together(read(jobs), config.answers)):
                _complete(work, folder, model, config, bar, figures)
    write_summary(out, "complete", config, figures, time.perf_counter() - started)
    if figures["failed"]:
        reasons = "\n  ".join(figures["failed"].values())
        raise Incomplete(f"{len(figures['failed'])} of {len(pictures) * len(sources)} not completed:\n  {reasons}")
    return out


def _choose(
    pictures: dict[str, Path], source: HoleSource, folder: ResultFolder, figures: dict[str, Any]
) -> Iterator[Job]:
    """Yields the jobs that are not done yet."""
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


@dataclass(frozen=True)
class _Reader:
    """Reads jobs and places the region that the model sees; skips jobs that cannot be read."""

    source: HoleSource
    expansion: Expansion | None
    growth: float
    alignment: Alignment
    resolution: int
    folder: ResultFolder
    figures: dict[str, Any]

    def __call__(self, jobs: Iterable[Job]) -> Iterator[Work]:
        for job in jobs:
            try:
                photo, hole = job.read(self.source)
                if self.expansion is not None:
                    photo, hole = self.expansion(photo, hole)
            except UserError as error:
                self.figures["failed"][str(self.folder.path / job.name)] = str(error)
                continue
            hole = grow(hole, self.growth)
            for remark in _remarks(photo, hole):
                log.warning("%s: %s", job.path, remark)
            if photo.frames > 1:
                self.figures["converted"][str(job.path)] = f"first of {photo.frames} pictures"
                log.warning("%s: the file holds %d pictures, and the first is completed", job.path, photo.frames)
            yield Work(job, photo, hole, find_placement(self.alignment, photo.pixels, hole, self.resolution))


def _remarks(photo: Photo, hole: np.ndarray) -> Iterator[str]:
    """What the user should know before the search."""
    if not hole.any():
        yield EMPTY
    if hole.all():
        yield FULL
    if photo.lost:
        yield photo.lost


def _together(work: Iterable[Work], answers: int) -> Iterator[list[Work]]:
    """Yields groups to search together, bounded in pictures and pixels."""
    group: list[Work] = []
    for item in work:
        group.append(item)
        if len(group) == PICTURES_AT_ONCE or answers * sum(each.hole.size for each in group) >= PIXELS_AT_ONCE:
            yield group
            group = []
    if group:
        yield group


def _ahead(jobs: Iterable[Job], groups: Callable[[Iterable[Job]], Iterator[list[Work]]]) -> Iterator[list[Work]]:
    """Yields groups of jobs; while the caller works on one, a thread makes the next."""
    stop = threading.Event()
    made = groups(takewhile(lambda _: not stop.is_set(), jobs))
    with ThreadPoolExecutor(1) as pool:
        try:
            following = pool.submit(next, made, None)
            while (group := following.result()) is not None:
                following = pool.submit(next, made, None)
                yield group
        finally:
            stop.set()  # an interrupt waits for one picture, not for a group


def _complete(
    work: list[Work], folder: ResultFolder, model: Model, config: DictConfig, bar: tqdm, figures: dict[str, Any]
) -> None:
    """Completes a group of photos and writes their results."""
    filled = fill(
        model,
        [each.photo.pixels for each in work],
        [each.hole for each in work],
        build(config.search),
        build(config.blend) if config.blend else None,
        [each.placement for each in work],
        answers=config.answers,
        seed=config.seed,
        deterministic=config.deterministic,
        frames=FRAMES if config.gif else 0,
        advance=lambda pictures: bar.update(min(pictures, bar.total - bar.n)),  # shares may add up to a little more
    )
    for each, result in zip(work, filled, strict=True):
        faded = [soften(picture, each.photo.pixels, each.hole, config.mask_soften) for picture in result.pictures]
        result = replace(result, pictures=faded)
        for number, hole in enumerate(result.holes, 1):
            log.info("%s: %s", each.job.path, f"hole {number} of {len(result.holes)}, {hole}")
        for remark in result.remarks:
            log.warning("%s: %s", each.job.path, remark)
        try:
            folder.add(each.job, each.photo, each.hole, result)
        except OSError as error:
            if error.errno in UNWRITABLE:
                raise
            reason = f"{each.job.path}: its results cannot be written ({error.strerror})"
            figures["failed"][str(folder.path / each.job.name)] = reason
        else:
            figures["completed"] += 1
    folder.flush()


def _mask_files(masks: list[str], images: list[str]) -> Iterator[Path]:
    """The files and folders of masks, which are no pictures; of a folder that holds both, only the masks."""
    places = {Path(place).resolve() for place in images}
    for mask in (Path(mask) for mask in masks if mask not in (*KINDS, ALPHA, NOTHING)):
        if mask.resolve() in places and mask.is_dir():
            yield from masks_beside(mask)
        else:
            yield mask


def _settings(config: DictConfig, model: Model, label: str) -> dict[str, Any]:
    """Returns all settings that results depend on, besides the picture."""
    plain = to_plain(config)
    names = ("search", "blend", "answers", "seed", "deterministic", "gif", "invert", "align", "box", "landmarks")
    names += ("expand", "mask_grow", "mask_soften")
    return {"model": model.digest, "mask": label} | {name: plain[name] for name in names}


def _words(value: Any) -> list[str]:
    return [str(word) for word in as_list(value)]
