"""Decodes picture files on all cores, in order."""

import hashlib
import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ganfill.data.archives import Reader
from ganfill.data.decode import NO_PICTURE, Crop, Unusable, decode
from ganfill.errors import UserError
from ganfill.images.formats import UNKNOWN, explain_refusal

AHEAD = 4  # tasks for each worker, so that none waits for the writer


class File(NamedTuple):
    """A file of a source, with its id and split; the split is None if the split rule does not know it."""

    source: int
    name: str
    id: str
    split: str | None


class Decoded(NamedTuple):
    """The result for a file: its row in the pixels of its task, with conversions as remark; or None, with the reason."""

    row: int | None
    sha256: str
    remark: str


Task = tuple[range, list[tuple[int, File]]]  # all files of a chunk, and the files to decode
Result = tuple[np.ndarray, dict[int, Decoded]]  # pixels, uint8 (K, R, R, 3), and a result for each file


def decode_all(
    tasks: Iterable[Task], paths: list[Path], resolution: int, crop: Crop, workers: int
) -> Iterator[tuple[range, Result]]:
    """Decodes task after task and yields the results in the same order.

    Args:
        tasks: consumed lazily, a few ahead of the results.
        paths: of the sources.
        resolution: side R of the pictures.
        crop: as in ``ganfill.data.decode``.
        workers: number of processes; below two, this process decodes.

    Raises:
        UserError: the system has ended one of the processes.
    """
    if workers < 2:
        with closing(Reader(paths)) as reader:
            for chunk, files in tasks:
                yield chunk, decode_files(reader, files, resolution, crop)
        return
    # Forking a process that has threads, as torch does, can hang the child.
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(workers, context, _start_worker, (paths,))
    running: deque[tuple[range, Any]] = deque()

    def take() -> tuple[range, Result]:
        done, future = running.popleft()
        with _explained():
            return done, future.result()

    try:
        for chunk, files in tasks:
            with _explained():
                running.append((chunk, pool.submit(_work, files, resolution, crop)))
            if len(running) >= AHEAD * workers:
                yield take()
        while running:
            yield take()
    finally:
        pool.shutdown(cancel_futures=True)


@contextmanager
def _explained() -> Iterator[None]:
    """Explains the end of a worker process."""
    try:
        yield
    except BrokenProcessPool:
        raise UserError(
            "a process that decodes pictures was ended from outside, perhaps for lack of memory: the same command "
            "continues"
        ) from None


def decode_files(reader: Reader, files: list[tuple[int, File]], resolution: int, crop: Crop) -> Result:
    """Decodes the numbered files of one task."""
    pixels = np.empty((len(files), resolution, resolution, 3), np.uint8)
    results: dict[int, Decoded] = {}
    used = 0
    for number, file in files:
        try:
            pixels[used], remark = decode(reader.read(file.source, file.name), resolution, crop)
        except Unusable as error:
            reason = explain_refusal(file.name) if str(error) == NO_PICTURE else UNKNOWN
            results[number] = Decoded(None, "", str(error) if reason == UNKNOWN else f"{error}: {reason}")
        except OSError as error:
            results[number] = Decoded(None, "", f"unreadable: {error.strerror or error}")
        else:
            results[number] = Decoded(used, hashlib.sha256(pixels[used].data).hexdigest(), remark)
            used += 1
    return pixels[:used], results


_reader: Reader  # in a worker process


def _start_worker(paths: list[Path]) -> None:
    global _reader
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent handles it and ends the pool
    threading.Thread(target=_exit_with_parent, daemon=True).start()
    _reader = Reader(paths)


def _exit_with_parent() -> None:
    """Ends this worker if its parent is killed; otherwise it would wait forever."""
    if parent := multiprocessing.parent_process():
        parent.join()
        os._exit(1)


def _work(files: list[tuple[int, File]], resolution: int, crop: Crop) -> Result:
    return decode_files(_reader, files, resolution, crop)
