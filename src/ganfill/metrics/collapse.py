"""Signs of a failed training: a generator that no longer learns, or draws nearly the same picture from every z."""

import math
from collections.abc import Mapping, Sequence

import numpy as np

IN_A_ROW = 5  # measurements that are averaged
GAP = 5.0  # between real and fake logits
GRADIENT = 1e-3  # norm of the generator's gradient; above 1 in healthy trainings of ours, below 1e-4 in stalled ones
MIN_DIVERSITY = 0.4  # relative to real pictures
PATIENCE_KIMG = 20.0  # a healthy DCGAN passes 0.4 at 20 kimg
RISING = 1.1
GAME = ("logit_real", "logit_fake", "gradient_g")


def has_stalled(game: Sequence[tuple[float, float, float]]) -> bool:
    """Returns whether a confident discriminator leaves the generator without a gradient.

    Args:
        game: logit_real, logit_fake and gradient_g of the last measurements. Their mean gap, and the geometric mean of
            the gradient's norm, decide, so that one quiet batch does not.
    """
    if len(game) < IN_A_ROW:
        return False
    last = np.array(game[-IN_A_ROW:])
    gradient = np.exp(np.log(np.maximum(last[:, 2], 1e-30)).mean())
    return bool((last[:, 0] - last[:, 1]).mean() > GAP and gradient < GRADIENT)


def lacks_diversity(diversity: Sequence[tuple[float, float]]) -> bool:
    """Returns whether diversity has been low for 20 kimg without rising by a tenth.

    Args:
        diversity: kimg and diversity relative to real pictures, of all measurements.
    """
    kimg, now = diversity[-1]
    earlier = [(at, value) for at, value in diversity if at <= kimg - PATIENCE_KIMG]
    since = [value for at, value in diversity if at >= earlier[-1][0]] if earlier else []
    return bool(since) and max(since) < MIN_DIVERSITY and now <= RISING * since[0]


def stall_warning(kimg: float, logit_real: float, logit_fake: float, gradient_g: float) -> str:
    """Explains ``has_stalled`` and names remedies, in one line."""
    return (
        f"at {kimg:g} kimg the discriminator is sure of every fake (logits {logit_real:.3g} for real and "
        f"{logit_fake:.3g} for generated pictures) and the generator's gradient has vanished "
        f"({gradient_g:.1g}), so it no longer learns: train in another out with loss=non_saturating, with "
        "regularizer=r1 or with a lower optimizer.discriminator.lr"
    )


def diversity_warning(kimg: float, diversity: float) -> str:
    """Explains ``lacks_diversity`` and names remedies, in one line."""
    return (
        f"at {kimg:g} kimg the generator draws much the same picture from every z (its pictures vary "
        f"{diversity:.2f} times as much as real ones): look at samples, and train in another out with "
        "regularizer=r1, augment=diffaugment or lower learning rates (optimizer.generator.lr, "
        "optimizer.discriminator.lr)"
    )


def collapse_warnings(metrics: Mapping[str, np.ndarray], distances: Mapping[str, np.ndarray]) -> list[str]:
    """Returns the warnings for a training with these ``metrics.csv`` and ``distances.csv``, each cause once."""
    warnings = []
    if {"kimg", *GAME} <= metrics.keys():
        rows = np.stack([metrics[name] for name in ("kimg", *GAME)], axis=1)
        kimg, *game = rows[np.isfinite(rows).all(1)].T
        steps = [(float(real), float(fake), float(gradient)) for real, fake, gradient in zip(*game, strict=True)]
        first = next((i for i in range(len(steps)) if has_stalled(steps[max(0, i + 1 - IN_A_ROW) : i + 1])), None)
        if first is not None:
            warnings.append(stall_warning(kimg[first], *steps[first]))
    pairs = zip(distances.get("kimg", ()), distances.get("diversity", ()), strict=False)
    diversity = [(float(kimg), float(value)) for kimg, value in pairs if math.isfinite(value)]
    first = next((i for i in range(len(diversity)) if lacks_diversity(diversity[: i + 1])), None)
    if first is not None:
        warnings.append(diversity_warning(*diversity[first]))
    return warnings
