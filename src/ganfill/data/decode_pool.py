"""Decoding files on all cores, with results in order."""

import hashlib
import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ganfill.data.archives import Reader
from ganfill.data.decode import Crop, Unusable, decode

AHEAD = 4  # tasks queued for each worker, so that none waits for the writer


class File(NamedTuple):
    """A file of a source: source number, name, picture id and split (None if the split rule rejects it)."""

    source: int
    name: str
    id: str
    split: str | None


class Decoded(NamedTuple):
    """Result for a file: row in the task's pixels, SHA-256 and conversions; or None, "" and the reason."""

    row: int | None
    sha256: str
    remark: str


Task = tuple[range, list[tuple[int, File]]]  # all files of a chunk, and the files to decode
Result = tuple[np.ndarray, dict[int, Decoded]]


def decode_all(
    tasks: Iterable[Task], paths: list[Path], resolution: int, crop: Crop, workers: int
) -> Iterator[tuple[range, Result]]:
    """Decodes tasks in parallel and yields the results in order.

    Args:
        tasks: consumed a few ahead of the results.
        paths: paths of the sources.
        resolution: side R of the pictures, in pixels.
        crop: see ``ganfill.data.decode``.
        workers: number of processes; with fewer than 2, this process decodes.
    """
    if workers < 2:
        with closing(Reader(paths)) as reader:
            decoder = _Decoder(reader, resolution, crop)
            yield from ((chunk, decoder(files)) for chunk, files in tasks)
        return
    # Forking a process with threads, such as torch's, can deadlock the child.
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(workers, context, _start_worker, (paths, resolution, crop))
    running: deque[tuple[range, Any]] = deque()
    try:
        for chunk, files in tasks:
            running.append((chunk, pool.submit(_work, files)))
            if len(running) >= AHEAD * workers:
                done, future = running.popleft()
                yield done, future.result()
        for done, future in running:
            yield done, future.result()
    finally:
        pool.shutdown(cancel_futures=True)


class _Decoder:
    def __init__(self, reader: Reader, resolution: int, crop: Crop) -> None:
        self._reader, self._resolution, self._crop = reader, resolution, crop

    def __call__(self, files: list[tuple[int, File]]) -> Result:
        pixels = np.empty((len(files), self._resolution, self._resolution, 3), np.uint8)
        decoded: dict[int, Decoded] = {}
        used = 0
        for number, file in files:
            decoded[number] = self._decode(file, pixels[used], used)
            used += decoded[number].row is not None
        return pixels[:used], decoded

    def _decode(self, file: File, pixels: np.ndarray, row: int) -> Decoded:
        try:
            content = self._reader.read(file.source, file.name)
            pixels[:], remark = decode(content, self._resolution, self._crop)
        except Unusable as error:
            return Decoded(None, "", str(error))
        except OSError as error:
            return Decoded(None, "", f"unreadable: {error.strerror or error}")
        return Decoded(row, hashlib.sha256(pixels.data).hexdigest(), remark)


_worker: list[_Decoder] = []  # the decoder of this worker process


def _start_worker(paths: list[Path], resolution: int, crop: Crop) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent handles Ctrl-C and shuts the pool down
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _worker.append(_Decoder(Reader(paths), resolution, crop))


def _end_with_parent() -> None:
    """Exits when the parent is killed; otherwise the worker would wait for ever."""
    if parent := multiprocessing.parent_process():
        parent.join()
        os._exit(1)


def _work(files: list[tuple[int, File]]) -> Result:
    return _worker[0](files)
