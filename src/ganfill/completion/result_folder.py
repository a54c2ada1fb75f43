"""The folder of results: finished pictures, strips and answers; finished results are recognized and not computed again."""

import hashlib
import json
from collections.abc import Collection
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from ganfill.completion.find_pictures import ENDS
from ganfill.completion.pipeline import Filled
from ganfill.completion.record import Entry, Record, write_record
from ganfill.completion.shard import ALL, Shard
from ganfill.errors import UserError
from ganfill.files import sha256_of, write_atomically
from ganfill.images import sheets
from ganfill.images.holes import MASK_END, HoleSource
from ganfill.images.photo import Photo, in_mode_of

RECORD, JSONL = ".record", ".jsonl"
RESULTS = "results.json"
OUTPUTS = ("finished", "strip", "answers")


@dataclass(frozen=True)
class Job:
    """A picture to complete: its file, the name of its results, and a digest of everything that they depend on."""

    path: Path
    name: str
    digest: str

    def read(self, source: HoleSource) -> tuple[Photo, np.ndarray]:
        """The photo and its hole.

        Raises:
            UserError: one of them cannot be read.
        """
        photo = Photo.read(self.path)
        return photo, source(photo, self.path)


class ResultFolder:
    """The results of one mask: finished pictures, strips, answers, animations, their record, and ``results.json``.

    The results of a picture are recorded as begun before its files are written, and as done afterwards, so that an
    interrupted run leaves files that are known as its own, but not as finished.

    Args:
        path: the folder; created if needed.
        settings: plain values of everything but the picture that a result depends on.
        show_original: begin strips with the original, for synthetic holes in undamaged pictures.
        outputs: the files to write for each picture, among ``OUTPUTS``.
        answers: number of answers for each picture.
        shard: the pictures that this process completes; each shard has its own record.

    Raises:
        UserError: the folder cannot be created.
    """

    def __init__(
        self,
        path: Path,
        settings: dict[str, Any],
        show_original: bool,
        outputs: Collection[str] = OUTPUTS,
        answers: int = 1,
        shard: Shard = ALL,
    ) -> None:
        self.path, self.show_original, self.outputs, self.answers = path, show_original, outputs, answers
        self.shard = shard
        self._older: dict[str, list[str]] = {}  # files of earlier results of pictures that are begun
        self.settings = json.dumps(settings, sort_keys=True).encode()
        try:
            path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UserError(f"out={path} cannot be created ({error.strerror}): choose another folder") from None

    @cached_property
    def records(self) -> Record:
        """The record of the shard. Newer ones of other divisions of the folder are merged into it before.

        Of a folder of an earlier version, which has no record, ``results.json`` is read.
        """
        path = self.path / self.shard.file(RECORD, JSONL)
        division = set(self.shard.files(RECORD, JSONL))
        found = [each for each in self.path.glob(f"{RECORD}*{JSONL}") if each == path or each.name not in division]
        found.sort(key=_time)
        if found and found[-1] != path:
            merged = {name: record for record in map(Record, found) for name in record if name in self.shard}
            write_record(path, ((name, record[name]) for name, record in merged.items()))
        elif not found and (entries := _read_results(self.path / RESULTS)):
            write_record(path, ((name, entry) for name, entry in entries.items() if name in self.shard))
        return Record(path)

    def job(self, name: str, path: Path, source: HoleSource) -> Job:
        """The job of a picture whose hole comes from ``source``.

        Raises:
            UserError: a file cannot be read, or the results would replace another file.
        """
        self._refuse_to_replace(name, path)
        digest, mask = hashlib.sha256(self.settings), source.file_of(path)
        if mask is not None and mask.exists() and mask.samefile(path):
            raise UserError(f"{path} has no mask beside it: add {path.with_name(path.stem + MASK_END)}.png")
        for file in (path, mask):
            try:
                digest.update(bytes.fromhex(sha256_of(file)) if file else hashlib.sha256().digest())
            except OSError as error:
                raise UserError(f"{file} cannot be read ({error.strerror}): replace it or leave it out") from None
        return Job(path, name, digest.hexdigest())

    def _refuse_to_replace(self, name: str, path: Path) -> None:
        entry = self.records.get(name, {"files": []})
        for file in self._files(name):
            try:
                occupied = file not in entry["files"] and (self.path / file).exists()
            except OSError as error:
                raise UserError(f"{path}: its results cannot be written ({error.strerror}): rename it") from None
            if occupied:
                raise UserError(f"the results of {path} would replace {self.path / file}: choose another out")
        other = Path(entry.get("source", path))
        if other != path and other.exists() and not other.samefile(path):
            raise UserError(f"the results of {path} would replace those of {other} in {self.path}: choose another out")

    def has(self, job: Job) -> bool:
        """True if the results of this job exist."""
        entry = self.records.get(job.name, {})
        return entry.get("digest") == job.digest and all((self.path / file).is_file() for file in entry["files"])

    def begin(self, job: Job) -> None:
        """Records that the files of a picture may be replaced from now on.

        Raises:
            OSError: the record cannot be written.
        """
        files = self._files(job.name)
        self._older[job.name] = self.records.get(job.name, {}).get("files", [])
        files += [file for file in self._older[job.name] if file not in files]
        self.records[job.name] = {"source": str(job.path), "files": files}

    def write(self, job: Job, photo: Photo, hole: np.ndarray, filled: Filled) -> Entry:
        """Writes the files of a completed photo; returns what ``finish`` records. Any thread or process may do this.

        Raises:
            OSError: they cannot be written.
        """
        finished = {f"{job.name}.png": filled.pictures[0]} if "finished" in self.outputs else {}
        finished |= {f"{job.name}_{extra}.png": picture for extra, picture in filled.extras.items()}
        if filled.views and "answers" in self.outputs:
            finished |= {f"answers/{job.name}_{i}.png": picture for i, picture in enumerate(filled.pictures, 1)}
        files = list(finished)
        encoded: dict[int, bytes] = {}  # the first answer is the finished picture
        for file, picture in finished.items():
            if picture is filled.extras.get("uncertainty"):  # a measurement, not a photo
                encoded[id(picture)] = sheets.encode(picture, ".png")
            elif id(picture) not in encoded:
                image = in_mode_of(photo, picture, hole)
                encoded[id(picture)] = sheets.encode(image, ".png", icc_profile=photo.profile, exif=photo.exif)
            (self.path / file).parent.mkdir(parents=True, exist_ok=True)
            write_atomically(self.path / file, encoded[id(picture)])
        if filled.views and "strip" in self.outputs:
            files.append(f"{job.name}_strip.png")
            sheets.save(self._strip(photo, hole, filled), self.path / files[-1])
        if filled.frames:
            files.append(f"{job.name}.gif")
            sheets.save_gif(filled.frames, self.path / files[-1])
        return {
            "source": str(job.path),
            "missing": round(float(hole.mean()), 4),
            "scores": [round(score, 5) for score in filled.scores],
            "holes": [asdict(hole) for hole in filled.holes],
            "files": files,
            "digest": job.digest,
        }

    def finish(self, job: Job, entry: Entry) -> None:
        """Records that the results of a picture are written, and deletes older files of the same name.

        Raises:
            OSError: the record cannot be written.
        """
        for file in set(self._older.pop(job.name)) - set(entry["files"]):
            (self.path / file).unlink(missing_ok=True)
        self.records[job.name] = entry

    def write_results(self) -> None:
        """Writes ``results.json``, the finished results of all shards, unless it is up to date.

        Raises:
            OSError: it cannot be written.
        """
        results, division = self.path / RESULTS, self.shard.files(RECORD, JSONL)
        paths = [path for name in division if (path := self.path / name).exists()]
        if not paths or (results.exists() and _time(results) >= max(map(_time, paths))):
            return
        shards = map(Record, paths) if self.shard.count > 1 else [self.records]
        records = {name: record for record in shards for name in record}

        def write(path: Path) -> None:
            with path.open("w", encoding="utf-8") as file:
                separator = "{\n"
                for name in sorted(records):
                    if "digest" in (entry := records[name][name]):
                        text = json.dumps({name: entry}, indent=1, sort_keys=True)
                        file.write(separator + text.removeprefix("{\n").removesuffix("\n}"))
                        separator = ",\n"
                file.write("\n}\n" if separator == ",\n" else "{}\n")

        write_atomically(results, write)

    def _files(self, name: str) -> list[str]:
        """The files that the results of a name may have; of the answers, those of this run."""
        answers = range(1, self.answers + 1) if "answers" in self.outputs else ()
        files = [f"{name}.png", f"{name}.gif", *(f"{name}{end}.png" for end in ENDS)]
        return files + [f"answers/{name}_{i}.png" for i in answers]

    def _strip(self, photo: Photo, hole: np.ndarray, filled: Filled) -> Image.Image:
        """A row for each view: original if known, damaged, the generator's answer, finished pictures; and what was found."""
        captions = ["original"] if self.show_original else []
        captions += ["damaged", "answer", "completed", *(f"completed {i}" for i in range(2, len(filled.pictures) + 1))]
        rows = []
        for view, answers in zip(filled.views, filled.answers, strict=True):
            top, left, bottom, right = view.region.bounds(hole.shape)
            part = np.s_[top:bottom, left:right]
            row = [photo.pixels[part]] if self.show_original else []
            row += [sheets.damaged(photo.pixels[part], hole[part]), answers[0]]
            rows.append(row + [picture[part] for picture in filled.pictures])
        return sheets.grid(rows, captions, 192, [str(square) for square in filled.squares])


def _time(path: Path) -> int:
    return path.stat().st_mtime_ns


def _read_results(path: Path) -> dict[str, Any]:
    """The content of ``results.json``; none if it is damaged, so that the results are computed again."""
    try:
        entries = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return entries if isinstance(entries, dict) else {}
