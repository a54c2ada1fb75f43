"""The adversarial game as a LightningModule with manual optimization."""

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.nn.utils import get_total_norm
from torch.optim import Optimizer

from ganfill import seeding
from ganfill.adversarial import ema
from ganfill.adversarial.losses import Loss
from ganfill.adversarial.schedule import Constant, Linear, Settings
from ganfill.errors import UserError
from ganfill.images.pixels import to_float
from ganfill.models.latent import Normal, Uniform
from ganfill.training import distributed
from ganfill.training.datamodule import FFHQDataModule
from ganfill.training.training_module import GanfillModule, MakeOptimizer, crossed

Judge = Callable[[torch.Tensor], torch.Tensor]


@dataclass(frozen=True)
class StepInputs:
    """What one step works with.

    Attributes:
        parts: real pictures (n, 3, H, W) and z (n, d), as many at a time as memory holds.
        pictures: in all parts together, of this process.
        discriminator: the discriminator as it sees pictures in this step.
        differentiable: the same, never compiled, for penalties.
        regularizer: if it is due.
        gamma: the schedule's factor of the penalty.
        draws: of the penalty's chance.
        generating: whether the generator is stepped.
        measuring: whether losses, logits and gradients are kept.
    """

    parts: list[tuple[torch.Tensor, torch.Tensor]]
    pictures: int
    discriminator: Judge
    differentiable: Judge
    regularizer: Any
    gamma: float
    draws: torch.Generator
    generating: bool
    measuring: bool


