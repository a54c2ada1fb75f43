"""Pictures of any kind and size become an image store: decoded once, on all cores, split for good."""

import hashlib
import json
import multiprocessing
import os
import shutil
import signal
import threading
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

import numpy as np
from tqdm import tqdm

from ganfill.data.decode import FILTER, Crop, Unusable, decode, parse_crop
from ganfill.data.journal import Progress, Unfinished, refuse_others
from ganfill.data.sources import Reader, Source, open_sources
from ganfill.data.splits import choose_rules, identify
from ganfill.data.store import FORMAT, INDEX, UNFINISHED, ImageStore
from ganfill.errors import UserError

CHUNK = 64  # files decoded as one task and vouched for by one line of the journal
AHEAD = 4  # tasks a worker, so that none waits for the writer


class File(NamedTuple):
    """A file of a source and what the split says of it."""

    source: int
    name: str
    id: str
    split: str | None


class Decoded(NamedTuple):
    """What a file gave: pixels uint8 (R, R, 3), or None and the reason."""

    pixels: np.ndarray | None
    sha256: str
    remark: str


def prepare(
    sources: Sequence[Path],
    out: Path,
    *,
    resolution: int = 64,
    limit: int | None = None,
    crop: str | Sequence[float] = "center",
    split: str = "auto",
) -> ImageStore:
    """Makes an image store in ``out``, continues an unfinished one, or opens the finished one.

    Pictures stand in the order of the sources, and of their paths inside each. An interrupted run leaves what it has
    done; the result is the same, byte for byte, however often it was interrupted.

    Args:
        sources: folders, searched at any depth, and zip files.
        out: the store's directory.
        resolution: side R of the stored pictures in pixels.
        limit: at most so many training pictures, the first ones; test pictures are all kept. None for all.
        crop: ``center``, ``none`` or a square box, see ``ganfill.data.decode``.
        split: which pictures are for testing, see ``ganfill.data.splits``.

    Raises:
        UserError: a source, the crop or the split cannot be used, no picture is left, or ``out`` holds another store.
    """
    if not 4 <= resolution <= 2048 or (limit is not None and limit < 1):
        raise UserError(f"resolution={resolution} limit={limit}: give a resolution from 4 to 2048 and a limit above 0")
    place = parse_crop(crop)
    opened = open_sources(sources, leave_out=out)
    settings = {
        "format": FORMAT,
        "resolution": resolution,
        "filter": FILTER,
        "crop": place if isinstance(place, str) else list(place),
        "split": identify(split),
        "limit": limit,
        "source": [{"name": source.name, "label": source.label, "digest": source.digest} for source in opened],
    }
    if (out / INDEX).exists():
        store = ImageStore.open(out)
        refuse_others(out, store.index, settings)
        shutil.rmtree(out / UNFINISHED, ignore_errors=True)  # the last step of a run that was cut off in it
        return store
    files = list_files(opened, split)
    with Unfinished(out, settings, resolution) as unfinished:
        _add_all(unfinished, files, [source.path for source in opened], resolution, place, limit)
        if not unfinished.progress.pictures:
            unfinished.discard()
            reasons = Counter(reason.split(":")[0] for _, reason in unfinished.progress.skipped)
            told = ", ".join(f"{count} {reason}" for reason, count in reasons.most_common()) or "there are no files"
            raise UserError(f"source={','.join(map(str, sources))} gives no picture ({told}): give other sources")
        unfinished.finish(_describe(settings, files, unfinished.progress, opened))
    return ImageStore.open(out)


def list_files(sources: Sequence[Source], split: str) -> list[File]:
    """All files of all sources in their order, each with an id of its own."""
    files: list[File] = []
    for number, (source, rule) in enumerate(zip(sources, choose_rules(split, sources), strict=True)):
        bare = {name: PurePosixPath(name).with_suffix("").as_posix() for name in source.files}
        counts = Counter(bare.values())
        for name in source.files:
            path = bare[name] if counts[bare[name]] == 1 and bare[name] not in source.files else name
            files.append(File(number, name, f"{source.label}/{path}", rule(name)))
    return files


