"""Completes the pictures of jobs: reads and writes them in threads while the device searches."""

import errno
import logging
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any

from ganfill.completion.pipeline import Filled, fill, find_placement
from ganfill.completion.read_ahead import Work, read_ahead
from ganfill.completion.record import Entry
from ganfill.completion.result_folder import Job, ResultFolder
from ganfill.errors import UserError
from ganfill.images.alignment import Alignment
from ganfill.images.blend import Blend
from ganfill.images.expansion import Expansion
from ganfill.images.holes import EMPTY, FULL, HoleSource, grow, soften
from ganfill.models.model import Model
from ganfill.search.result import Search

log = logging.getLogger(__name__)
log.setLevel(logging.INFO)

MOST_WRITERS = 8
# Errors of the whole disk, after which no other picture succeeds.
UNWRITABLE = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO)


@dataclass(frozen=True)
class Outcome:
    """The end of a job.

    Attributes:
        job: the job.
        entry: what ``ResultFolder.finish`` records; None if the job failed.
        failure: the reason, for the user.
        converted: what was left out of the file, for the user.
    """

    job: Job
    entry: Entry | None = None
    failure: str = ""
    converted: str = ""


@dataclass(frozen=True)
class Completer:
    """Completes pictures with one mask.

    Args:
        model: on the device that runs the search.
        source: finds the holes.
        folder: receives the files.
        search: finds the answers.
        blend: replaces the search's own blend.
        alignment: chooses the region that the model sees.
        expansion: adds missing pixels at the sides.
        grown: pixels by which holes are widened.
        softened: pixels in which a finished picture fades into its photo, at the edge of its hole.
        options: ``answers``, ``seed``, ``deterministic`` and ``frames`` of ``fill``.
    """

    model: Model
    source: HoleSource
    folder: ResultFolder
    search: Search
    blend: Blend | None
    alignment: Alignment
    expansion: Expansion | None = None
    grown: float = 0
    softened: float = 0
    options: dict[str, Any] = field(default_factory=dict)

    def __call__(
        self, jobs: Iterable[Job], begin: Callable[[Job], object], advance: Callable[[float], object] | None = None
    ) -> Iterator[Outcome]:
        """Completes jobs and yields their outcomes; one after the other, but in another order.

        Memory holds the pictures of three groups: the next one, the one that is searched, and the one that is written.

        Args:
            jobs: the pictures.
            begin: called before the files of a picture are written.
            advance: called with the number of pictures completed since its last call, a fraction.

        Raises:
            OSError: the disk is full or cannot be written at all.
        """
        failed = list[Outcome]()
        with ThreadPoolExecutor(min(os.cpu_count() or 1, MOST_WRITERS)) as pool:
            writing: deque[tuple[Work, Future[Entry]]] = deque()
            try:
                for group in read_ahead(jobs, lambda jobs: self._read(jobs, failed), self.options.get("answers", 1)):
                    filled = self._fill(group, advance)
                    while writing:
                        yield self._outcome(*writing.popleft())
                    for work, result in zip(group, filled, strict=True):
                        begin(work.job)
                        future = pool.submit(self.folder.write, work.job, work.photo, work.hole, result)
                        writing.append((work, future))
                while writing:
                    yield self._outcome(*writing.popleft())
            finally:
                pool.shutdown(cancel_futures=True)
        yield from failed

    def _read(self, jobs: Iterable[Job], failed: list[Outcome]) -> Iterator[Work]:
        """Reads jobs and places the region that the model sees; leaves out those that cannot be read."""
        for job in jobs:
            try:
                photo, hole = job.read(self.source)
                if self.expansion is not None:
                    photo, hole = self.expansion(photo, hole)
            except UserError as error:
                failed.append(Outcome(job, failure=str(error)))
                continue
            hole = grow(hole, self.grown)
            if not hole.any():
                log.warning("%s: %s", job.path, EMPTY)
            if hole.all():
                log.warning("%s: %s", job.path, FULL)
            if photo.lost:
                log.warning("%s: %s", job.path, photo.lost)
            if photo.frames > 1:
                log.warning("%s: the file holds %d pictures, and the first is completed", job.path, photo.frames)
            placement = find_placement(self.alignment, photo.pixels, hole, self.model.resolution)
            yield Work(job, photo, hole, placement)

    def _fill(self, group: list[Work], advance: Callable[[float], object] | None) -> list[Filled]:
        filled = fill(
            self.model,
            [work.photo.pixels for work in group],
            [work.hole for work in group],
            self.search,
            self.blend,
            [work.placement for work in group],
            advance=advance,
            **self.options,
        )
        pairs = list(zip(group, filled, strict=True))
        # One message for the group, because each one redraws the progress bar.
        holes = [
            f"{work.job.path}: hole {number} of {len(result.holes)}, {hole}"
            for work, result in pairs
            for number, hole in enumerate(result.holes, 1)
        ]
        remarks = [f"{work.job.path}: {remark}" for work, result in pairs for remark in result.remarks]
        for level, lines in ((logging.INFO, holes), (logging.WARNING, remarks)):
            if lines:
                log.log(level, "%s", "\n".join(lines))
        return [
            replace(result, pictures=[soften(p, work.photo.pixels, work.hole, self.softened) for p in result.pictures])
            for work, result in pairs
        ]

    def _outcome(self, work: Work, writing: "Future[Entry]") -> Outcome:
        """Waits for the files of a picture."""
        converted = f"first of {work.photo.frames} pictures" if work.photo.frames > 1 else ""
        try:
            return Outcome(work.job, writing.result(), "", converted)
        except OSError as error:
            if error.errno in UNWRITABLE:
                raise
            return Outcome(
                work.job, None, f"{work.job.path}: its results cannot be written ({error.strerror})", converted
            )
