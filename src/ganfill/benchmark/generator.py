"""Evaluates a generator: distances to the training pictures, precision and recall, memorization."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from ganfill import seeding
from ganfill.data.subsets import draw
from ganfill.errors import UserError
from ganfill.metrics.distances import frechet, kernel, nearest, precision_recall
from ganfill.metrics.feature_names import PIXELS
from ganfill.metrics.features import FeatureNetwork, extract
from ganfill.models.model import Model

BATCH = 64
SHOWN = 64
NEIGHBOURS = 5
FEWEST = 4  # pictures in a set, so that each has a third neighbour
THUMBNAIL = 16

Advance = Callable[[int], object]
Near = tuple[np.ndarray, np.ndarray]  # rows and distances, see ``nearest``


@dataclass(frozen=True)
class GeneratorReport:
    """Results of ``evaluate_generator``.

    Attributes:
        figures: by name; a text is the reason why a figure is missing.
        samples: the first generated pictures, uint8 (64 or fewer, H, W, 3).
        neighbours: for the samples with the least distance to a training picture, in order of distance: the sample
            and its five nearest training pictures, uint8 (H, W, 3) each.
    """

    figures: dict[str, float | str]
    samples: np.ndarray
    neighbours: list[list[np.ndarray]]


def evaluate_generator(
    model: Model,
    store_pictures: np.ndarray,
    networks: Sequence[FeatureNetwork],
    n: int = 10_000,
    seed: int = 0,
    advance: Advance | None = None,
    neighbours: int = 12,
    held_out: np.ndarray | None = None,
) -> GeneratorReport:
    """Compares generated pictures with real ones, in each network and, for memorization, also by 16 x 16 thumbnails.

    Figures, for a network called NAME: ``fd_NAME`` and ``kd_NAME`` (``fid`` and ``kid`` for Inception), each with
    ``floor_...`` between two disjoint real sets of the same size; ``precision_NAME``, ``recall_NAME``;
    ``nearest_NAME``, the median distance of a sample to its nearest training picture, ``held_out_nearest_NAME``, the
    same of real pictures that were not trained on, and ``nearer_NAME``, the probability that a sample lies nearer to
    the training set than such a picture does (the statistic of Meehan et al. 2020, arXiv 2004.05675): 0.5 is expected of
    new photographs; values near 1 indicate copies, or samples without detail, which are near to all pictures.

    Args:
        model: on the device to compute on.
        store_pictures: training pictures, uint8 (N, H, W, 3); may be a memmap.
        networks: feature networks. Neighbours are shown for the first, or for thumbnails if there is none.
        n: size of each set; smaller if there are fewer than 2 n training pictures.
        seed: of the samples and of the choice of real pictures.
        advance: called with numbers of pictures that add up to ``count_steps``.
        neighbours: number of samples to show with their neighbours.
        held_out: real pictures of the same kind that were not trained on, uint8 (M, H, W, 3).

    Raises:
        UserError: there are too few training pictures, or they have another size than the model's.
    """
    n = _set_size(len(store_pictures), n)
    unseen = store_pictures[:0] if held_out is None else held_out
    for pictures in (store_pictures, unseen):
        if pictures.shape[1:3] != (model.resolution, model.resolution):
            height, width = pictures.shape[1:3]
            raise UserError(
                f"the pictures are {width}x{height}, the model's {model.resolution}x{model.resolution}: "
                f"prepare the store again with resolution={model.resolution}"
            )
    z = model.latent.sample(n, seeding.generator(seed, "samples")).to(model.device)
    samples = draw(model.generator, z, advance)
    halves = _two_sets(len(store_pictures), n, seed)
    figures: dict[str, float | str] = {"samples": n, "training_pictures": len(store_pictures)}
    near: list[Near] = []
    for network in networks:
        generated, trained, new = (
            extract(network, part, model.device, advance) for part in (samples, store_pictures, unseen)
        )
        figures |= _compare(network, generated, trained[halves[0]], trained[halves[1]], seed)
        near.append(nearest(generated, trained, NEIGHBOURS))
        figures |= _memorization(network.name, near[-1][1][:, 0], new, trained)
    if not networks:
        figures["fd"] = "no feature network was given"
    thumbnails = _thumbnails(store_pictures)
    near.append(nearest(_thumbnails(samples), thumbnails, NEIGHBOURS))
    figures |= _memorization(PIXELS, near[-1][1][:, 0], _thumbnails(unseen), thumbnails)
    return GeneratorReport(figures, samples[:SHOWN], _show(samples, store_pictures, near[0], neighbours))


def count_steps(
    store_pictures: np.ndarray, networks: Sequence[FeatureNetwork], n: int = 10_000, held_out: np.ndarray | None = None
) -> int:
    """Returns the total number of pictures that ``evaluate_generator`` processes."""
    n = _set_size(len(store_pictures), n)
    return n + len(networks) * (n + len(store_pictures) + (0 if held_out is None else len(held_out)))


def _set_size(training: int, n: int) -> int:
    """Returns a set size that allows two disjoint real sets."""
    size = min(n, training // 2)
    if size < FEWEST:
        raise UserError(
            f"n={n} of {training} training pictures gives sets of {size}: at least {FEWEST} and twice as many "
            "training pictures are needed"
        )
    return size


def _two_sets(training: int, n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Draws rows of two disjoint sets of training pictures."""
    rows = torch.randperm(training, generator=seeding.generator(seed, "real pictures")).numpy()
    return rows[:n], rows[n : 2 * n]


