"""Learning rate of the discriminator by how far its loss is from the loss between ideal networks."""

import torch
from torch import Tensor, nn


class GapAware(nn.Module):
    """Factor of the discriminator's learning rate (Hazimeh and Ponomareva 2023, arXiv 2302.00089).

    If the generator draws the distribution of the real pictures, the best discriminator has a known loss V*. With a loss V
    below it, the discriminator is ahead, and its rate falls; above it, its rate rises. With the paper's constants, the
    factor is

        max(0.1, 0.1^((V* - V) / 0.1 V*))  for V below V*,
        min(2, 2^((V - V*) / 0.1 V*))      otherwise,

    where V is a moving average that starts at V*.

    Args:
        ideal: V*, above 0; see ``ganfill.adversarial.losses``.
    """

    LOWEST, HIGHEST = 0.1, 2.0
    REACH = 0.1  # distance from V* at which they are reached, relative to V*
    KEPT = 0.95  # share of the average that a step keeps
    average: Tensor

    def __init__(self, ideal: float) -> None:
        super().__init__()
        self.ideal = ideal
        self.register_buffer("average", torch.tensor(float(ideal)))

    def observe(self, loss: Tensor) -> None:
        """Receives the discriminator's loss of a step, a scalar without its penalty."""
        self.average.lerp_(loss, 1 - self.KEPT)

    def factor(self) -> float:
        """Returns the factor for the next step; waits for the device."""
        gap = (self.average.item() / self.ideal - 1) / self.REACH
        return self.HIGHEST ** min(gap, 1.0) if gap >= 0 else self.LOWEST ** min(-gap, 1.0)
