"""Distances of completed pictures from real ones and from their originals in feature networks, cached."""

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
    """Distances from a set of real pictures, and of each picture from its original, in feature networks.

    The distances from a set have no bootstrap intervals: duplicates shrink a covariance, so that every resample is farther
    from the reference than the pictures themselves. The distance of an equal number of real pictures gives the scale.

    Args:
        reference: real pictures other than those completed.
        originals: the undamaged pictures.
        networks: each gives a Frechet and a kernel distance, and a distance for each picture.
        device: on which features are computed.
        cache: of features and distances.
    """

    reference: Pictures
    originals: Pictures
    networks: Sequence[FeatureNetwork]
    device: torch.device
    cache: ResultCache

    def from_set(self, pictures: np.ndarray, name: str, digest: str) -> dict[str, float | None]:
        """Measures ``fd_face`` and ``kd_face`` for a network ``face``, ``fid`` and ``kid`` for Inception.

        Args:
            pictures: completions of ``originals``, uint8 (N, H, W, 3); the distances of fewer than two are None.
            name: of the pictures, for file names.
            digest: of the pictures or of their inputs.
        """
        figures = dict[str, float | None]()
        for network in self.networks:
            facts = self._measure(network, pictures, name, digest).facts
            figures |= dict(zip(network.distance_names, (facts["frechet"], facts["kernel"]), strict=True))
        return figures

    def from_originals(self, pictures: np.ndarray, name: str, digest: str) -> dict[str, np.ndarray]:
        """Measures ``l2_face``, the Euclidean distances of features (N,), for a network ``face``; see ``from_set``."""
        return {
            network.paired_name: self._measure(network, pictures, name, digest).arrays["l2"]
            for network in self.networks
        }

    def _measure(self, network: FeatureNetwork, pictures: np.ndarray, name: str, digest: str) -> CachedResult:
        real = {"reference": self.reference.digests, "originals": self.originals.digests}
        depends = {"pictures": digest, "network": network.digest} | real
        return self.cache.get(f"{name}-{network.name}", depends, partial(self._compare, network, pictures))

    def _compare(self, network: FeatureNetwork, pictures: np.ndarray) -> CachedResult:
        ours = extract(network, pictures, self.device)
        l2 = np.linalg.norm(ours - self._real(network, "originals", self.originals), axis=1)
        if len(pictures) < 2:
            return CachedResult({"l2": l2}, {"frechet": None, "kernel": None})
        real = self._real(network, "reference", self.reference)
        facts = {"frechet": distances.frechet(ours, real), "kernel": distances.kernel(ours, real)}
        return CachedResult({"l2": l2}, facts)

    def _real(self, network: FeatureNetwork, name: str, pictures: Pictures) -> np.ndarray:
        def compute() -> CachedResult:
            return CachedResult({"features": extract(network, pictures.images, self.device)}, {})

        depends = {"network": network.digest, name: pictures.digests}
        return self.cache.get(f"{name}-{network.name}", depends, compute).arrays["features"]
