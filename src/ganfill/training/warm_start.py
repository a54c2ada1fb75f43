"""Warm start: a new network takes over the weights of a trained one."""

import logging
import re
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from ganfill.errors import UserError

log = logging.getLogger(__name__)

STAGE = re.compile(r"(\w+)\.(\d+)\.")


@torch.no_grad()
def warm_start(
    network: nn.Module, source: nn.Module, name: str, from_input: bool = False
) -> tuple[list[str], list[str]]:
    """Copies every tensor of ``source`` whose name and shape fit into ``network``; logs how many and which do not.

    Args:
        network: with initial weights.
        source: a trained network.
        name: of the network, for the log.
        from_input: the stages are numbered from the picture on, as in all networks but generators, so that those of a
            smaller ``source`` are the last of ``network``.

    Returns:
        Names of the tensors of ``network`` that were copied, and of those that keep their initial values.

    Raises:
        UserError: no tensor fits.
    """
    trained = _renumbered(network, source) if from_input else source.state_dict()
    taken, left = [], []
    for key, value in network.state_dict().items():
        fits = key in trained and trained[key].shape == value.shape
        (taken if fits else left).append(key)
        if fits:
            value.copy_(trained[key])
    if not taken:
        raise UserError(
            f"no tensor of the {name} of init fits: give a model of the same architecture, or leave init out"
        )
    new = f"; new: {', '.join(left)}" if left else ""
    log.warning("%s: %d of %d tensors taken over%s", name, len(taken), len(taken) + len(left), new)
    return taken, left


def _renumbered(network: nn.Module, source: nn.Module) -> Mapping[str, Tensor]:
    """Returns the state of ``source`` with the numbers that its stages have in ``network``."""

    def renumber(match: re.Match[str]) -> str:
        stages, more = (getattr(part, match[1], ()) for part in (source, network))
        return f"{match[1]}.{int(match[2]) + len(more) - len(stages)}."

    return {STAGE.sub(renumber, key, count=1) if STAGE.match(key) else key: v for key, v in source.state_dict().items()}
