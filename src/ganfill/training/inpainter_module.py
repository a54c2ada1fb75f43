"""Training of the inpainter, which completes a picture from a guess of the search; generator and encoder are fixed."""

import copy
import math
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool2d, avg_pool2d
from torch.optim import Optimizer

from ganfill import seeding
from ganfill.adversarial import ema
from ganfill.adversarial.losses import Loss
from ganfill.adversarial.step import discriminator_step, generator_step
from ganfill.errors import UserError
from ganfill.images.pixels import to_float
from ganfill.models.inpainter import HoleDiscriminator, complete_averaged
from ganfill.models.model import Model
from ganfill.search.result import Search, SearchOptions
from ganfill.training.part_module import PartModule, errors
from ganfill.training.training_module import MakeOptimizer, crossed

WARMUP = 2000  # pictures over which the learning rate rises
SETTLED = 0.2  # learning rate of the adversarial part, relative to the highest
FINAL = 0.1  # learning rate at the end, relative to that of the adversarial part
BLOCK = 8  # pixels; smaller parts of a face are left to the discriminator
TINT = 2.0  # weight of the error of mean colours, relative to the error; at 1 and error_weight=2, holes became pink
HEAD_START = 10_000  # pictures of the discriminator's training over which its weight rises


class InpainterTraining(PartModule):
    """Trains ``inpainter`` to complete pictures, first by regression, then against a discriminator as well.

    A step hides a hole of a random kind in each real picture and draws a guess, the generator's picture of some z:

    - an eighth of the pictures: the guess is the answer of ``search``, which may lie beyond the range of the generator;
    - three eighths: z is the encoder's, as in the fastest search;
    - a quarter: the encoder also saw a part of the hole, so that the guess is closer to the truth, and worth following;
    - a quarter: z is the encoder's, mixed with a draw from the prior. Such a guess is off the truth, so these pictures are
      judged by the discriminator alone; without it they get the encoder's z.

    The first ``regression_kimg`` minimize the root mean squared error in the hole. From then on pictures are completed as
    they are shown, by ``complete_averaged``, and the discriminator compares them with real ones; it sees the hole too, so it
    judges the seam (Yu et al. 2019, arXiv 1806.03589). The inpainter minimizes its adversarial loss plus ``error_weight``
    times the error and twice that of the mean colours of blocks, plus ``feature_weight`` times the error of the
    discriminator's features (feature matching, Wang et al. 2018, arXiv 1711.11585).

    Args:
        inpainter: see ``ganfill.models.inpainter``.
        model: its generator, encoder and latent prior are used; its discriminator is copied and trained on.
        loss: the adversarial losses.
        regularizer: penalty of the discriminator; None for none.
        optimizer: makes the inpainter's optimizer. Its learning rate rises over the first pictures, falls to a fifth during
            the regression, stays there, and falls to a tenth of that over the last quarter.
        discriminator_optimizer: makes the discriminator's optimizer.
        search: makes the guesses of the first eighth of the pictures.
        kimg: length of the training in thousand pictures.
        regression_kimg: length of its first part.
        error_weight: weight of the error in the hole, relative to the adversarial loss.
        feature_weight: weight of the error of features, relative to the adversarial loss.
        ema_half_life_kimg: half-life of the averaged inpainter, which is the one to keep.
        log_kimg: interval at which losses are measured, in thousand pictures.
        seed: seed of z, holes and ``search``.

    Raises:
        UserError: ``kimg`` is not above 0, or the model has no encoder.
    """

    MEASURES = ("loss_d", "loss_g", "error_hole", "logit_real", "logit_fake", "penalty")
    REMEDY = "a lower learning rate (optimizer.lr, discriminator_optimizer.lr)"
    SHIFTED = True  # see ``complete_averaged``
    penalty: Tensor
    judged: Tensor

    def __init__(
        self,
        inpainter: nn.Module,
        model: Model,
        loss: Loss,
        regularizer: Any,
        optimizer: MakeOptimizer,
        discriminator_optimizer: MakeOptimizer,
        search: Search,
        kimg: float,
        regression_kimg: float,
        error_weight: float = 2.0,
        feature_weight: float = 3.0,
        ema_half_life_kimg: float = 5.0,
        log_kimg: float = 1.0,
        seed: int = 0,
    ) -> None:
        if model.encoder is None:
            raise UserError("the model has no encoder, which gives the guesses: run ganfill train-encoder first")
        if model.discriminator is None:
            raise UserError("the model has no discriminator to train on: give a model of ganfill export")
        fixed = {"generator": model.generator, "encoder": model.encoder, "discriminator": model.discriminator}
        super().__init__(model, fixed, kimg, log_kimg, seed)
        self.inpainter = inpainter.to(memory_format=torch.channels_last)
        self.inpainter_ema = copy.deepcopy(self.inpainter).eval().requires_grad_(False)
        self.discriminator = HoleDiscriminator(copy.deepcopy(model.discriminator)).train().requires_grad_(True)
        self.loss, self.regularizer = loss, regularizer
        self.error_weight, self.feature_weight = error_weight, feature_weight
        self.optimizer, self.discriminator_optimizer = optimizer, discriminator_optimizer
        self.search = partial(search, replace(model, inpainter=None))
        self.regression_kimg, self.ema_half_life_kimg = regression_kimg, ema_half_life_kimg
        self.register_buffer("penalty", torch.zeros(()))
        self.register_buffer("judged", torch.zeros(()))  # pictures that the discriminator was trained on

    def configure_optimizers(self) -> list[Optimizer]:
        """Returns the optimizers of the discriminator and of the inpainter."""
        return [
            self.make(self.discriminator_optimizer, self.discriminator),
            self.make(self.optimizer, self.inpainter),
        ]

    def training_step(self, pixels: Tensor, batch_idx: int) -> None:
        """One step on uint8 pictures (N, H, W, 3)."""
        seen, n = self.images_seen, len(pixels)
        measuring = crossed(seen, seen + n, self.log_kimg)
        real = to_float(pixels)
        hole = self.draw_holes(n, resolution=real.shape[-1])
        adversarial = seen >= self.regression_kimg * 1000
        guess = self._draw_guesses(real, hole, adversarial)
        self.scale_rate(1, rate_at(seen, self.regression_kimg * 1000, self.kimg * 1000))
        if adversarial:
            measured = self._adversarial_step(real, hole, guess)
        else:
            error = error_in_hole(self.inpainter(real, 1 - hole, guess), real, hole)
            self.descend(1, error)
            measured = {"error_hole": error.detach()}
        rampup = 0.05 if self.regression_kimg else 0.0  # without a regression the weights are trained already
        ema.update(self.inpainter_ema, self.inpainter, ema.decay(n, self.ema_half_life_kimg, seen, rampup))
        for value in measured.values():
            self.finite &= torch.isfinite(value)
        undefined = torch.full((), torch.nan)
        self.measured = dict.fromkeys(self.MEASURES, undefined) | measured if measuring else {}
        self.images_seen += n

    def _adversarial_step(self, real: Tensor, hole: Tensor, guess: Tensor) -> dict[str, Tensor]:
        """Updates the discriminator, then the inpainter; returns measurements."""
        seen, n = self.images_seen, len(real)
        interval = self.regularizer.interval if self.regularizer is not None else 1
        due = self.regularizer is not None and seen // n % interval == 0
        generator = seeding.generator(self.seed, "penalty", seen)

        def complete(guess: Tensor) -> Tensor:
            return torch.cat([complete_averaged(self.inpainter, real, 1 - hole, guess, self.SHIFTED), hole], 1)

        def penalty(real: Tensor, fake: Tensor) -> Tensor:
            return self.regularizer(self.discriminator, real, fake, generator)

        self.optimizer_at(0).zero_grad()
        shown = torch.cat([real, hole], 1)
        step = discriminator_step(
            complete, self.discriminator, self.loss, shown, guess, penalty=penalty if due else None,
            penalty_weight=interval, backward=self.manual_backward,
        )  # fmt: skip
        self.step_optimizer(0)
        if step.penalty is not None:
            self.penalty.copy_(step.penalty)

        compared = n - n // 4  # the last quarter has guesses that are off the truth
        pairs = step.fake[:compared, :3], real[:compared], hole[:compared]
        self.discriminator.requires_grad_(False)
        error = error_in_hole(*pairs)
        distance = self.error_weight * (error + TINT * error_of_means(*pairs))
        if self.feature_weight:
            with torch.no_grad():
                wanted = self.discriminator.features(shown[:compared])
            features = self.discriminator.features(step.fake[:compared])
            distance = distance + self.feature_weight * error_of_features(features, wanted, hole[:compared])
        weight = (self.judged / HEAD_START).clamp_max(1)
        self.judged += n
        self.optimizer_at(1).zero_grad()
        loss, fake_logits = generator_step(
            complete, self.discriminator, self.loss, shown, guess, step,
            backward=lambda value: self.manual_backward(weight * value + distance),
        )  # fmt: skip
        self.step_optimizer(1)
        return {
            "loss_d": step.loss, "loss_g": loss, "error_hole": error.detach(), "logit_real": step.real_logits.mean(),
            "logit_fake": fake_logits.mean(), "penalty": self.penalty.clone(),
        }  # fmt: skip

    def _draw_guesses(self, real: Tensor, hole: Tensor, jittered: bool) -> Tensor:
        """Returns guesses (N, 3, R, R) for pictures with a hole, float (N, 1, R, R) and 1 where a pixel is missing."""
        if not getattr(self.inpainter, "guess", True):
            return torch.zeros_like(real)  # the inpainter ignores them
        guess = self._encode(real, hole, jittered)
        if searched := len(real) // 8:
            options = SearchOptions(seed=seeding.derive_seed(self.seed, "search", self.images_seen))
            found = self.search(real[:searched], hole[:searched].bool(), options)
            guess[:searched] = found.pictures[:, 0].clamp(-1, 1).to(guess)
        return guess

    @torch.no_grad()
    def _encode(self, real: Tensor, hole: Tensor, jittered: bool) -> Tensor:
        """Returns the generator's pictures of the encoder's z, some of them changed as the class describes."""
        n, encoder, generator = len(real), self.fixed["encoder"], self.fixed["generator"]
        half, quarter = n // 2, n // 4
        seen = hole.clone()
        seen[half : n - quarter] *= self.draw_holes(n - quarter - half, "second holes")
        z = encoder(real * (1 - seen), 1 - seen).float()
        if jittered:
            draw = seeding.generator(self.seed, "z", self.images_seen)
            share = torch.rand(quarter, 1, generator=draw).to(z)
            z[n - quarter :] = (1 - share**2).sqrt() * z[n - quarter :] + share * self.latent.sample(
                quarter, draw, z.device
            )
        return generator(self.latent.project(z)).float().clamp(-1, 1)


