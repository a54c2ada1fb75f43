"""Warm start: a new network takes over the weights of a trained one."""

import logging

import torch
from torch import nn

log = logging.getLogger(__name__)


@torch.no_grad()
def warm_start(network: nn.Module, source: nn.Module, name: str) -> tuple[list[str], list[str]]:
    """Copies every tensor of ``source`` whose name and shape fit into ``network``; logs how many and which do not.

    Args:
        network: with initial weights.
        source: a trained network.
        name: of the network, for the log.

    Returns:
        Names of the tensors of ``network`` that were copied, and of those that keep their initial values.
    """
    trained = source.state_dict()
    taken, left = [], []
    for key, value in network.state_dict().items():
        fits = key in trained and trained[key].shape == value.shape
        (taken if fits else left).append(key)
        if fits:
            value.copy_(trained[key])
    new = f"; new: {', '.join(left)}" if left else ""
    log.warning("%s: %d of %d tensors taken over%s", name, len(taken), len(taken) + len(left), new)
    return taken, left
