"""Distances of completed pictures from real ones and from their originals in feature networks, cached."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch

from ganfill.benchmark.cache import CachedResult, ResultCache
from ganfill.data.subsets import Pictures, sha256
from ganfill.metrics import distances
from ganfill.metrics.features import FeatureNetwork, extract

ORIGINAL = "original"  # name of the undamaged pictures


@dataclass(frozen=True)
class FeatureDistances:
    """Distances from a set of real pictures, and of each picture from its original, in feature networks.

    The distances from a set have no bootstrap intervals: duplicates shrink a covariance, so that every resample is farther
    from the reference than the pictures themselves. The distance of an equal number of real pictures gives the scale.

    Args:
        originals: the undamaged pictures.
        reference: real pictures other than those; None leaves out the distances from a set.
        networks: each gives a Frechet and a kernel distance, and a distance for each picture.
        device: on which features are computed.
        cache: of features and distances.
    """

    originals: Pictures
    reference: Pictures | None
    networks: Sequence[FeatureNetwork]
    device: torch.device
    cache: ResultCache

    def from_set(self, pictures: np.ndarray, name: str, digest: str) -> dict[str, float | None]:
        """Measures ``fd_face`` and ``kd_face`` for a network ``face``, ``fid`` and ``kid`` for Inception.

        Args:
            pictures: uint8 (N, H, W, 3); the distances of fewer than two are None.
            name: of the pictures, for file names.
            digest: of the pictures or of their inputs.
        """
        figures = dict[str, float | None]()
        if self.reference is None:
            return figures
        for network in self.networks:
            depends = {"pictures": digest, "network": network.digest, "reference": self.reference.digests}
            compute = partial(self._compare, network, self.reference, pictures, name, digest)
            facts = self.cache.get(f"{name}-{network.name}", depends, compute).facts
            figures |= dict(zip(network.distance_names, (facts["frechet"], facts["kernel"]), strict=True))
        return figures

    def from_originals(self, pictures: np.ndarray, name: str, digest: str) -> dict[str, np.ndarray]:
        """Measures ``l2_face``, the Euclidean distances of features (N,), for a network ``face``.

        Args:
            pictures: completions of ``originals``, uint8 (N, H, W, 3).
            name: of the pictures, for file names.
            digest: of the pictures or of their inputs.
        """
        figures = dict[str, np.ndarray]()
        for network in self.networks:
            theirs = self._features(network, self.originals.images, ORIGINAL, sha256(self.originals.images))
            ours = self._features(network, pictures, name, digest)
            figures[network.paired_name] = np.linalg.norm(ours - theirs, axis=1)
        return figures

    def _compare(
        self, network: FeatureNetwork, reference: Pictures, pictures: np.ndarray, name: str, digest: str
    ) -> CachedResult:
        if len(pictures) < 2:
            return CachedResult({}, {"frechet": None, "kernel": None})
        ours = self._features(network, pictures, name, digest)
        real = self._features(network, reference.images, "reference", reference.digests)
        return CachedResult({}, {"frechet": distances.frechet(ours, real), "kernel": distances.kernel(ours, real)})

    def _features(self, network: FeatureNetwork, pictures: np.ndarray, name: str, digest: Any) -> np.ndarray:
        def compute() -> CachedResult:
            return CachedResult({"features": extract(network, pictures, self.device)}, {})

        depends = {"network": network.digest, name: digest}
        return self.cache.get(f"{name}-{network.name}", depends, compute).arrays["features"]
