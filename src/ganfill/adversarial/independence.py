"""Test of a discriminator: do the pictures of a batch influence each other's logits?"""

import copy

import torch
from torch import nn


def depends_on_batch(discriminator: nn.Module, resolution: int) -> bool:
    """True if the logit of a picture changes with another picture of its batch, as with batch norm in training mode.

    Measured as a gradient on two random pictures, so that it holds for any network. The network stays as it is.

    Args:
        discriminator: maps pictures (N, 3, ``resolution``, ``resolution``) to logits (N,).
        resolution: side of the pictures.
    """
    weight = next(discriminator.parameters())
    trial = copy.deepcopy(discriminator).train()
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in trial.parameters():  # a last layer that starts at 0 would hide everything before it
            parameter += 0.01 * torch.randn(parameter.shape, generator=generator).to(parameter)
    images = torch.randn(2, 3, resolution, resolution, generator=generator).to(weight).requires_grad_()
    with torch.random.fork_rng(devices=[]), torch.enable_grad():  # dropout draws from the global state
        logits = trial.forward(images)
    (gradient,) = torch.autograd.grad(logits[0], images)
    return bool(gradient[1].count_nonzero())
