"""Training of the encoder that gives a search its starting point; the generator is fixed."""

import math

import torch
from torch import nn
from torch.optim import Optimizer

from ganfill import seeding
from ganfill.images.pixels import to_float
from ganfill.models.model import Model
from ganfill.training.part_module import PartModule, errors
from ganfill.training.training_module import MakeOptimizer, crossed

WARMUP = 0.02


class EncoderTraining(PartModule):
    """Trains ``encoder`` to find z from the known part of a picture.

    A step takes N real pictures, draws N / 2 from the generator, and hides a hole of a random kind in each. For real
    pictures the loss compares the generator's picture of the encoder's z with the whole original: root mean squared
    error in the hole, absolute error outside. For drawn ones z is known, and the loss is the mean squared error of the
    coordinates of z. For all it adds the squared distance of z from the typical set of the prior.

    Args:
        encoder: see ``ganfill.models.encoder``.
        model: its generator and latent prior are used.
        optimizer: makes the optimizer; the learning rate rises in the first 2 % of the training and falls along a cosine.
        kimg: length of the training in thousand real pictures, for that schedule.
        known_weight: weight of the absolute error outside the hole.
        latent_weight: weight of both distances in z.
        log_kimg: interval at which losses are measured, in thousand pictures.
        seed: seed of z and holes.

    Raises:
        UserError: ``kimg`` is not above 0.
    """

    MEASURES = ("loss", "error_hole", "error_known", "error_latent", "beyond_prior")
    REMEDY = "a lower learning rate (optimizer.lr)"

    def __init__(
        self,
        encoder: nn.Module,
        model: Model,
        optimizer: MakeOptimizer,
        kimg: float,
        known_weight: float = 1.0,
        latent_weight: float = 0.1,
        log_kimg: float = 1.0,
        seed: int = 0,
    ) -> None:
        super().__init__(model, {"generator": model.generator}, kimg, log_kimg, seed)
        self.encoder = encoder.to(memory_format=torch.channels_last)
        self.optimizer, self.known_weight, self.latent_weight = optimizer, known_weight, latent_weight

    def configure_optimizers(self) -> Optimizer:
        """Returns the encoder's optimizer."""
        return self.make(self.optimizer, self.encoder)

    def training_step(self, pixels: torch.Tensor, batch_idx: int) -> None:
        """One step on uint8 pictures (N, H, W, 3)."""
        n, generator = len(pixels), self.fixed["generator"]
        measuring = crossed(self.images_seen, self.images_seen + n, self.log_kimg)
        z = self.latent.sample(n // 2, seeding.generator(self.seed, "z", self.images_seen), self.device)
        with torch.no_grad():
            image = torch.cat([to_float(pixels), generator(z).float().clamp(-1, 1)])  # the range of real pictures
        known = 1 - self.draw_holes(len(image))
        guess = self.encoder(image * known, known).float()
        in_hole, outside = errors(generator(guess[:n]).float(), image[:n], known[:n])
        distance = (guess[n:] - z).square().mean()
        beyond = (guess - self.latent.project(guess)).square().sum(1).mean()
        loss = in_hole + self.known_weight * outside + self.latent_weight * (distance + beyond)
        self.scale_rate(0, rate_at(self.images_seen / (1000 * self.kimg)))
        self.descend(0, loss)
        self.finite &= torch.isfinite(loss.detach())
        values = (loss, in_hole, outside, distance, beyond)
        self.measured = (
            {name: value.detach() for name, value in zip(self.MEASURES, values, strict=True)} if measuring else {}
        )
        self.images_seen += n


def rate_at(t: float) -> float:
    """Learning rate after a share ``t`` of the training, relative to the highest."""
    return min(1.0, t / WARMUP + 0.01) * (0.5 + 0.5 * math.cos(math.pi * t))
