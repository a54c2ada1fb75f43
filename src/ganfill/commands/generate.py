"""``ganfill generate``: draws pictures with a model."""

import json
import logging
import shutil
import subprocess
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from omegaconf import DictConfig

from ganfill import seeding
from ganfill.commands.summary import write_summary
from ganfill.devices import choose_device
from ganfill.errors import UserError
from ganfill.files import write_atomically
from ganfill.images import pixels, sheets
from ganfill.images.photo import Photo
from ganfill.locks import hold_directory
from ganfill.model_io import model_file
from ganfill.models.model import Model
from ganfill.models.truncation import has_w, mean_w, truncate
from ganfill.progress import progress_bar
from ganfill.search.networks import Networks

log = logging.getLogger(__name__)

RECORD = ".generate.json"  # number and settings of the pictures in a folder, finished or not
AT_ONCE = 32  # pictures of 256 x 256 pixels
SHEET, COLUMNS = 64, 8
STOPS, FRAMES = 6, 20  # pictures that a walk visits, and frames from one to the next
MILLISECONDS = 60  # of a frame


def run(config: DictConfig) -> Path:
    """Writes the pictures, the sheet and the walk to ``config.out`` and returns it.

    Raises:
        UserError: there is no such model, the folder holds other files, or the model cannot truncate.
    """
    with hold_directory(Path(str(config.out))):
        return _generate(config)


def _generate(config: DictConfig) -> Path:
    started, out = time.perf_counter(), Path(str(config.out))
    if not (out / RECORD).exists() and any(not path.name.startswith(".") for path in out.iterdir()):
        raise UserError(f"out={out} holds other files: choose another folder")
    model = model_file.load(config.model, choose_device(config.device))
    if config.truncation != 1 and not has_w(model):
        raise UserError(
            f"truncation={config.truncation} needs a model with a mapping network, such as a StyleGAN2: give truncation=1"
        )
    files = [out / f"{i:04d}.png" for i in range(config.n)]
    _begin(out, config.n, {"model": model.digest, "seed": config.seed, "truncation": config.truncation})
    missing = [i for i, file in enumerate(files) if not file.exists()]
    with progress_bar(total=config.n, initial=config.n - len(missing), unit="picture") as bar:
        if missing:
            pictures = draw(model, _sample(model, config.seed, missing), config.truncation)
            for i, picture in zip(missing, pictures, strict=True):
                sheets.save(picture, files[i])
                bar.update()
    shown = [Photo.read(file).pixels for file in files[:SHEET]]
    rows = [shown[i : i + COLUMNS] for i in range(0, len(shown), COLUMNS)]
    sheets.save(sheets.grid(rows), out / "sheet.png")
    if config.walk:
        walk(model, _sample(model, config.seed, range(min(config.n, STOPS))), config.truncation, out)
    figures = {"model": model.digest, "pictures": config.n}
    write_summary(out, "generate", config, figures, time.perf_counter() - started)
    return out


def _begin(out: Path, n: int, settings: dict[str, Any]) -> None:
    """Records which pictures the folder is going to hold, and deletes earlier ones that are not among them."""
    path = out / RECORD
    earlier = json.loads(path.read_text("utf-8")) if path.exists() else {"n": 0, "settings": settings}
    for i in range(n if earlier["settings"] == settings else 0, earlier["n"]):
        (out / f"{i:04d}.png").unlink(missing_ok=True)
    for name in ("sheet.png", "walk.gif", "walk.mp4"):
        (out / name).unlink(missing_ok=True)
    write_atomically(path, json.dumps({"n": n, "settings": settings}))


def _sample(model: Model, seed: int, numbers: Iterable[int]) -> torch.Tensor:
    """Returns the z of the pictures of these numbers, (N, d)."""
    return torch.cat([model.latent.sample(1, seeding.generator(seed, "generate", i)) for i in numbers])


@torch.no_grad()
def draw(model: Model, z: torch.Tensor, truncation: float = 1.0) -> Iterator[np.ndarray]:
    """Yields the pictures of z (N, d), uint8 (R, R, 3); none depends on the others.

    Args:
        model: on any device.
        z: on the CPU.
        truncation: see ``ganfill.models.truncation``; other than 1 only for a generator with a mapping network.
    """
    networks, generator = Networks(model), model.generator
    mean = mean_w(model) if truncation != 1 else None

    def generate(z: torch.Tensor) -> torch.Tensor:
        parts: Any = generator
        if mean is None:
            return generator(z)
        return parts.forward_from(truncate(parts.forward_until(z, 1), mean, truncation), 1)

    at_once = max(1, min(AT_ONCE, AT_ONCE * 256**2 // model.resolution**2))
    for part in z.split(at_once):
        yield from pixels.to_uint8(networks.run(generate, part.to(model.device))).cpu().numpy()


def walk(model: Model, z: torch.Tensor, truncation: float, out: Path) -> None:
    """Writes ``walk.gif``, and ``walk.mp4`` if ffmpeg is installed: from picture to picture and back to the first."""
    paths = model.latent.interpolate(z, z.roll(-1, 0), FRAMES + 1)[:, :-1]
    frames = list(draw(model, paths.flatten(0, 1), truncation))
    sheets.save_gif(frames, out / "walk.gif", side=max(256, model.resolution), milliseconds=MILLISECONDS, pause=1)
    if (ffmpeg := shutil.which("ffmpeg")) is None:
        log.warning("walk.mp4 is left out, because ffmpeg is not installed")
        return
    side, rate = model.resolution, 1000 / MILLISECONDS
    words = [ffmpeg, "-loglevel", "error", "-y", "-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{side}x{side}"]
    words += ["-r", f"{rate:g}", "-i", "-", "-pix_fmt", "yuv420p", "-movflags", "+faststart", str(out / "walk.mp4")]
    done = subprocess.run(words, input=np.stack(frames).tobytes(), capture_output=True)
    if done.returncode:
        log.warning("walk.mp4 is left out: ffmpeg says %s", done.stderr.decode(errors="replace").strip())
