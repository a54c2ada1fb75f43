"""Training of a GAN: orchestrates the steps of ``ganfill.adversarial.step`` as a LightningModule."""

import copy
from dataclasses import asdict
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils import get_total_norm
from torch.optim import Optimizer

from ganfill import seeding
from ganfill.adversarial import ema
from ganfill.adversarial.fade import Fade
from ganfill.adversarial.gap_aware import GapAware
from ganfill.adversarial.losses import Loss
from ganfill.adversarial.schedule import Constant, Linear, Settings
from ganfill.adversarial.step import Augmentation, DiscriminatorStep, Penalty, identity
from ganfill.errors import UserError
from ganfill.images.pixels import to_float
from ganfill.models.latent import Normal, Uniform
from ganfill.training import distributed
from ganfill.training.datamodule import FFHQDataModule
from ganfill.training.micro_batches import MicroBatches, check_step
from ganfill.training.training_module import GanfillModule, MakeOptimizer, crossed


class GAN(GanfillModule):
    """Trains ``generator`` against ``discriminator``; ``images_seen`` is the only clock.

    A step takes a batch of real pictures, uint8 (N, H, W, 3), updates the discriminator and, every ``n_critic`` steps,
    the generator. Every random number depends on (seed, purpose, images seen) alone, so a resumed training repeats an
    uninterrupted one.

    With several processes, each takes a slice of the batch and of its z. Gradients, losses and running statistics are
    averaged, so all ranks keep the same state. Batch norm and LeCam see only their own slice within a step.

    Args:
        generator: maps z (N, d) to pictures (N, 3, H, W) in [-1, 1].
        discriminator: maps pictures to logits (N,).
        latent: the distribution of z.
        loss: the pair of losses.
        generator_optimizer: makes the optimizer from the generator's parameters.
        discriminator_optimizer: the same for the discriminator.
        regularizer: a penalty of the discriminator, see ``ganfill.adversarial.regularizers``, applied every ``interval``
            steps with ``interval`` times its weight.
        augment: transforms pictures before the discriminator sees them, see ``ganfill.adversarial.augment``;
            ``logit_centre`` is then measured on augmented pictures.
        schedule: changes learning rates, betas, penalty, augmentation and average with the clock.
        step: ``alternating`` updates the discriminator and then the generator, ``joint`` takes the gradients of both from
            one pass, see ``ganfill.adversarial.step``.
        n_critic: steps of the discriminator for each of the generator.
        gap_aware: multiply the discriminator's learning rate by the factor of ``ganfill.adversarial.gap_aware``.
        micro_batch: pictures that a process has in memory at once; gradients are accumulated. None: its whole share.
        compile: compile both networks with torch.compile. Penalties use the uncompiled discriminator, because compiled
            networks have no second derivatives.
        ema_half_life_kimg: half-life of ``generator_ema``, the average of the generator, and of ``logit_centre``.
        ema_rampup: see ``ema.decay``.
        log_kimg: interval at which losses, logits and gradient norms are measured, in thousand images.
        seed: of every z and augmentation.

    Raises:
        UserError: ``n_critic`` or ``micro_batch`` is below 1, ``step`` is unknown or does not suit the discriminator, or
            ``gap_aware`` is true for a loss without an ideal value above 0.
    """

    MEASURES = ("loss_d", "loss_g", "logit_real", "logit_fake", "gradient_d", "gradient_g", "penalty")
    REMEDY = "a lower learning rate (optimizer.generator.lr, optimizer.discriminator.lr) or another loss"
    mean_picture: Tensor
    logit_centre: Tensor
    penalty: Tensor

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
        step: str = "alternating",
        n_critic: int = 1,
        gap_aware: bool = False,
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
                raise UserError(f"{name} must be at least 1, got {count}")
        ideal = getattr(loss, "ideal", 0.0)
        if gap_aware and not ideal > 0:
            raise UserError(f"gap_aware=true needs a loss with an ideal value above 0; {type(loss).__name__} has none")
        resolution: Any = generator.resolution
        check_step(step, discriminator, resolution)
        self.generator = generator.to(memory_format=torch.channels_last)
        self.discriminator = discriminator.to(memory_format=torch.channels_last)
        self.generator_ema = copy.deepcopy(self.generator).eval().requires_grad_(False)
        if compile:
            self.generator.compile()
            self.discriminator.compile()
        self.latent, self.loss, self.seed = latent, loss, seed
        self.regularizer, self.augment, self.schedule = regularizer, augment, schedule or Constant()
        self.step, self.n_critic, self.micro_batch = step, n_critic, micro_batch
        self.gap_aware = GapAware(ideal) if gap_aware else None
        self.generator_optimizer, self.discriminator_optimizer = generator_optimizer, discriminator_optimizer
        self.ema_half_life_kimg, self.ema_rampup, self.log_kimg = ema_half_life_kimg, ema_rampup, log_kimg
        self.fade: Fade | None = None  # set if the networks have grown
        self.register_buffer("mean_picture", torch.zeros(3, resolution, resolution))
        self.register_buffer("logit_centre", torch.zeros(()))
        self.register_buffer("penalty", torch.zeros(()))

    def configure_optimizers(self) -> list[Optimizer]:
        """Returns the discriminator's optimizer and the generator's."""
        optimizers = [
            self.make(self.discriminator_optimizer, self.discriminator),
            self.make(self.generator_optimizer, self.generator),
        ]
        # The schedule scales these: a resumed optimizer holds values that were scaled already.
        self.configured = [[group.copy() for group in optimizer.param_groups] for optimizer in optimizers]
        return optimizers

    def training_step(self, pixels: Tensor, batch_idx: int) -> None:
        """One step of the discriminator and, when it is due, one of the generator, on uint8 pictures (N, H, W, 3)."""
        seen, batch = self.images_seen, len(pixels) * distributed.world()
        rows = distributed.local_slice(batch)
        count, first = seen // batch, seen + rows.start  # steps so far; position of this process's first picture
        settings = self.schedule.at(seen)
        for index, configured in enumerate(self.configured):
            settings.apply(self.optimizer_at(index), configured)
        if self.gap_aware is not None:
            factor = self.gap_aware.factor()
            for group in self.optimizer_at(0).param_groups:
                group["lr"] *= factor
        generating = (count + 1) % self.n_critic == 0
        measuring = generating and crossed(seen - (self.n_critic - 1) * batch, seen + batch, self.log_kimg)
        z = self.latent.sample(batch, seeding.generator(self.seed, "z", seen), self.device)[rows]
        size = self.micro_batch or len(pixels)
        interval = 1 if self.regularizer is None else self.regularizer.interval
        due = self.regularizer is not None and count % interval == 0
        batches = MicroBatches(
            (self.generator, self.discriminator),
            self.loss,
            to_float(pixels).split(size),
            z.split(size),
            self._augmentation(settings.p, "augment", first),
            self._penalty(settings, first) if due else None,
            interval,
            self.manual_backward,
        )
        self.measured = {}
        half_life = self.ema_half_life_kimg * settings.ema
        loss_d, steps = self._train(batches, generating, measuring)
        if generating:
            kept = ema.decay(batch * self.n_critic, half_life, seen, self.ema_rampup)
            ema.update(self.generator_ema, self.generator, kept)
        real_logits = distributed.gather(torch.cat([step.real_logits for step in steps]))
        if self.augment is not None:
            boundary = self.loss.boundary
            if boundary is None:
                fake_logits = distributed.gather(torch.cat([step.fake_logits for step in steps]))
                boundary = (real_logits.mean() + fake_logits.mean()) / 2
            self.augment.observe(real_logits - boundary)
        self.logit_centre.lerp_(real_logits.mean(), 1 - ema.decay(batch, half_life, seen, self.ema_rampup))
        if measuring:
            self.measured |= {"loss_d": loss_d, "logit_real": real_logits.mean(), "penalty": self.penalty.clone()}
        self.images_seen += batch

    def _train(
        self, batches: MicroBatches, generating: bool, measuring: bool
    ) -> tuple[Tensor, list[DiscriminatorStep]]:
        """Updates the discriminator and, if ``generating``, the generator; returns the discriminator's loss and steps."""
        for index in range(2):
            self.optimizer_at(index).zero_grad()
        if generating and self.step == "joint":
            steps, generated = batches.joint_steps()
        else:
            steps, generated = batches.discriminator_steps(keep_graph=generating), None
        loss_d = batches.mean([step.loss for step in steps])
        penalties = [step.penalty for step in steps if step.penalty is not None]
        if penalties:
            self.penalty.copy_(batches.mean(penalties))
        # Running statistics are averaged only once, at the end: the generator's graph may still need their values.
        self._update("d", 0, self.discriminator, measuring, [loss_d] if generating else [loss_d, *self._statistics()])
        self.finite &= torch.isfinite(loss_d)
        if self.gap_aware is not None:
            self.gap_aware.observe(loss_d)
        if generating:
            loss_g, fake_logits = generated or batches.generator_steps(steps)
            self._update("g", 1, self.generator, measuring, [loss_g, *self._statistics()])
            self.finite &= torch.isfinite(loss_g)
            if measuring:
                self.measured |= {"loss_g": loss_g, "logit_fake": distributed.gather(fake_logits).mean()}
        return loss_d, steps

    def _update(self, name: str, index: int, network: nn.Module, measuring: bool, values: list[Tensor]) -> None:
        """Averages gradients and ``values`` over processes and steps one optimizer; measures the norm of the gradients."""
        gradients = [p.grad for p in network.parameters() if p.grad is not None]
        distributed.all_reduce_mean_([*gradients, *values])
        if measuring:
            self.measured[f"gradient_{name}"] = get_total_norm(gradients)
        self.step_optimizer(index)

    def _statistics(self) -> list[Tensor]:
        return [self.penalty, *distributed.running_stats((self.generator, self.discriminator), self.regularizer)]

    def _augmentation(self, p: float, *purpose: str | int) -> Augmentation:
        """Returns the fade and the augmentation of this step; each call transforms pictures anew."""
        fade = identity if self.fade is None else self.fade.at(self.images_seen)
        if self.augment is None:
            return fade
        generator = seeding.generator(self.seed, *purpose)
        return lambda images: self.augment(fade(images), generator, p)

    def _penalty(self, settings: Settings, first: int) -> Penalty:
        augment = self._augmentation(settings.p, "augment for penalty", first)
        generator = seeding.generator(self.seed, "penalty", first)

        def discriminator(images: Tensor) -> Tensor:
            return self.discriminator.forward(augment(images))  # never the compiled network

        return lambda real, fake: self.regularizer(discriminator, real, fake, generator) * settings.gamma

    def begin(self, data: FFHQDataModule) -> None:
        """Stores the mean of the training pictures."""
        self.mean_picture.copy_(data.mean_picture())

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Adds the fade."""
        super().on_save_checkpoint(checkpoint)
        checkpoint["fade"] = None if self.fade is None else asdict(self.fade)

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Restores the fade."""
        super().on_load_checkpoint(checkpoint)
        fade = checkpoint.get("fade")  # missing in checkpoints of older versions
        self.fade = None if fade is None else Fade(**fade)

    @torch.no_grad()
    def sample(self, n: int, average: bool = True) -> Tensor:
        """Returns pictures (n, 3, H, W) of the averaged or the raw generator from z that depend on the seed alone."""
        z = self.latent.sample(n, seeding.generator(self.seed, "sample"), self.device)
        if average:
            return self.generator_ema(z)
        self.generator.eval()
        try:
            return self.generator(z)
        finally:
            self.generator.train()
