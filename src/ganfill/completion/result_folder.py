"""Finds pictures to complete and writes their results; finished results are recognised and not computed again."""

import hashlib
import json
from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from ganfill.completion.pipeline import Filled
from ganfill.errors import UserError
from ganfill.files import identify, walk, write_atomically
from ganfill.images import sheets
from ganfill.images.formats import explain_refusal, suffixes
from ganfill.images.holes import MASK_END, HoleSource
from ganfill.images.photo import Photo, in_mode_of

RESULTS = "results.json"
ENDS = ("_strip", "_mean", "_uncertainty")  # appended to names of further pictures


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
        return photo, source(photo, self.path.stem)


def find_pictures(places: Iterable[str], leave_out: Iterable[Path] = ()) -> dict[str, Path]:
    """Finds the pictures of files and folders (at any depth), by the name of their results.

    A picture is named by its stem; if stems clash, by its path below the folder. Hidden files, and the files and folders of
    ``leave_out`` such as masks and earlier results, are skipped.

    Raises:
        UserError: a file or folder does not exist, or there are no pictures.
    """
    places, leave_out = list(places), list(leave_out)
    found: dict[Path, Path] = {}
    for place in map(Path, places):
        if place.is_dir():
            inside = sorted(
                path for path in walk(place, leave_out) if path.suffix.lower() in suffixes() and path.is_file()
            )
            found |= {identify(path): path.relative_to(place) for path in inside}
        elif place.is_file():
            found[identify(place)] = Path(place.name)
        else:
            raise UserError(f"images={place}: no such file or folder")
    if not found:
        raise UserError(
            f"images={','.join(map(str, places))}: no pictures there, apart from those of out= and mask=; "
            "give picture files or a folder of them"
        )
    return {name: path for path, name in _name(found).items()}


def find_others(places: Iterable[str], leave_out: Collection[Path] = ()) -> dict[str, str]:
    """Returns the files in folders that ``find_pictures`` passes over, and the reasons; hidden ones are not counted."""
    folders = [Path(place) for place in places if Path(place).is_dir()]
    files = [path for folder in folders for path in walk(folder, leave_out)]
    others = {str(path): explain_refusal(path.name) for path in files if path.suffix.lower() not in suffixes()}
    return others | {str(path): "no regular file" for path in files if not path.is_file()}


