"""Preparing an image store: decode pictures once, on all cores, and split them."""

import json
import logging
import os
import shutil
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from ganfill.data.archives import split_suffix
from ganfill.data.decode import FILTER, Crop, parse_crop
from ganfill.data.decode_pool import File, Task, decode_all
from ganfill.data.sources import Source, open_sources
from ganfill.data.splits import choose_rules, identify
from ganfill.data.store import FORMAT, INDEX, UNFINISHED, ImageStore
from ganfill.data.unfinished import Progress, Unfinished, refuse_others
from ganfill.errors import UserError
from ganfill.files import is_same
from ganfill.progress import progress_bar

log = logging.getLogger(__name__)

SHOWN = 10  # skipped files that are named
CHUNK = 64  # files in a task, and in a line of the journal


def prepare(
    sources: Sequence[Path | str],
    out: Path,
    *,
    resolution: int = 64,
    limit: int | None = None,
    crop: str | Sequence[float] = "center",
    split: str = "auto",
) -> ImageStore:
    """Makes an image store in ``out``, continues an unfinished one, or opens a finished one.

    Pictures are ordered by source, then by path. An interrupted run can be continued; the result is the same, byte for
    byte, however often it was interrupted.

    Args:
        sources: folders of any depth, zip files and data sets on Hugging Face (``hf://datasets/...``).
        out: directory of the store.
        resolution: side R of the stored pictures, in pixels.
        limit: maximum number of training pictures, taken from the start; None for all. Test pictures are all kept.
        crop: ``center``, ``none`` or a square box; see ``ganfill.data.decode``.
        split: which pictures are for testing; see ``ganfill.data.splits``.

    Raises:
        UserError: a source, the crop or the split cannot be used, no picture is left, or ``out`` is a source or holds
            another store.
    """
    if not 4 <= resolution <= 2048 or (limit is not None and limit < 1):
        raise UserError(f"resolution={resolution} limit={limit}: give a resolution from 4 to 2048 and a limit above 0")
    if source := next((source for source in sources if is_same(Path(source), out)), None):
        raise UserError(f"out={out} is source={source}: give another out for the image store")
    box = parse_crop(crop)
    opened = open_sources(sources, leave_out=out)
    settings = {
        "format": FORMAT,
        "resolution": resolution,
        "filter": FILTER,
        "crop": box if isinstance(box, str) else list(box),
        "split": identify(split),
        "limit": limit,
        "source": [{"name": source.name, "label": source.label, "digest": source.digest} for source in opened],
    }
    if (out / INDEX).exists():
        store = ImageStore.open(out)
        refuse_others(out, store.index, settings)
        shutil.rmtree(out / UNFINISHED, ignore_errors=True)  # left by a run that was interrupted in its last step
        return store
    files = list_files(opened, split)
    with Unfinished(out, settings, resolution) as unfinished:
        _add_all(unfinished, files, [source.path for source in opened], resolution, box, limit)
        if not unfinished.progress.pictures:
            unfinished.discard()
            reasons = Counter(reason.split(":")[0] for _, reason in unfinished.progress.skipped)
            summary = ", ".join(f"{count} {reason}" for reason, count in reasons.most_common()) or "there are no files"
            raise UserError(
                f"source={','.join(map(str, sources))} contains no usable picture ({summary}): give other sources"
            )
        unfinished.finish(_describe(settings, files, unfinished.progress, opened))
    return ImageStore.open(out)


def log_contents(store: ImageStore) -> None:
    """Logs how many pictures a store holds, and which files were skipped."""
    skipped, converted = store.index["skipped"], store.index["converted"]
    for entry in skipped[:SHOWN]:
        log.warning("skipped %s: %s", entry["file"], entry["reason"])
    if len(skipped) > SHOWN:
        log.warning("... and %d more, listed in %s", len(skipped) - SHOWN, store.path / INDEX)
    counts = len(store.rows("train")), len(store.rows("test")), len(skipped), len(converted)
    log.warning("%d pictures to train on, %d to test, %d files skipped, %d converted", *counts)


def list_files(sources: Sequence[Source], split: str) -> list[File]:
    """Returns all files of all sources in order, with unique ids."""
    files: list[File] = []
    for number, (source, rule) in enumerate(zip(sources, choose_rules(split, sources), strict=True)):
        bare = {name: split_suffix(name)[0] for name in source.files}
        counts = Counter(bare.values())
        for name in source.files:
            path = bare[name] if counts[bare[name]] == 1 and bare[name] not in source.files else name
            files.append(File(number, name, f"{source.label}/{path}", rule(name)))
    return files


def _add_all(
    unfinished: Unfinished, files: list[File], paths: list[Path], resolution: int, crop: Crop, limit: int | None
) -> None:
    """Decodes the remaining files and appends them."""
    progress = unfinished.progress
    first = {sha256: file for file, sha256 in progress.pictures}
    training = sum(files[file].split == "train" for file, _ in progress.pictures)

    def full(file: File) -> bool:
        return limit is not None and training >= limit and file.split == "train"

    def tasks() -> Iterator[Task]:
        for begin in range(progress.position, len(files), CHUNK):
            chunk = range(begin, min(begin + CHUNK, len(files)))
            wanted = [number for number in chunk if files[number].split and not full(files[number])]
            yield chunk, [(number, files[number]) for number in wanted]

    workers = min(_cores(), (len(files) - progress.position) // CHUNK)
    with progress_bar(total=len(files), initial=progress.position, desc="preparing", unit="file") as bar:
        for chunk, (pixels, decoded) in decode_all(tasks(), paths, resolution, crop, workers):
            later, rows = Progress(chunk.stop), list[int]()
            for number in chunk:
                file = files[number]
                if file.split is None:
                    later.skipped.append((number, "its name is not an FFHQ id"))
                elif not full(file):
                    picture = decoded[number]
                    if picture.row is None:
                        later.skipped.append((number, picture.remark))
                    elif picture.sha256 in first:
                        later.skipped.append((number, f"duplicate of {files[first[picture.sha256]].id}"))
                    else:
                        first[picture.sha256] = number
                        training += file.split == "train"
                        rows.append(picture.row)
                        later.pictures.append((number, picture.sha256))
                        if picture.remark:
                            later.converted.append((number, picture.remark))
            unfinished.add(pixels[rows], later)
            bar.update(len(chunk))


def _describe(settings: dict[str, Any], files: list[File], progress: Progress, sources: Sequence[Source]) -> str:
    """Returns the text of ``index.json``."""

    def entries(remarks: list[tuple[int, str]]) -> list[dict[str, str]]:
        return [{"file": f"{sources[files[n].source].label}/{files[n].name}", "reason": why} for n, why in remarks]

    pictures = [
        {"id": files[n].id, "sha256": sha256, "split": files[n].split, "source": files[n].source}
        for n, sha256 in progress.pictures
    ]
    content = settings | {
        "skipped": entries(progress.skipped),
        "converted": entries(progress.converted),
        "pictures": pictures,
    }
    # One picture on each line is readable and stays small for a hundred thousand pictures.
    lines = [f' "{key}": {json.dumps(value)}' for key, value in content.items() if key != "pictures"]
    rows = ",\n  ".join(json.dumps(picture) for picture in pictures)
    return "{\n" + ",\n".join(lines) + ',\n "pictures": [\n  ' + rows + "\n ]\n}\n"


def _cores() -> int:
    """Returns the number of cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