def _add_all(
    unfinished: Unfinished, files: list[File], paths: list[Path], resolution: int, crop: Crop, limit: int | None
) -> None:
    """Decodes what is left of ``files`` and appends it."""
    progress = unfinished.progress
    first = {sha256: file for file, sha256 in progress.pictures}
    training = sum(files[file].split == "train" for file, _ in progress.pictures)

    def full(file: File) -> bool:
        return limit is not None and training >= limit and file.split == "train"

    def tasks() -> Iterator[tuple[range, list[tuple[int, File]]]]:
        for begin in range(progress.position, len(files), CHUNK):
            chunk = range(begin, min(begin + CHUNK, len(files)))
            wanted = [number for number in chunk if files[number].split and not full(files[number])]
            yield chunk, [(number, files[number]) for number in wanted]

    with tqdm(total=len(files), initial=progress.position, desc="preparing", unit="file") as bar:
        for chunk, decoded in _run(tasks(), paths, resolution, crop, len(files) - progress.position):
            later, rows = Progress(chunk.stop), []
            for number in chunk:
                file = files[number]
                if file.split is None:
                    later.skipped.append((number, "its name is no FFHQ id"))
                elif not full(file):
                    picture = decoded[number]
                    if picture.pixels is None:
                        later.skipped.append((number, picture.remark))
                    elif picture.sha256 in first:
                        later.skipped.append((number, f"duplicate of {files[first[picture.sha256]].id}"))
                    else:
                        first[picture.sha256] = number
                        training += file.split == "train"
                        rows.append(picture.pixels)
                        later.pictures.append((number, picture.sha256))
                        if picture.remark:
                            later.converted.append((number, picture.remark))
            pixels = np.stack(rows) if rows else np.empty((0, resolution, resolution, 3), np.uint8)
            unfinished.add(pixels, later)
            bar.update(len(chunk))


def _run(
    tasks: Iterable[tuple[range, list[tuple[int, File]]]], paths: list[Path], resolution: int, crop: Crop, n: int
) -> Iterator[tuple[range, dict[int, Decoded]]]:
    """Decodes task after task, in order; on all cores if there is enough to do for two."""
    workers = min(_cores(), n // CHUNK)
    if workers < 2:
        with closing(Reader(paths)) as reader:
            decoder = _Decoder(reader, resolution, crop)
            yield from ((chunk, decoder(files)) for chunk, files in tasks)
        return
    # Forking a process that has threads, as torch's do, can hang the child.
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
    """Decodes files of the sources."""

    def __init__(self, reader: Reader, resolution: int, crop: Crop) -> None:
        self._reader, self._resolution, self._crop = reader, resolution, crop

    def __call__(self, files: list[tuple[int, File]]) -> dict[int, Decoded]:
        return {number: self._decode(file) for number, file in files}

    def _decode(self, file: File) -> Decoded:
        try:
            pixels, remark = decode(self._reader.read(file.source, file.name), self._resolution, self._crop)
        except Unusable as error:
            return Decoded(None, "", str(error))
        except OSError as error:
            return Decoded(None, "", f"unreadable: {error.strerror or error}")
        return Decoded(pixels, _sha256(pixels.tobytes()), remark)


_worker: list[_Decoder] = []  # in a worker process: its decoder


def _start_worker(paths: list[Path], resolution: int, crop: Crop) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent is told, and ends the pool
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _worker.append(_Decoder(Reader(paths), resolution, crop))


def _end_with_parent() -> None:
    """Ends this worker when its parent is killed, which it would wait for otherwise."""
    if parent := multiprocessing.parent_process():
        parent.join()
        os._exit(1)


def _work(files: list[tuple[int, File]]) -> dict[int, Decoded]:
    return _worker[0](files)


def _describe(settings: dict[str, Any], files: list[File], progress: Progress, sources: Sequence[Source]) -> str:
    """The text of ``index.json``."""

    def told(remarks: list[tuple[int, str]]) -> list[dict[str, str]]:
        return [{"file": f"{sources[files[n].source].label}/{files[n].name}", "reason": why} for n, why in remarks]

    pictures = [
        {"id": files[n].id, "sha256": sha256, "split": files[n].split, "source": files[n].source}
        for n, sha256 in progress.pictures
    ]
    content = settings | {
        "skipped": told(progress.skipped),
        "converted": told(progress.converted),
        "pictures": pictures,
    }
    # One picture a line: readable, and small enough for a hundred thousand.
    lines = [f' "{key}": {json.dumps(value)}' for key, value in content.items() if key != "pictures"]
    rows = ",\n  ".join(json.dumps(picture) for picture in pictures)
    return "{\n" + ",\n".join(lines) + ',\n "pictures": [\n  ' + rows + "\n ]\n}\n"


def _cores() -> int:
    """Cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
