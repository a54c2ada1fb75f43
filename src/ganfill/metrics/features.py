"""Feature networks of the user's own: Python file, class and weights by path; and the features of pictures."""

import hashlib
import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import torch
from torch import nn

from ganfill.errors import UserError

INCEPTION, PIXELS = "inception", "pixels"
FORM = "NAME=FILE.py:CLASS:WEIGHTS"
BATCH = 64


@dataclass(frozen=True)
class FeatureNetwork:
    """What pictures are compared by.

    Attributes:
        name: of letters, digits, ``_`` and ``-``; ``inception`` is kept for Inception with its published weights.
        network: pictures uint8 (N, 3, H, W) -> features (N, F).
        digest: sha256 over weights and code.
    """

    name: str
    network: Callable[[torch.Tensor], torch.Tensor]
    digest: str

    @property
    def distance_names(self) -> tuple[str, str]:
        """What the Frechet and the kernel distance are called: FID and KID are Inception's alone."""
        return ("fid", "kid") if self.name == INCEPTION else (f"fd_{self.name}", f"kd_{self.name}")


def load_networks(words: Sequence[str]) -> list[FeatureNetwork]:
    """Loads local feature networks; their files are run, so give only files you trust.

    Args:
        words: each ``NAME=FILE.py:CLASS:WEIGHTS``, where ``CLASS(WEIGHTS)`` maps uint8 (N, 3, H, W) to (N, F).

    Raises:
        UserError: a word has another form, a name comes twice, a file or class is missing, or weights do not fit.
    """
    networks = [_load(word) for word in words]
    names = [network.name for network in networks]
    if repeated := [name for name in names if names.count(name) > 1]:
        raise UserError(f"feature network {repeated[0]} is given twice: give each a name of its own")
    return networks


def extract(
    network: FeatureNetwork,
    pictures: np.ndarray,
    device: torch.device | str,
    advance: Callable[[int], object] | None = None,
) -> np.ndarray:
    """The features of pictures.

    Args:
        network: is moved to ``device``.
        pictures: uint8 (N, H, W, 3); may be a memmap, it is read by batches.
        device: where to compute.
        advance: called with the number of pictures of each batch.

    Returns:
        float64 (N, F).

    Raises:
        UserError: the network cannot take such pictures, or returns something else than finite (N, F).
    """
    compute = network.network.to(device) if isinstance(network.network, nn.Module) else network.network
    batches = []
    for start in range(0, len(pictures), BATCH):
        batch = torch.from_numpy(np.array(pictures[start : start + BATCH])).to(device).permute(0, 3, 1, 2)
        try:
            with torch.no_grad():
                features = compute(batch)
        except (RuntimeError, ValueError, TypeError) as error:
            raise UserError(
                f"feature network {network.name} fails on uint8 pictures {tuple(batch.shape)} ({_reason(error)}): "
                "give one that takes them"
            ) from error
        _check(features, network.name, len(batch))
        batches.append(features.double().cpu().numpy())
        if advance is not None:
            advance(len(batch))
    return np.concatenate(batches) if batches else np.empty((0, 0))


def _check(features: object, name: str, count: int) -> None:
    if not isinstance(features, torch.Tensor):
        found = type(features).__name__
    elif features.ndim != 2 or len(features) != count:
        found = str(tuple(features.shape))
    elif not features.isfinite().all():
        found = "values that are not finite"
    else:
        return
    raise UserError(f"feature network {name} returns {found} for {count} pictures: it must return finite (N, F)")


def _load(word: str) -> FeatureNetwork:
    parts = re.fullmatch(r"([\w-]+)=(.+?\.py):([^\W\d]\w*):(.+)", word)
    if parts is None:
        raise UserError(f"feature network {word!r} has not the form {FORM}")
    name, file, kind, weights = parts.groups()
    if name in (INCEPTION, PIXELS):
        raise UserError(f"feature network {word!r}: the name {name} is taken, give it another")
    code = _read(file, name, "code")
    digest = hashlib.sha256(hashlib.sha256(code).digest() + hashlib.sha256(_read(weights, name, "weights")).digest())
    # Networks are initialised at random before their weights are read: that must not move anyone's random numbers.
    with torch.random.fork_rng(devices=[]):
        found: Any = getattr(_run(code, file, name), kind, None)
        if not callable(found):
            raise UserError(f"feature network {name}: {file} has no class {kind}")
        try:
            network: Any = found(weights)
        except Exception as error:  # whatever a stranger's class raises is about these weights
            raise UserError(
                f"feature network {name}: {kind} of {file} cannot be made with {weights} ({_reason(error)})"
            ) from error
    if isinstance(network, nn.Module):
        network.eval().requires_grad_(False)
    return FeatureNetwork(name, network, digest.hexdigest())


def _read(path: str, name: str, what: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise UserError(
            f"feature network {name}: its {what} {path} cannot be read ({error.strerror}): correct the path"
        ) from None


def _run(code: bytes, file: str, name: str) -> ModuleType:
    """The file's content as a module: what was hashed is what runs, and nothing is written beside it."""
    module = ModuleType(f"ganfill_feature_network_{hashlib.sha256(code).hexdigest()}")
    module.__file__ = file
    sys.modules[module.__name__] = module  # dataclasses look their module up
    try:
        exec(compile(code, file, "exec"), module.__dict__)
    except Exception as error:
        raise UserError(f"feature network {name}: {file} cannot be run ({_reason(error)})") from error
    return module


def _reason(error: Exception) -> str:
    """The first line of what went wrong."""
    return next(iter(str(error).splitlines()), "") or type(error).__name__
