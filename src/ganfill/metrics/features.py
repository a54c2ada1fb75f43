"""Feature networks that users bring as a Python file, a class and weights; and the extraction of features."""

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

from ganfill.errors import UserError, first_line
from ganfill.metrics.feature_names import BUILT_IN, INCEPTION

FORM = "NAME=FILE.py:CLASS:WEIGHTS"
BATCH = 64


@dataclass(frozen=True)
class FeatureNetwork:
    """A function from pictures to features, with a name.

    Attributes:
        name: of letters, digits, ``_`` and ``-``; the names in ``feature_names.BUILT_IN`` are reserved.
        network: pictures uint8 (N, 3, H, W) -> features (N, F).
        digest: sha256 over weights and code.
    """

    name: str
    network: Callable[[torch.Tensor], torch.Tensor]
    digest: str

    @property
    def distance_names(self) -> tuple[str, str]:
        """Names of the Frechet and the kernel distance: FID and KID for Inception only."""
        return ("fid", "kid") if self.name == INCEPTION else (f"fd_{self.name}", f"kd_{self.name}")

    @property
    def paired_name(self) -> str:
        """Name of the distance of a picture from its original."""
        return f"l2_{self.name}"


def load_networks(words: Sequence[str]) -> list[FeatureNetwork]:
    """Loads local feature networks by executing their files, which must be trusted.

    Args:
        words: each ``NAME=FILE.py:CLASS:WEIGHTS``, where ``CLASS(WEIGHTS)`` maps uint8 (N, 3, H, W) to (N, F).

    Raises:
        UserError: a word has another form, a name occurs twice, a file or class is missing, or weights do not fit.
    """
    networks = [_load(word) for word in words]
    names = [network.name for network in networks]
    if repeated := [name for name in names if names.count(name) > 1]:
        raise UserError(f"feature network {repeated[0]} is given twice: use different names")
    return networks


def extract(
    network: FeatureNetwork,
    pictures: np.ndarray,
    device: torch.device | str,
    advance: Callable[[int], object] | None = None,
) -> np.ndarray:
    """Computes the features of pictures.

    Args:
        network: moved to ``device`` if it is a module.
        pictures: uint8 (N, H, W, 3); a memmap is read in batches.
        device: where to compute.
        advance: called with the number of pictures of each batch.

    Returns:
        float64 (N, F).

    Raises:
        UserError: the network fails on such pictures, or does not return finite (N, F).
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
                f"feature network {network.name} fails on uint8 pictures {tuple(batch.shape)} ({first_line(error)}): "
                "give a network that accepts them"
            ) from error
        _check(features, network.name, len(batch))
        batches.append(features.double().cpu().numpy())
        if advance is not None:
            advance(len(batch))
    return np.concatenate(batches) if batches else np.empty((0, 0))


def _check(features: object, name: str, count: int) -> None:
    if not isinstance(features, torch.Tensor):
        result = type(features).__name__
    elif features.ndim != 2 or len(features) != count:
        result = str(tuple(features.shape))
    elif not features.isfinite().all():
        result = "values that are not finite"
    else:
        return
    raise UserError(f"feature network {name} returns {result} for {count} pictures: it must return finite (N, F)")


def _load(word: str) -> FeatureNetwork:
    parts = re.fullmatch(r"([\w-]+)=(.+?\.py):([^\W\d]\w*):(.+)", word)
    if parts is None:
        raise UserError(f"feature network {word!r} does not have the form {FORM}")
    name, file, kind, weights = parts.groups()
    if name in BUILT_IN:
        raise UserError(f"feature network {word!r}: the name {name} is reserved, use another")
    code = _read(file, name, "code")
    digest = hashlib.sha256(hashlib.sha256(code).digest() + hashlib.sha256(_read(weights, name, "weights")).digest())
    # Random initialization before the weights are read must not change the global random state.
    with torch.random.fork_rng(devices=[]):
        constructor: Any = getattr(_run(code, file, name), kind, None)
        if not callable(constructor):
            raise UserError(f"feature network {name}: {file} has no class {kind}")
        try:
            network: Any = constructor(weights)
        except Exception as error:  # user code can raise anything
            raise UserError(
                f"feature network {name}: {kind} of {file} cannot be built with {weights} ({first_line(error)})"
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
    """Executes the bytes that were hashed as a module, without writing a cache file."""
    module = ModuleType(f"ganfill_feature_network_{hashlib.sha256(code).hexdigest()}")
    module.__file__ = file
    sys.modules[module.__name__] = module  # dataclasses need it there
    try:
        exec(compile(code, file, "exec"), module.__dict__)
    except Exception as error:
        raise UserError(f"feature network {name}: {file} cannot be run ({first_line(error)})") from error
    return module
