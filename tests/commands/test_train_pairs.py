"""Any architecture trains with any loss, penalty, augmentation, optimizer and schedule."""

from itertools import combinations, product

import pytest
import torch

from ganfill.commands.train import build_gan
from ganfill.config import compose
from ganfill.config_files import options

GROUPS = ("model", "loss", "regularizer", "augment", "optimizer", "schedule", "latent")


def pairwise_covering(choices):
    """A few combinations in which every pair of options of two groups occurs, found greedily."""

    def pairs(combination):
        return set(combinations(enumerate(combination), 2))

    missing = {
        ((i, a), (j, b))
        for (i, some), (j, others) in combinations(enumerate(choices), 2)
        for a, b in product(some, others)
    }
    found = []
    while missing:
        first, second = min(missing)
        chosen = {first[0]: first[1], second[0]: second[1]}
        for i, some in enumerate(choices):
            if i not in chosen:
                chosen[i] = max(
                    some,
                    key=lambda option: sum(tuple(sorted(((i, option), kept))) in missing for kept in chosen.items()),
                )
        found.append(tuple(chosen[i] for i in range(len(choices))))
        missing -= pairs(found[-1])
    return found


COMBINATIONS = pairwise_covering([options(group) for group in GROUPS])
TINY = {
    "dcgan": ["model.width=8"],
    "dcgan_plus": ["model.width=8"],
    "r3gan": ["model.width=16", "model.blocks=1"],
    "resnet": ["model.width=32"],
    "stylegan2": ["model.width=16", "model.base=256", "model.w_dim=16"],
    "stylegan2_lite": ["model.width=16", "model.base=256", "model.w_dim=16"],
}


def test_every_pair_of_options_is_among_the_combinations():
    for (i, one), (j, other) in combinations(enumerate(GROUPS), 2):
        assert {(c[i], c[j]) for c in COMBINATIONS} == set(product(options(one), options(other)))


@pytest.mark.parametrize("combination", COMBINATIONS, ids="-".join)
def test_a_combination_trains(steps, combination):
    words = [f"{group}={option}" for group, option in zip(GROUPS, combination, strict=True)]
    config = compose(
        "train", ["out=nowhere", "data=synthetic", "resolution=32", "latent.dim=16", *words, *TINY[combination[0]]]
    )
    gan = build_gan(config)
    before = [[p.detach().clone() for p in network.parameters()] for network in (gan.generator, gan.discriminator)]
    gan.log_kimg = 0.004
    steps(gan, 2, batch=4, autocast=True)
    gan.check_finite(weights=True)
    assert all(torch.isfinite(value) for value in gan.measured.values())
    for network, old in zip((gan.generator, gan.discriminator), before, strict=True):
        assert any(not torch.equal(p, q) for p, q in zip(network.parameters(), old, strict=True))
