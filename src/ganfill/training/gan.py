"""The adversarial game as a LightningModule with manual optimization."""

import copy
from typing import Any, Protocol

import torch
from torch import nn
from torch.nn.utils import get_total_norm
from torch.optim import Optimizer

from ganfill import seeding
from ganfill.adversarial import ema
from ganfill.models.latent import Normal, Uniform
from ganfill.pixels import to_float
from ganfill.training.clock import Clocked, MakeOptimizer, crossed
from ganfill.training.datamodule import FFHQDataModule


class Loss(Protocol):
    """A pair of losses, see ``ganfill.adversarial.losses``."""

    def discriminator(self, real_logits: torch.Tensor, fake_logits: torch.Tensor) -> torch.Tensor:
        """What the discriminator minimises."""
        ...

    def generator(self, fake_logits: torch.Tensor, real_logits: torch.Tensor) -> torch.Tensor:
        """What the generator minimises."""
        ...


class GAN(Clocked):
    """Trains ``generator`` against ``discriminator``; ``images_seen`` is the only clock.

    A step takes a batch of real pictures, uint8 (N, H, W, 3), makes one batch of fakes, steps the discriminator on real
    and on detached fake pictures (each a batch of its own, for the sake of batch norm), then the generator. Every
    random number depends on (seed, purpose, images seen) alone, so a resumed training repeats an uninterrupted one.

    Args:
        generator: maps z (N, d) to pictures (N, 3, H, W) in [-1, 1].
        discriminator: maps pictures to logits (N,).
        latent: what z is drawn from.
        loss: the pair of losses.
        generator_optimizer: makes the optimizer from the generator's parameters.
        discriminator_optimizer: the same for the discriminator.
        ema_half_life_kimg: half-life of ``generator_ema``, the average of the generator, and of ``logit_centre``.
        ema_rampup: see ``ema.decay``.
        log_kimg: losses, logits and gradient norms are measured once in so many thousand images.
        seed: of every z.
    """

    MEASURES = ("loss_d", "loss_g", "logit_real", "logit_fake", "gradient_d", "gradient_g")
    REMEDY = "a lower learning rate (optimizer.generator.lr, optimizer.discriminator.lr) or another loss"
    mean_picture: torch.Tensor
    logit_centre: torch.Tensor

    def __init__(
        self,
        generator: nn.Module,
        discriminator: nn.Module,
        latent: Normal | Uniform,
        loss: Loss,
        generator_optimizer: MakeOptimizer,
        discriminator_optimizer: MakeOptimizer,
        ema_half_life_kimg: float = 10.0,
        ema_rampup: float = 0.05,
        log_kimg: float = 1.0,
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.generator = generator.to(memory_format=torch.channels_last)
        self.discriminator = discriminator.to(memory_format=torch.channels_last)
        self.generator_ema = copy.deepcopy(self.generator).eval().requires_grad_(False)
        self.latent, self.loss, self.seed = latent, loss, seed
        self.generator_optimizer, self.discriminator_optimizer = generator_optimizer, discriminator_optimizer
        self.ema_half_life_kimg, self.ema_rampup, self.log_kimg = ema_half_life_kimg, ema_rampup, log_kimg
        resolution: Any = generator.resolution
        self.register_buffer("mean_picture", torch.zeros(3, resolution, resolution))
        self.register_buffer("logit_centre", torch.zeros(()))

    def configure_optimizers(self) -> list[Optimizer]:
        """Discriminator first, as they are stepped."""
        return [
            self.make(self.discriminator_optimizer, self.discriminator),
            self.make(self.generator_optimizer, self.generator),
        ]

    def training_step(self, pixels: torch.Tensor, batch_idx: int) -> None:
        """One step of the discriminator and one of the generator on uint8 pictures (N, H, W, 3)."""
        batch_size = len(pixels)
        measuring = crossed(self.images_seen, self.images_seen + batch_size, self.log_kimg)
        self.measured = {}
        real = to_float(pixels)
        z = self.latent.sample(batch_size, seeding.generator(self.seed, "z", self.images_seen), self.device)
        fake = self.generator(z)

        self.discriminator.requires_grad_(True)
        real_logits = self.discriminator(real).float()
        loss_d = self.loss.discriminator(real_logits, self.discriminator(fake.detach()).float())
        self._descend("d", loss_d, 0, self.discriminator, measuring)

        self.discriminator.requires_grad_(False)
        fake_logits = self.discriminator(fake).float()
        loss_g = self.loss.generator(fake_logits, real_logits.detach())
        self._descend("g", loss_g, 1, self.generator, measuring)

        decay = ema.decay(batch_size, self.ema_half_life_kimg, self.images_seen, self.ema_rampup)
        ema.update(self.generator_ema, self.generator, decay)
        self.logit_centre.lerp_(real_logits.detach().mean(), 1 - decay)
        self.finite &= torch.isfinite(loss_d.detach()) & torch.isfinite(loss_g.detach())
        if measuring:
            self.measured |= {"logit_real": real_logits.detach().mean(), "logit_fake": fake_logits.detach().mean()}
        self.images_seen += batch_size

    def _descend(self, name: str, loss: torch.Tensor, index: int, network: nn.Module, measuring: bool) -> None:
        """One step of one network; its loss and gradient norm are kept when ``measuring``."""
        optimizer: Any = self.optimizers()[index]  # pyright: ignore[reportIndexIssue]
        optimizer.zero_grad()
        self.manual_backward(loss)
        if measuring:
            gradients = [p.grad for p in network.parameters() if p.grad is not None]
            self.measured |= {f"loss_{name}": loss.detach(), f"gradient_{name}": get_total_norm(gradients)}
        optimizer.step()
        # Autocast keeps the low-precision copies of weights for the whole step; after this step they are out of date.
        torch.clear_autocast_cache()

    def begin(self, data: FFHQDataModule) -> None:
        """Takes the mean of the training pictures."""
        self.mean_picture.copy_(data.mean_picture())

    @torch.no_grad()
    def sample(self, n: int, average: bool = True) -> torch.Tensor:
        """Pictures (n, 3, H, W) from z that depend on the seed alone, by the averaged or by the raw generator."""
        z = self.latent.sample(n, seeding.generator(self.seed, "sample"), self.device)
        if average:
            return self.generator_ema(z)
        self.generator.eval()
        try:
            return self.generator(z)
        finally:
            self.generator.train()
