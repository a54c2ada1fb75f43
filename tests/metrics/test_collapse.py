import numpy as np
import pytest

from ganfill.metrics.collapse import collapse_warnings, has_stalled, lacks_diversity

# Diversity of the sample grids, every 10 kimg, of the same two trainings, and the last of the long one.
STALLED_DIVERSITY = [0.006, 0.221, 0.221, 0.222]
HEALTHY_DIVERSITY = [0.006, 0.163, 0.414, 0.474, 0.525, 0.625, 0.684, 0.712, 0.752, 0.736, 0.778, 0.839, 0.884]


@pytest.mark.parametrize(
    ("game", "stalled"),
    [
        ([(0.01, -0.01, 1e-4)] * 50, False),  # equal players and a small gradient
        ([(0.0, 0.0, 0.0)] * 50, False),
        ([(30.0, -30.0, 5.0)] * 50, False),  # sure, but the loss does not saturate
        ([(8.0, -8.0, 0.0)] * 4, False),  # not yet for long
        ([(8.0, -8.0, 0.0)] * 5, True),
        ([(8.0, -8.0, 1e-6)] * 4 + [(8.0, -8.0, 50.0)], True),  # one loud batch changes nothing
        ([(8.0, -8.0, 1.0)] * 4 + [(8.0, -8.0, 1e-12)], False),  # nor does one quiet one
        ([(8.0, -8.0, 0.0)] * 5 + [(1.0, 0.0, 3.0)] * 5, False),  # recovered
    ],
)
def test_a_stall_takes_both_a_sure_discriminator_and_no_gradient(game, stalled):
    assert has_stalled(game) is stalled


@pytest.mark.parametrize(
    ("values", "lacking"),
    [
        (STALLED_DIVERSITY, True),
        (STALLED_DIVERSITY[:3], False),  # too early to tell
        (HEALTHY_DIVERSITY[:2], False),
        ([0.9, 0.8, 0.3, 0.2], False),
        ([0.9, 0.8, 0.3, 0.2, 0.1], True),  # fallen and stayed
        ([0.9, 0.3, 0.35, 0.39], False),  # comes back
        ([0.9, 0.3, 0.6, 0.3, 0.3], False),  # wavers
        ([0.1, 0.15, 0.2, 0.26], False),  # a slow beginning
    ],
)
def test_diversity_must_be_low_for_long_without_rising(values, lacking):
    assert lacks_diversity([(10.0 * index, value) for index, value in enumerate(values)]) is lacking


def test_diversity_waits_as_long_however_often_it_is_measured():
    often = [(0.5 * index, 0.2) for index in range(41)]
    assert lacks_diversity(often) and not lacks_diversity(often[:-1])


def _metrics(logit_real, logit_fake, gradient_g):
    columns = {"logit_real": logit_real, "logit_fake": logit_fake, "gradient_g": gradient_g}
    return {name: np.array(values, float) for name, values in columns.items()} | {"kimg": np.arange(1.0, 9)}


def test_a_collapse_is_found_in_what_was_written_when_it_first_was_one():
    lost = _metrics([9] * 8, [-9, np.nan] + [-9] * 6, [3, 1e-6] + [1e-7] * 6)
    distances = {"kimg": np.array([0.0, 10, 20, 30, 40]), "diversity": np.array([0.2, np.nan, 0.2, 0.2, 0.2])}
    stalled, alike = collapse_warnings(lost, distances)
    assert stalled.startswith("at 6 kimg the discriminator is sure of every fake (logits 9 for real and -9 for")
    assert alike.startswith("at 20 kimg the generator draws much the same picture") and "0.20 times" in alike


def test_nothing_is_remarked_of_healthy_short_or_empty_trainings():
    healthy = _metrics([9] * 8, [-9] * 8, [3] * 8)
    good = {"kimg": np.array([0.0, 10, 20]), "diversity": np.array([0.2, 0.7, 0.9])}
    assert (
        collapse_warnings(healthy, good)
        == collapse_warnings({}, {})
        == collapse_warnings({"kimg": np.zeros(0)}, {"kimg": np.zeros(0)})
        == []
    )
