"""Distances of completed pictures from real ones in feature networks, cached."""

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
    """Distances from a set of real pictures in feature networks.

    There are no bootstrap intervals: duplicates shrink a covariance, so that every resample is farther from the reference
    than the pictures themselves. The distance of an equal number of real pictures gives the scale.

    Args:
        reference: real pictures other than those completed.
        networks: each gives a Frechet and a kernel distance.
        device: on which features are computed.
        cache: of features and distances.
    """

    reference: Pictures
    networks: Sequence[FeatureNetwork]
    device: torch.device
    cache: ResultCache

    def measure(self, pictures: np.ndarray, name: str, digest: str) -> dict[str, float | None]:
        """Measures ``fd_face`` and ``kd_face`` for a network ``face``, ``fid`` and ``kid`` for Inception.

        Args:
            pictures: uint8 (N, H, W, 3); the distances of fewer than two are None.
            name: of the pictures, for file names.
            digest: of the pictures or of their inputs.
        """
        reference, figures = self.reference.digests, dict[str, float | None]()
        for network in self.networks:
            depends = {"pictures": digest, "network": network.digest, "reference": reference}
            compute = partial(self._compare, network, pictures)
            result = self.cache.get(f"{name}-{network.name}", depends, compute)
            figures |= dict(zip(network.distance_names, (result.facts["frechet"], result.facts["kernel"]), strict=True))
        return figures

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
        return self.cache.get(f"reference-{network.name}", depends, compute).arrays["features"]
