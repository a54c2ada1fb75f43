"""Completes the pictures of jobs: reads and writes them in threads while the device searches."""

import errno
import logging
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np

from ganfill.completion.model_choice import choose_model
from ganfill.completion.pipeline import MOST_VALUES, Filled, fill, find_placement
from ganfill.completion.read_ahead import PIXELS_AT_ONCE, Work, read_ahead
from ganfill.completion.record import Entry
from ganfill.completion.result_folder import Job, ResultFolder
from ganfill.errors import UserError
from ganfill.images.alignment import Alignment
from ganfill.images.bleeding import BLED, include_bleeding
from ganfill.images.blend import Blend
from ganfill.images.expansion import Expansion
from ganfill.images.holes import EMPTY, FULL, HoleSource, grow, soften
from ganfill.images.photo import SEVERAL
from ganfill.models.model import Model
from ganfill.search.result import DEFAULTS, Search, SearchOptions

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
        converted: what the conversion of the photo lost, and what was left out of the file, for the user.
    """

    job: Job
    entry: Entry | None = None
    failure: str = ""
    converted: str = ""


@dataclass(frozen=True)
class Completer:
    """Completes pictures with one mask.

    Args:
        models: by name, on the device that runs the search; each photo is completed by the one that ``choose_model`` takes.
        source: finds the holes.
        folder: receives the files.
        search: finds the answers.
        blend: replaces the search's own blend.
        alignment: chooses the region that the model sees.
        expansion: adds missing pixels at the sides.
        grown: pixels by which holes are widened; None: as far as paint over them has bled, see ``include_bleeding``.
        softened: pixels in which a finished picture fades into its photo, at the edge of its hole.
        options: of the search.
    """

    models: Mapping[str, Model]
    source: HoleSource
    folder: ResultFolder
    search: Search
    blend: Blend | None
    alignment: Alignment
    expansion: Expansion | None = None
    grown: float | None = 0
    softened: float = 0
    options: SearchOptions = DEFAULTS

    def __call__(
        self, jobs: Iterable[Job], begin: Callable[[Job], object], advance: Callable[[float], object] | None = None
    ) -> Iterator[Outcome]:
        """Completes jobs and yields their outcomes, in no particular order.

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
                for group in read_ahead(jobs, lambda jobs: self._read(jobs, failed), self.options.answers):
                    try:
                        filled = self._fill(group, advance)
                    except BaseException:
                        while writing:  # what is written need not be completed again
                            yield self._outcome(*writing.popleft())
                        raise
                    while writing:
                        yield self._outcome(*writing.popleft())
                    for work, result in zip(group, filled, strict=True):
                        begin(work.job)
                        writing.append((work, pool.submit(self._write, work, result)))
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
                if self.grown is None and not self.source.is_drawn:
                    known = ~hole
                    hole = include_bleeding(photo.pixels, hole, photo.lossy)
                    if pixels := int((known & hole).sum()):
                        log.warning("%s: %s; mask_grow=0 keeps them", job.path, BLED.format(pixels))
                if self.expansion is not None:
                    photo, hole = self.expansion(photo, hole)
                self._check_size(job, hole)
            except UserError as error:
                failed.append(Outcome(job, failure=str(error)))
                continue
            hole = grow(hole, (self.grown or 0) + self.softened)
            if not hole.any():
                log.warning("%s: %s", job.path, EMPTY)
            if hole.all():
                log.warning("%s: %s", job.path, FULL)
            if photo.lost:
                log.warning("%s: %s", job.path, photo.lost)
            if photo.frames > 1:
                log.warning("%s: %s", job.path, SEVERAL.format(photo.frames))
            smallest = min(model.resolution for model in self.models.values())
            placement = find_placement(self.alignment, photo.pixels, hole, smallest)
            yield Work(job, photo, hole, placement, choose_model(self.models, placement))

    def _check_size(self, job: Job, hole: np.ndarray) -> None:
        """Raises ``UserError`` if the answers to one photo, with those of the rest of its group, exceed the memory."""
        if (size := 3 * self.options.answers * hole.size) > MOST_VALUES - 3 * PIXELS_AT_ONCE:
            raise UserError(f"{job.path}: answers={self.options.answers} take {size / 1e9:.1f} GB: ask for fewer")

    def _fill(self, group: list[Work], advance: Callable[[float], object] | None) -> list[Filled]:
        """Completes a group; photos of the same model are searched together."""
        filled: dict[int, Filled] = {}
        for name, model in self.models.items():
            rows = [row for row, work in enumerate(group) if work.model == name]
            if not rows:
                continue
            results = fill(
                model,
                [group[row].photo.pixels for row in rows],
                [group[row].hole for row in rows],
                self.search,
                self.blend,
                [group[row].placement for row in rows],
                self.options,
                advance,
            )
            filled |= dict(zip(rows, results, strict=True))
        pairs = [(work, filled[row]) for row, work in enumerate(group)]
        # One message for the group, because each one redraws the progress bar.
        holes = [
            f"{work.job.path}: hole {number} of {len(result.holes)}, {hole}{self._by(work)}"
            for work, result in pairs
            for number, hole in enumerate(result.holes, 1)
        ]
        remarks = [f"{work.job.path}: {remark}" for work, result in pairs for remark in result.remarks]
        for level, lines in ((logging.INFO, holes), (logging.WARNING, remarks)):
            if lines:
                log.log(level, "%s", "\n".join(lines))
        return [self._soften(work, result) for work, result in pairs]

    def _soften(self, work: Work, filled: Filled) -> Filled:
        """Lets the finished pictures and the mean answer fade into the photo."""

        def softened(picture: np.ndarray) -> np.ndarray:
            return soften(picture, work.photo.pixels, work.hole, self.softened)

        extras = {name: softened(extra) if name == "mean" else extra for name, extra in filled.extras.items()}
        return replace(filled, pictures=list(map(softened, filled.pictures)), extras=extras)

    def _by(self, work: Work) -> str:
        return f", by {work.model}" if len(self.models) > 1 else ""

    def _write(self, work: Work, filled: Filled) -> Entry:
        entry = self.folder.write(work.job, work.photo, work.hole, filled)
        return entry | ({"model": work.model} if len(self.models) > 1 else {})

    def _outcome(self, work: Work, writing: "Future[Entry]") -> Outcome:
        """Waits for the files of a picture."""
        frames = f"first of {work.photo.frames} pictures" if work.photo.frames > 1 else ""
        converted = "; ".join(filter(None, [work.photo.lost, frames]))
        try:
            return Outcome(work.job, writing.result(), "", converted)
        except OSError as error:
            if error.errno in UNWRITABLE:
                raise
            return Outcome(
                work.job, None, f"{work.job.path}: its results cannot be written ({error.strerror})", converted
            )