class ResultFolder:
    """The results of one mask: finished pictures, strips, answers, animations, and the list of them, ``results.json``.

    Args:
        path: the folder; created if needed.
        settings: plain values of everything but the picture that a result depends on.
        show_original: begin strips with the original, for synthetic holes in undamaged pictures.

    Raises:
        UserError: the folder cannot be created.
    """

    def __init__(self, path: Path, settings: dict, show_original: bool) -> None:
        self.path, self.show_original = path, show_original
        self.settings = json.dumps(settings, sort_keys=True).encode()
        try:
            path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UserError(f"out={path} cannot be created ({error.strerror}): choose another folder") from None
        self.records = _read_records(path / RESULTS)

    def job(self, name: str, path: Path, source: HoleSource) -> Job:
        """The job of a picture whose hole comes from ``source``.

        Raises:
            UserError: a file cannot be read, or the results would replace another file.
        """
        self._refuse_to_replace(name, path)
        digest, mask = hashlib.sha256(self.settings), source.file_of(path.stem)
        if mask is not None and mask.exists() and mask.samefile(path):
            raise UserError(f"{path} has no mask beside it: add {path.with_name(path.stem + MASK_END)}.png")
        for file in (path, mask):
            try:
                digest.update(_sha256(file) if file else hashlib.sha256().digest())
            except OSError as error:
                raise UserError(f"{file} cannot be read ({error.strerror}): replace it or leave it out") from None
        return Job(path, name, digest.hexdigest())

    def _refuse_to_replace(self, name: str, path: Path) -> None:
        record = self.records.get(name, {"files": []})
        for end in (".png", ".gif", *(f"{end}.png" for end in ENDS)):
            file = self.path / f"{name}{end}"
            try:
                occupied = file.exists() and file.name not in record["files"]
            except OSError as error:
                raise UserError(f"{path}: its results cannot be written ({error.strerror}): rename it") from None
            if occupied:
                raise UserError(f"the results of {path} would replace {file}: choose another out")
        other = Path(record.get("source", path))
        if other.exists() and not other.samefile(path):
            raise UserError(f"the results of {path} would replace those of {other} in {self.path}: choose another out")

    def has(self, job: Job) -> bool:
        """True if the results of this job exist."""
        record = self.records.get(job.name, {})
        return record.get("digest") == job.digest and all((self.path / file).is_file() for file in record["files"])

    def add(self, job: Job, photo: Photo, hole: np.ndarray, filled: Filled) -> None:
        """Writes the files of a completed photo and deletes older ones of the same name.

        Raises:
            OSError: they cannot be written; the record then marks them as unfinished.
        """
        finished = {f"{job.name}.png": filled.pictures[0]}
        finished |= {f"{job.name}_{extra}.png": picture for extra, picture in filled.extras.items()}
        if filled.views:
            finished |= {f"answers/{job.name}_{i}.png": picture for i, picture in enumerate(filled.pictures, 1)}
        files = list(finished)
        files += [f"{job.name}_strip.png"] if filled.views else []
        files += [f"{job.name}.gif"] if filled.frames else []
        old = self.records.get(job.name, {}).get("files", [])
        # From here on, an interrupted run leaves files that are recorded, but not as finished.
        self.records[job.name] = {"source": str(job.path), "files": [*files, *(f for f in old if f not in files)]}
        self.flush()
        for file, picture in finished.items():
            sheets.save(in_mode_of(photo, picture, hole), self.path / file, icc_profile=photo.profile, exif=photo.exif)
        if filled.views:
            sheets.save(self._strip(photo, hole, filled), self.path / f"{job.name}_strip.png")
        if filled.frames:
            sheets.save_gif(filled.frames, self.path / f"{job.name}.gif")
        for file in old:
            if file not in files:
                (self.path / file).unlink(missing_ok=True)
        self.records[job.name] = {
            "source": str(job.path),
            "missing": round(float(hole.mean()), 4),
            "scores": [round(score, 5) for score in filled.scores],
            "holes": [asdict(hole) for hole in filled.holes],
            "files": files,
            "digest": job.digest,
        }

    def flush(self) -> None:
        """Writes ``results.json``."""
        write_atomically(self.path / RESULTS, json.dumps(self.records, indent=1, sort_keys=True) + "\n")

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


def _sha256(path: Path) -> bytes:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()


def _name(found: dict[Path, Path]) -> dict[Path, str]:
    """Names of results by identity: the shortest that keep the pictures and their strips distinct."""
    names = {path: path.stem for path in found}
    forms = (
        lambda path: "_".join(found[path].with_suffix("").parts),
        lambda path: "_".join(found[path].parts),
        lambda path: f"{path.stem}_{hashlib.sha256(str(path).encode()).hexdigest()[:12]}",
    )
    for form in forms:
        taken = Counter(word.lower() for name in names.values() for word in (name, *(name + end for end in ENDS)))
        names |= {path: form(path) for path, name in names.items() if taken[name.lower()] > 1}
    return names


def _read_records(path: Path) -> dict[str, dict]:
    """The valid records of ``results.json``; results without one are computed again."""
    try:
        records = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return {name: record for name, record in records.items() if _is_valid(record)} if isinstance(records, dict) else {}


def _is_valid(record: Any) -> bool:
    files = record.get("files") if isinstance(record, dict) else None
    return isinstance(files, list) and all(
        isinstance(file, str) and not Path(file).is_absolute() and ".." not in Path(file).parts for file in files
    )
