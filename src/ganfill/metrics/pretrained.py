"""LPIPS and Inception from torchmetrics, if their published weights are on this machine; nothing is downloaded.

A weights file is used only if its SHA-256 begins with the digits in its published name.
"""

import hashlib
import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch

from ganfill.errors import UserError
from ganfill.files import sha256_of
from ganfill.metrics.feature_names import INCEPTION
from ganfill.metrics.features import FeatureNetwork

ALEXNET_FILE = "alexnet-owt-7be5be79.pth"  # of torchvision
INCEPTION_FILE = "weights-inception-2015-12-05-6726825d.pth"  # of torch-fidelity; that of pytorch-fid is equal
BATCH = 64

Lpips = Callable[[np.ndarray, np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Skipped:
    """Reason for a measurement that is not made."""

    reason: str


def lpips(weights: str | None = None, device: torch.device | str = "cpu") -> Lpips | Skipped:
    """LPIPS with AlexNet (Zhang et al. 2018, version 0.1), by torchmetrics, which includes its linear layers.

    Args:
        weights: torchvision's ``alexnet-owt-7be5be79.pth``; None: the one in the cache of torch's hub.
        device: on which to compute.

    Returns:
        A function of two sets of pictures, uint8 (N, H, W, 3), to distances (N,), float64; or ``Skipped``.

    Raises:
        UserError: ``weights`` is given and is not that file.
    """
    path = _find(weights, ALEXNET_FILE)
    if isinstance(path, Skipped):
        return path
    from torchmetrics.functional.image.lpips import _NoTrainLpips  # slow to import

    with torch.random.fork_rng(devices=[]):  # random initialization
        network = _NoTrainLpips(net="alex", pnet_rand=True)  # prevents a download
    published = torch.load(path, map_location="cpu", weights_only=True)
    # net.slice2.3.weight is features.3.weight in torchvision
    names = {name: f"features.{name.partition('.')[2]}" for name in network.net.state_dict()}
    network.net.load_state_dict({name: published[original] for name, original in names.items()})
    network.to(device)

    def measure(pictures: np.ndarray, others: np.ndarray) -> np.ndarray:
        if pictures.shape != others.shape:
            raise ValueError(f"pictures must have equal shapes, got {pictures.shape} and {others.shape}")
        parts = [np.empty(0)]
        for start in range(0, len(pictures), BATCH):
            pair = [_to_unit(part[start : start + BATCH], device) for part in (pictures, others)]
            with torch.no_grad():
                parts.append(network(*pair).flatten().double().cpu().numpy())
        return np.concatenate(parts)

    return measure


def inception(weights: str | None = None) -> FeatureNetwork | Skipped:
    """Inception as in FID and KID (2,048 features, pictures scaled to 299 x 299), by torchmetrics.

    Args:
        weights: ``weights-inception-2015-12-05-6726825d.pth`` or ``pt_inception-2015-12-05-6726825d.pth``; None:
            the one in the cache of torch's hub.

    Returns:
        A feature network called ``inception``, or ``Skipped``.

    Raises:
        UserError: ``weights`` is given and is not that file.
    """
    path = _find(weights, INCEPTION_FILE)
    if isinstance(path, Skipped):
        return path
    if importlib.util.find_spec("torch_fidelity") is None:
        return Skipped("the package torch-fidelity is not installed: pip install torch-fidelity")
    from torchmetrics.image.fid import NoTrainInceptionV3

    with torch.random.fork_rng(devices=[]):
        network = NoTrainInceptionV3("inception-v3-compat", ["2048"], str(path))
    digest = hashlib.sha256(f"{sha256_of(path)} torchmetrics {version('torchmetrics')}".encode()).hexdigest()
    return FeatureNetwork(INCEPTION, network, digest)


def _find(weights: str | None, published: str) -> Path | Skipped:
    """Returns the given weights file, or the one in the cache of torch's hub, after checking its hash."""
    cached = weights is None
    path = Path(torch.hub.get_dir()) / "checkpoints" / published if cached else Path(weights)
    label = f"{published} in the cache of torch's hub" if cached else weights
    digits = Path(published).stem.rpartition("-")[2]
    try:
        if sha256_of(path).startswith(digits):
            return path
        reason = f"{label} is not the published {published} (its SHA-256 does not begin with {digits})"
    except OSError as error:
        reason = f"{label} cannot be read ({error.strerror})"
    if cached:
        return Skipped(f"{reason}; put it there or give its path, nothing is downloaded")
    raise UserError(f"{reason}: give the path of {published}")


def _to_unit(pictures: np.ndarray, device: torch.device | str) -> torch.Tensor:
    """Converts uint8 (N, H, W, 3) to float (N, 3, H, W) in [-1, 1]."""
    return torch.from_numpy(np.array(pictures)).to(device).permute(0, 3, 1, 2).float().div(127.5).sub(1)