def error_in_hole(pictures: Tensor, real: Tensor, hole: Tensor) -> Tensor:
    """Root mean squared error in the hole, averaged over pictures (N, 3, R, R)."""
    return errors(pictures, real, 1 - hole)[0]


def error_of_means(pictures: Tensor, real: Tensor, hole: Tensor) -> Tensor:
    """As ``error_in_hole``, of the mean colours of blocks of 8x8 pixels.

    Under an adversary alone, the light and the tint of large holes drift.
    """
    share = avg_pool2d(hole, BLOCK)
    means = avg_pool2d((pictures - real) * hole, BLOCK) / share.clamp_min(1e-6)
    return error_in_hole(means, torch.zeros_like(means), share)


def error_of_features(features: Sequence[Tensor], wanted: Sequence[Tensor], hole: Tensor) -> Tensor:
    """Mean absolute error of features in the hole, relative to the size of those wanted, averaged over layers and pictures.

    Args:
        features: one tensor (N, C, H, W) for each layer.
        wanted: as ``features``.
        hole: (N, 1, R, R), 1 where a pixel is missing.
    """
    relative = []
    for found, right in zip(features, wanted, strict=True):
        height, width = right.shape[2:]
        share = adaptive_avg_pool2d(hole, (height, width))
        difference, size = ((share * values.float().abs()).sum((1, 2, 3)) for values in (found - right, right))
        relative.append((difference / size.clamp_min(1e-6)).mean())
    return torch.stack(relative).mean()


def rate_at(seen: float, regression: float, length: float) -> float:
    """Learning rate after ``seen`` pictures, relative to the highest, if the first ``regression`` are the first part."""
    warmup = min(1.0, seen / WARMUP + 0.01)
    if seen < regression:
        return warmup * (SETTLED + (1 - SETTLED) * (0.5 + 0.5 * math.cos(math.pi * seen / regression)))
    last = max(0.0, 4 * (seen / length - 0.75))
    return warmup * SETTLED * (1 - (1 - FINAL) * min(last, 1.0))
