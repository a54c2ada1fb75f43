"""Distances of completed pictures from real ones in feature networks, kept on a shelf beside the cells."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch

from ganfill.benchmark.cache import CachedResult, ResultCache
from ganfill.data.subsets import Pictures
from ganfill.metrics import distances
from ganfill.metrics.features import FeatureNetwork, extract


@dataclass(frozen=True)
class FeatureDistances:
    """Real pictures, and the networks in which others are compared with them.

    There are no bootstrap intervals: pictures drawn twice shrink a covariance, so that every resample lies farther off
    than the pictures themselves. The distance of as many real pictures is the scale.

    Args:
        reference: real pictures that are not among those completed.
        networks: each gives a Frechet and a kernel distance.
        device: where features are computed.
        shelf: where features and distances are kept.
    """

    reference: Pictures
    networks: Sequence[FeatureNetwork]
    device: torch.device
    shelf: ResultCache

    def measure(self, pictures: np.ndarray, name: str, digest: str) -> dict[str, float | None]:
        """Distances from the reference: ``fd_face`` and ``kd_face`` in a network ``face``, ``fid`` and ``kid`` in Inception.

        Args:
            pictures: uint8 (N, H, W, 3); None is the distance of fewer than two.
            name: of the pictures, for people.
            digest: of the pictures, or of all that they depend on.
        """
        reference, found = self.reference.digests, dict[str, float | None]()
        for network in self.networks:
            depends = {"pictures": digest, "network": network.digest, "reference": reference}
            compute = partial(self._compare, network, pictures)
            kept = self.shelf.get(f"{name}-{network.name}", depends, compute)
            found |= dict(zip(network.distance_names, (kept.facts["frechet"], kept.facts["kernel"]), strict=True))
        return found

    def _compare(self, network: FeatureNetwork, pictures: np.ndarray) -> CachedResult:
        if len(pictures) < 2:
            return CachedResult({}, {"frechet": None, "kernel": None})
        ours, real = self._features(network, pictures).arrays["features"], self._real(network)
        return CachedResult({}, {"frechet": distances.frechet(ours, real), "kernel": distances.kernel(ours, real)})

    def _features(self, network: FeatureNetwork, pictures: np.ndarray) -> CachedResult:
        return CachedResult({"features": extract(network, pictures, self.device)}, {})

    def _real(self, network: FeatureNetwork) -> np.ndarray:
        depends = {"network": network.digest, "reference": self.reference.digests}
        compute = partial(self._features, network, self.reference.images)
        return self.shelf.get(f"reference-{network.name}", depends, compute).arrays["features"]