class GAN(GanfillModule):
    """Trains ``generator`` against ``discriminator``; ``images_seen`` is the only clock.

    A step takes a batch of real pictures, uint8 (N, H, W, 3), makes one batch of fakes, steps the discriminator on real
    and on detached fake pictures (each a batch of its own, for the sake of batch norm), then, every ``n_critic`` steps,
    the generator. Every random number depends on (seed, purpose, images seen) alone, so a resumed training repeats an
    uninterrupted one.

    With several processes, each takes a slice of the batch and of its z. Gradients, losses and running statistics are
    averaged, so all ranks keep the same state. Batch norm and LeCam see only their own slice within a step.

    Args:
        generator: maps z (N, d) to pictures (N, 3, H, W) in [-1, 1].
        discriminator: maps pictures to logits (N,).
        latent: what z is drawn from.
        loss: the pair of losses.
        generator_optimizer: makes the optimizer from the generator's parameters.
        discriminator_optimizer: the same for the discriminator.
        regularizer: a penalty of the discriminator, see ``ganfill.adversarial.regularizers``; every ``interval`` of its
            steps it is added ``interval`` times (Karras et al. 2020, arXiv 1912.04958, "lazy regularization"), always
            in float32.
        augment: what is done to pictures before the discriminator sees them, see ``ganfill.adversarial.augment``;
            ``logit_centre`` is then that of pictures so treated.
        schedule: how learning rates, betas, penalty, augmentation and average change with the clock.
        n_critic: steps of the discriminator for each of the generator.
        compile: compile both networks with torch.compile, but for penalties, whose second derivatives it does not know.
        micro_batch: pictures that a process has in memory at once; gradients are summed up. None: its whole share.
        ema_half_life_kimg: half-life of ``generator_ema``, the average of the generator, and of ``logit_centre``.
        ema_rampup: see ``ema.decay``.
        log_kimg: losses, logits and gradient norms are measured once in so many thousand images.
        seed: of every z and augmentation.

    Raises:
        UserError: ``n_critic`` or ``micro_batch`` is below 1.
    """

    MEASURES = ("loss_d", "loss_g", "logit_real", "logit_fake", "gradient_d", "gradient_g", "penalty")
    REMEDY = "a lower learning rate (optimizer.generator.lr, optimizer.discriminator.lr) or another loss"
    mean_picture: torch.Tensor
    logit_centre: torch.Tensor
    penalty: torch.Tensor

    def __init__(
        self,
        generator: nn.Module,
        discriminator: nn.Module,
        latent: Normal | Uniform,
        loss: Loss,
        generator_optimizer: MakeOptimizer,
        discriminator_optimizer: MakeOptimizer,
        regularizer: Any = None,
        augment: Any = None,
        schedule: Constant | Linear | None = None,
        n_critic: int = 1,
        micro_batch: int | None = None,
        compile: bool = False,
        ema_half_life_kimg: float = 10.0,
        ema_rampup: float = 0.05,
        log_kimg: float = 1.0,
        seed: int = 0,
    ) -> None:
        super().__init__()
        for name, count in (("n_critic", n_critic), ("micro_batch", micro_batch)):
            if count is not None and (not isinstance(count, int) or count < 1):
                raise UserError(f"{name}={count} is no count: give 1 or more")
        self.generator = generator.to(memory_format=torch.channels_last)
        self.discriminator = discriminator.to(memory_format=torch.channels_last)
        self.generator_ema = copy.deepcopy(self.generator).eval().requires_grad_(False)
        if compile:
            self.generator.compile()
            self.discriminator.compile()
        self.latent, self.loss, self.seed = latent, loss, seed
        self.regularizer, self.augment, self.schedule = regularizer, augment, schedule or Constant()
        self.n_critic, self.micro_batch = n_critic, micro_batch
        self.generator_optimizer, self.discriminator_optimizer = generator_optimizer, discriminator_optimizer
        self.ema_half_life_kimg, self.ema_rampup, self.log_kimg = ema_half_life_kimg, ema_rampup, log_kimg
        resolution: Any = generator.resolution
        self.register_buffer("mean_picture", torch.zeros(3, resolution, resolution))
        self.register_buffer("logit_centre", torch.zeros(()))
        self.register_buffer("penalty", torch.zeros(()))

    def configure_optimizers(self) -> list[Optimizer]:
        """Discriminator first, as they are stepped."""
        optimizers = [
            self.make(self.discriminator_optimizer, self.discriminator),
            self.make(self.generator_optimizer, self.generator),
        ]
        # What the schedule multiplies; a resumed optimizer holds what it made of them.
        self.configured = [[group.copy() for group in optimizer.param_groups] for optimizer in optimizers]
        return optimizers

    def training_step(self, pixels: torch.Tensor, batch_idx: int) -> None:
        """One step of the discriminator and, when it is due, one of the generator, on uint8 pictures (N, H, W, 3)."""
        own, before = len(pixels), self.images_seen
        batch, rows = own * distributed.world(), distributed.local_slice(own * distributed.world())
        count, place = (
            before // batch,
            before + rows.start,
        )  # steps so far; this process's first picture in the training
        settings = self._follow_schedule()
        generating = (count + 1) % self.n_critic == 0
        z = self.latent.sample(batch, seeding.generator(self.seed, "z", before), self.device)[rows]
        size = self.micro_batch or own
        inputs = StepInputs(
            parts=list(zip(to_float(pixels).split(size), z.split(size), strict=True)),
            pictures=own,
            discriminator=self._augmented(self.discriminator, settings.p, "augment", place),
            differentiable=self._augmented(self.discriminator.forward, settings.p, "augment for penalty", place),
            regularizer=None if self.regularizer is None or count % self.regularizer.interval else self.regularizer,
            gamma=settings.gamma,
            draws=seeding.generator(self.seed, "penalty", place),
            generating=generating,
            measuring=generating and crossed(before - (self.n_critic - 1) * batch, before + batch, self.log_kimg),
        )
        self.measured = {}
        loss_d, real_logits, fake_logits, fakes = self._step_discriminator(inputs)
        self.finite &= torch.isfinite(loss_d)
        half_life = self.ema_half_life_kimg * settings.ema
        if generating:
            loss_g = self._step_generator(inputs, fakes, real_logits)
            self.finite &= torch.isfinite(loss_g)
            decay = ema.decay(batch * self.n_critic, half_life, before, self.ema_rampup)
            ema.update(self.generator_ema, self.generator, decay)
        seen = distributed.gather(torch.cat(real_logits))
        if self.augment is not None:
            boundary = self.loss.boundary
            if boundary is None:
                boundary = (seen.mean() + distributed.gather(torch.cat(fake_logits)).mean()) / 2
            self.augment.observe(seen - boundary)
        self.logit_centre.lerp_(seen.mean(), 1 - ema.decay(batch, half_life, before, self.ema_rampup))
        if inputs.measuring:
            self.measured |= {"loss_d": loss_d, "logit_real": seen.mean(), "penalty": self.penalty.clone()}
        self.images_seen += batch

    def _step_discriminator(
        self, inputs: StepInputs
    ) -> tuple[torch.Tensor, list[torch.Tensor], list[torch.Tensor], list[torch.Tensor]]:
        """Its loss, the logits of real and of fake pictures part by part, and the fakes with their graph or without."""
        self.discriminator.requires_grad_(True)
        self._optimizer(0).zero_grad()
        if inputs.regularizer is not None:
            self.penalty.zero_()
        total = torch.zeros((), device=self.device)
        real_logits, fake_logits, fakes = [], [], []
        for real, z in inputs.parts:
            share = len(z) / inputs.pictures
            # The whole batch's graph serves the generator too; those of parts would fill the memory meant to be saved.
            with torch.set_grad_enabled(inputs.generating and len(inputs.parts) == 1):
                fakes.append(self.generator(z))
            fake = fakes[-1].detach()
            on_real, on_fake = inputs.discriminator(real).float(), inputs.discriminator(fake).float()
            loss = self.loss.discriminator(on_real, on_fake)
            total += share * loss.detach()
            if inputs.regularizer is not None:
                with torch.autocast(self.device.type, enabled=False):
                    penalty = inputs.regularizer(inputs.differentiable, real, fake.float(), inputs.draws) * inputs.gamma
                self.penalty += share * penalty.detach()
                loss = loss + penalty * inputs.regularizer.interval
            self.manual_backward(share * loss)
            real_logits.append(on_real.detach())
            fake_logits.append(on_fake.detach())
        # The others belong to a graph that the generator's step still needs.
        self._step(
            "d", 0, self.discriminator, inputs.measuring, [total] if inputs.generating else [total, *self._counted()]
        )
        return total, real_logits, fake_logits, fakes

    def _step_generator(
        self, inputs: StepInputs, fakes: list[torch.Tensor], real_logits: list[torch.Tensor]
    ) -> torch.Tensor:
        """Its loss."""
        self.discriminator.requires_grad_(False)
        self._optimizer(1).zero_grad()
        total = torch.zeros((), device=self.device)
        logits = []
        for i, (real, z) in enumerate(inputs.parts):
            on_fake = inputs.discriminator(fakes[0] if len(inputs.parts) == 1 else self.generator(z)).float()
            on_real = real_logits[i]
            if self.loss.relativistic:
                with torch.no_grad():
                    on_real = inputs.discriminator(real).float()
            loss = self.loss.generator(on_fake, on_real) * (len(z) / inputs.pictures)
            total += loss.detach()
            self.manual_backward(loss)
            logits.append(on_fake.detach())
        self._step("g", 1, self.generator, inputs.measuring, [total, *self._counted()])
        if inputs.measuring:
            self.measured |= {"loss_g": total, "logit_fake": distributed.gather(torch.cat(logits)).mean()}
        return total

    def _counted(self) -> list[torch.Tensor]:
        """What each process counts by itself and all have to agree on."""
        return [self.penalty, *distributed.running_stats((self.generator, self.discriminator), self.regularizer)]

    def _follow_schedule(self) -> Settings:
        """Sets learning rates and betas for this step; returns all settings."""
        settings = self.schedule.at(self.images_seen)
        for index, groups in enumerate(self.configured):
            for group, configured in zip(self._optimizer(index).param_groups, groups, strict=True):
                group["lr"] = configured["lr"] * settings.lr
                if "betas" in group:
                    pairs = zip((settings.beta1, settings.beta2), configured["betas"], strict=True)
                    group["betas"] = tuple(old if new is None else new for new, old in pairs)
        return settings

    def _augmented(self, network: Judge, p: float, *purpose: str | int) -> Judge:
        """A discriminator as it sees pictures in this step: augmented, each time anew."""
        if self.augment is None:
            return network
        draws = seeding.generator(self.seed, *purpose)
        return lambda images: network(self.augment(images, draws, p))

    def _optimizer(self, index: int) -> Any:
        return self.optimizers()[index]  # pyright: ignore[reportIndexIssue]

    def _step(self, name: str, index: int, network: nn.Module, measuring: bool, found: list[torch.Tensor]) -> None:
        """Steps one network by its gradients, averaged over processes as ``found`` is; keeps their norm if ``measuring``."""
        gradients = [p.grad for p in network.parameters() if p.grad is not None]
        distributed.all_reduce_mean_([*gradients, *found])
        if measuring:
            self.measured[f"gradient_{name}"] = get_total_norm(gradients)
        self._optimizer(index).step()
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
