"""LPIPS and Inception by torchmetrics, where their published weights are on this machine; nothing is ever downloaded.

What bears their names must be theirs: a weights file counts only if its SHA-256 begins as its published name says.
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
from ganfill.metrics.features import INCEPTION, FeatureNetwork

ALEXNET_FILE = "alexnet-owt-7be5be79.pth"  # torchvision's
INCEPTION_FILE = "weights-inception-2015-12-05-6726825d.pth"  # torch-fidelity's; pytorch-fid's has the same content
BATCH = 64

Lpips = Callable[[np.ndarray, np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Skipped:
    """Why something is not computed."""

    reason: str


def lpips(weights: str | None = None, device: torch.device | str = "cpu") -> Lpips | Skipped:
    """LPIPS with AlexNet (Zhang et al. 2018, version 0.1), by torchmetrics, which carries its linear layers.

    Args:
        weights: torchvision's ``alexnet-owt-7be5be79.pth``; None looks in the cache of torch's hub.
        device: where to compute.

    Returns:
        A function of two sets of pictures, uint8 (N, H, W, 3), to distances (N,), float64; or why there is none.

    Raises:
        UserError: ``weights`` is given and is not that file.
    """
    path = _find(weights, ALEXNET_FILE)
    if isinstance(path, Skipped):
        return path
    from torchmetrics.functional.image.lpips import _NoTrainLpips  # not at the top: it takes seconds

    with torch.random.fork_rng(devices=[]):  # it is initialised at random first
        network = _NoTrainLpips(net="alex", pnet_rand=True)  # else torchmetrics would download
    published = torch.load(path, map_location="cpu", weights_only=True)
    # net.slice2.3.weight is features.3.weight in torchvision
    names = {name: f"features.{name.partition('.')[2]}" for name in network.net.state_dict()}
    network.net.load_state_dict({name: published[original] for name, original in names.items()})
    network.to(device)

    def measure(pictures: np.ndarray, others: np.ndarray) -> np.ndarray:
        if pictures.shape != others.shape:
            raise ValueError(f"pictures must be of one shape, not {pictures.shape} and {others.shape}")
        found = [np.empty(0)]
        for start in range(0, len(pictures), BATCH):
            pair = [_to_unit(part[start : start + BATCH], device) for part in (pictures, others)]
            with torch.no_grad():
                found.append(network(*pair).flatten().double().cpu().numpy())
        return np.concatenate(found)

    return measure


def inception(weights: str | None = None) -> FeatureNetwork | Skipped:
    """Inception as FID and KID are defined with (2,048 features, pictures scaled to 299 x 299), by torchmetrics.

    Args:
        weights: ``weights-inception-2015-12-05-6726825d.pth`` or ``pt_inception-2015-12-05-6726825d.pth``; None looks
            in the cache of torch's hub.

    Returns:
        A feature network called ``inception``, or why there is none.

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
    digest = hashlib.sha256(f"{_sha256(path)} torchmetrics {version('torchmetrics')}".encode()).hexdigest()
    return FeatureNetwork(INCEPTION, network, digest)


def _find(weights: str | None, published: str) -> Path | Skipped:
    """The weights file that was given or, if none was, the one in the cache of torch's hub, checked."""
    cached = weights is None
    path = Path(torch.hub.get_dir()) / "checkpoints" / published if cached else Path(weights)
    called = f"{published} in the cache of torch's hub" if cached else weights  # a report need not show where that is
    digits = Path(published).stem.rpartition("-")[2]
    try:
        if _sha256(path).startswith(digits):
            return path
        reason = f"{called} is not the published {published} (its SHA-256 does not begin with {digits})"
    except OSError as error:
        reason = f"{called} cannot be read ({error.strerror})"
    if cached:
        return Skipped(f"{reason}; put it there or give its path, nothing is downloaded")
    raise UserError(f"{reason}: give the path of {published}")


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _to_unit(pictures: np.ndarray, device: torch.device | str) -> torch.Tensor:
    """uint8 (N, H, W, 3) -> float (N, 3, H, W) in [-1, 1]."""
    return torch.from_numpy(np.array(pictures)).to(device).permute(0, 3, 1, 2).float().div(127.5).sub(1)