def _compare(
    network: FeatureNetwork, generated: np.ndarray, real: np.ndarray, others: np.ndarray, seed: int
) -> dict[str, float]:
    """Returns distances with their floors, precision and recall; all sets have one size."""
    fd, kd = network.distance_names
    precision, recall = precision_recall(real, generated)
    return {
        fd: frechet(real, generated),
        f"floor_{fd}": frechet(real, others),
        kd: kernel(real, generated, seed),
        f"floor_{kd}": kernel(real, others, seed),
        f"precision_{network.name}": precision,
        f"recall_{network.name}": recall,
    }


def _memorization(name: str, distances: np.ndarray, new: np.ndarray, trained: np.ndarray) -> dict[str, float | str]:
    """Compares distances (n,) of samples to their nearest training pictures with those of M new pictures, perhaps none."""
    figures: dict[str, float | str] = {f"nearest_{name}": float(np.median(distances))}
    if not len(new):
        reason = "no real pictures were held out"
        return figures | {f"held_out_nearest_{name}": reason, f"nearer_{name}": reason}
    expected = np.sort(nearest(new, trained)[1][:, 0])
    farther = len(expected) - np.searchsorted(expected, distances, side="right")
    equal = len(expected) - np.searchsorted(expected, distances, side="left") - farther
    return figures | {
        f"held_out_nearest_{name}": float(np.median(expected)),
        f"nearer_{name}": float(np.mean(farther + equal / 2) / len(expected)),
    }


def _thumbnails(pictures: np.ndarray) -> np.ndarray:
    """Returns means over a 16 x 16 grid, float64 (N, 768), scaled so that distances are root mean squares in levels."""
    side = pictures.shape[1] // THUMBNAIL
    features = np.empty((len(pictures), THUMBNAIL**2 * 3))
    for start in range(0, len(pictures), BATCH):
        part = pictures[start : start + BATCH]
        means = part.reshape(len(part), THUMBNAIL, side, THUMBNAIL, side, 3).mean((2, 4))
        features[start : start + BATCH] = means.reshape(len(part), -1)
    return features / np.sqrt(features.shape[1])


def _show(samples: np.ndarray, training: np.ndarray, near: Near, count: int) -> list[list[np.ndarray]]:
    """Returns the samples nearest to a training picture, each followed by its nearest training pictures."""
    indices, distances = near
    rows = np.argsort(distances[:, 0], kind="stable")[:count]
    return [[samples[row], *(np.array(training[i]) for i in indices[row])] for row in rows]
