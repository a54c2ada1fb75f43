"""Gives malformed pictures and masks to ``complete`` and ``prepare``, among good ones.

    python -m experiments.reliability.malformed [inputs=2000 batch=40 seed=0 out=FILE.csv]

No input may cause a traceback or a hang, and all good pictures must come out as they do without the malformed ones. If a
batch fails, each of its inputs is tried alone.
"""

import os
import random
import shutil
import tempfile
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image

from experiments.reliability.commands import COMPLETE, save_model, smooth
from experiments.reliability.compare import contents
from experiments.reliability.processes import run
from experiments.reliability.tally import Tally, run_form

FORMATS = {
    ".png": ("PNG", ("RGB", "RGBA", "L", "LA", "P", "1", "I;16")),
    ".jpg": ("JPEG", ("RGB", "L", "CMYK")),
    ".webp": ("WEBP", ("RGB", "RGBA")),
    ".gif": ("GIF", ("P", "L")),
    ".bmp": ("BMP", ("RGB", "L", "1", "P")),
    ".tif": ("TIFF", ("RGB", "L", "F", "I;16", "CMYK", "LAB")),
    ".ppm": ("PPM", ("RGB", "L")),
}
GOOD = 3  # good pictures in each batch
EXTREMES = (b"\0\0\0\0", b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\0\0\x75\x30")
SPECIAL = 25  # one of so many inputs is a link, a pipe or a directory


def picture(draws: random.Random) -> tuple[str, bytes]:
    """Draws the suffix and the content of a valid picture of a random format, mode and size."""
    suffix = draws.choice(list(FORMATS))
    kind, modes = FORMATS[suffix]
    mode = draws.choice(modes)
    height, width = draws.choice([(1, 1), (1, 40), (33, 2), (32, 32), (50, 70)])
    numbers = np.random.default_rng(draws.randrange(2**32))
    if mode == "I;16":
        image = Image.fromarray(numbers.integers(0, 2**16, (height, width), dtype=np.uint16))
    elif mode == "F":
        image = Image.fromarray(numbers.normal(0, 1e3, (height, width)).astype(np.float32))
    elif mode == "LAB":
        image = Image.frombytes("LAB", (width, height), numbers.bytes(3 * height * width))
    else:
        image = smooth(height, width, numbers).convert(mode)
    file = BytesIO()
    frames = [image] * 3 if kind in ("GIF", "TIFF", "WEBP") and draws.random() < 0.2 else []
    more = {"save_all": True, "append_images": frames} if frames else {}
    image.save(file, kind, **more)
    return suffix, file.getvalue()


def truncate(data: bytes, draws: random.Random) -> bytes:
    """Cuts a file off."""
    return data[: draws.randrange(len(data))]


def flip(data: bytes, draws: random.Random) -> bytes:
    """Changes a few bytes."""
    changed = bytearray(data)
    for _ in range(draws.choice([1, 3, 20])):
        changed[draws.randrange(len(changed))] = draws.randrange(256)
    return bytes(changed)


def damage_header(data: bytes, draws: random.Random) -> bytes:
    """Sets four bytes near the beginning, where formats have their sizes, to an extreme number."""
    at = draws.randrange(4, min(40, len(data)))
    return data[:at] + draws.choice(EXTREMES) + data[at + 4 :]


def remove(data: bytes, draws: random.Random) -> bytes:
    """Removes a part in the middle."""
    start, end = sorted(draws.randrange(len(data)) for _ in range(2))
    return data[:start] + data[end:]


def double(data: bytes, draws: random.Random) -> bytes:
    """Appends a second file."""
    return data + data


def replace(data: bytes, draws: random.Random) -> bytes:
    """Returns something that is no picture."""
    others = (
        *(
            b"",
            b"not a picture",
            b"\0" * 1000,
            b"<svg xmlns='http://www.w3.org/2000/svg'/>",
            b"BM",
            b"GIF89a",
            b"II*\0",
        ),
        *(
            b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n(x) show\n",
            b"\x89PNG\r\n\x1a\n",
            b"P6 99999 99999 255\n",
        ),
        draws.randbytes(500),
    )
    return draws.choice(others)


def keep(data: bytes, draws: random.Random) -> bytes:
    """Keeps a valid file, whose mode or size may still be unusual."""
    return data


DAMAGES: tuple[Callable[[bytes, random.Random], bytes], ...] = (
    *(truncate, flip, damage_header, remove, double, replace, keep),
)


def malformed(seed: int, number: int) -> tuple[str, bytes]:
    """Returns the suffix and the content of a malformed input; the same for the same numbers."""
    draws = random.Random(f"{seed} {number}")
    suffix, data = picture(draws)
    data = draws.choice(DAMAGES)(data, draws)
    return (draws.choice(list(FORMATS)) if draws.random() < 0.1 else suffix), data


class Folders:
    """Folders of photos and masks, with some good ones.

    Args:
        directory: an empty directory.
        seed: of all inputs.
    """

    def __init__(self, directory: Path, seed: int) -> None:
        self.directory, self.seed = directory, seed
        self.model, self.photos, self.masks = (directory / name for name in ("model.safetensors", "photos", "masks"))
        save_model(self.model)

    def fill(self, numbers: list[int]) -> None:
        """Writes good photos with masks, and the malformed inputs: a third as photo, mask, and both."""
        for folder in (self.photos, self.masks):
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
        random_numbers = np.random.default_rng(self.seed)
        for number in range(GOOD):
            smooth(40, 50, random_numbers).save(self.photos / f"good{number}.png")
            self._mask(f"good{number}")
        for number in numbers:
            name, part = f"bad{number:05}", number % 3
            if number % SPECIAL == SPECIAL - 1:
                self._add_special(self.photos / f"{name}.png", number // SPECIAL % 4)
                continue
            suffix, data = malformed(self.seed, number)
            if part == 1:
                smooth(40, 50, random_numbers).save(self.photos / f"{name}.png")
            else:
                (self.photos / f"{name}{suffix}").write_bytes(data)
            if part == 0:
                self._mask(name)
            else:
                (self.masks / f"{name}{suffix}").write_bytes(data)

    def _add_special(self, path: Path, kind: int) -> None:
        """Makes something that has the name of a picture and is no file."""
        if kind == 0:
            path.symlink_to(path.name)  # leads to itself
        elif kind == 1:
            path.symlink_to("nowhere.png")
        elif kind == 2:
            os.mkfifo(path)
        else:
            path.mkdir()

    def _mask(self, name: str) -> None:
        hole = np.zeros((40, 50), np.uint8)
        hole[10:20, 10:30] = 255
        Image.fromarray(hole).save(self.masks / f"{name}.png")

    def complete(self) -> tuple[str | None, dict[str, object]]:
        """Completes all photos; returns a problem, and the results of the good ones."""
        return self._run("complete", f"images={self.photos}", f"mask={self.masks}", f"model={self.model}", *COMPLETE)

    def prepare(self) -> tuple[str | None, dict[str, object]]:
        """Prepares all photos; returns a problem, and the good pictures of the store."""
        problem, _ = self._run("prepare", f"source={self.photos}", "resolution=32")
        index = self.directory / "out/index.json"
        return problem, {"good": index.read_text("utf-8").count('"id": "photos/good') if index.exists() else 0}

    def _run(self, *words: str) -> tuple[str | None, dict[str, object]]:
        out = self.directory / "out"
        shutil.rmtree(out, ignore_errors=True)
        outcome = run([*words, f"out={out}"])
        problem = outcome.problem or (f"exit code 2: {outcome.last_line}" if outcome.code == 2 else None)
        results = {name: content for name, content in contents(out) if "good" in name} if out.is_dir() else {}
        return problem, results


def malformed_inputs(settings: dict[str, str]) -> list[Tally]:
    """Tries ``inputs`` malformed inputs in batches."""
    count, size, seed = (int(settings[key]) for key in ("inputs", "batch", "seed"))
    with tempfile.TemporaryDirectory() as directory:
        folders, tallies = Folders(Path(directory), seed), []
        for name, method in (("complete", folders.complete), ("prepare", folders.prepare)):
            tally = Tally("malformed", name)
            folders.fill([])
            problem, expected = method()
            assert problem is None, problem
            for begin in range(0, count, size):
                numbers = list(range(begin, min(begin + size, count)))
                failing = _failing(folders, method, numbers, expected)
                for number in numbers:
                    tally.add(f"input {number}", failing.get(number))
            tally.finish(settings)
            tallies.append(tally)
        return tallies


def _failing(
    folders: Folders,
    method: Callable[[], tuple[str | None, dict[str, object]]],
    numbers: list[int],
    expected: dict[str, object],
) -> dict[int, str]:
    """Returns the inputs that cause a problem, with the problem; if no single one does, all of the batch."""
    folders.fill(numbers)
    problem = _problem(*method(), expected)
    if problem is None or len(numbers) == 1:
        return dict.fromkeys(numbers, problem) if problem else {}
    alone: dict[int, str] = {}
    for number in numbers:
        alone |= _failing(folders, method, [number], expected)
    return alone or dict.fromkeys(numbers, f"in a batch only: {problem}")


def _problem(problem: str | None, results: dict[str, object], expected: dict[str, object]) -> str | None:
    if problem is not None:
        return problem
    wrong = [name for name, content in expected.items() if results.get(name) != content]
    return f"results of good pictures are wrong: {', '.join(wrong[:3])}" if wrong else None


if __name__ == "__main__":
    run_form(malformed_inputs, {"inputs": "2000", "batch": "40"})
